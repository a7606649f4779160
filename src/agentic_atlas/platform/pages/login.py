"""The page where people log in and accept invitations, and the end of a session."""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import sessions
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError, Busy, Unauthenticated
from agentic_atlas.http.cookies import SESSION, Cookies
from agentic_atlas.http.errors import status_of
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.return_path import Next, login_path, return_path
from agentic_atlas.http.routes import principal_of
from agentic_atlas.http.whereabouts import LOGIN_PAGE
from agentic_atlas.platform.page import PageGroup, View, frame_of, html, see_other

pages = PageGroup()

MAX_LOGIN = 4_096
"""Bytes of the form of somebody who has yet to say who they are."""


_FAILURES: Final = (
    (
        "provider_unavailable",
        "The identity provider can't be used now: try again in a minute. Why is in the server's log.",
    ),
    (
        "login_failed",
        "The identity provider's log-in did not work here: begin it again, in this browser. "
        "Whoever runs this network finds why in its audit log.",
    ),
    (
        "not_invited",
        "Nobody here is linked to this log-in: log in with your password and link it in the settings, "
        "or ask an administrator.",
    ),
    (
        "identity_taken",
        "This log-in is somebody else's here: log in at the provider as yourself, or ask an administrator.",
    ),
    ("too_many_logins", "Too many people log in: try again in a minute."),
)
"""Why somebody who was at the identity provider is not let in, by the code that stands behind `#` of the address."""


class LoginForm(Struct, frozen=True):
    """What is sent by somebody who comes in and whose browser runs no scripts."""

    name: str = ""
    password: str = ""
    code: str = ""
    next: str = ""


class LoginView(View, frozen=True):
    """The forms of somebody who comes in; a script sends them to the API where there is one.

    Attributes:
        user: name of who is logged in already; empty: nobody is.
        provider: people can log in at an identity provider, too.
        next: the page that they are led to then.
        by_provider: where they log in at the provider.
        name: that was tried.
        fault: what was wrong with what was sent; empty: nothing.
        code: a one-time password is asked for.
        failures: what is said of what the address tells of single sign-on, each by its code.
    """

    user: str
    provider: bool
    next: str
    by_provider: str
    name: str = ""
    fault: str = ""
    code: bool = False
    failures: Sequence[tuple[str, str]] = _FAILURES


@pages.page("GET", LOGIN_PAGE, "login.html")
async def log_in(
    request: Request,
    application: Application,
    cookies: Cookies,
    next: Next = "",  # as the query has it
) -> LoginView:
    """Log in with a password, by an identity provider, or with an invitation."""
    try:
        user = (await principal_of(request, application, cookies)).user.name
    except AtlasError:  # nobody, whom a page of another site sent, or who asks too often
        user = ""
    return _view(application, next, user=user)


@pages.page("POST", LOGIN_PAGE, "login.html", form=True, most=MAX_LOGIN)
async def log_in_by_form(
    said: LoginForm, request: Request, application: Application, cookies: Cookies
) -> LoginView | Response:
    """Log in without a script; what was wrong is said on the same page."""
    visitor = cookies.visitor(request)
    try:
        entered = await sessions.log_in(None, application, said.name, said.password, said.code, visitor)
    except (Unauthenticated, Busy) as error:
        code = bool(said.code) or error.code == "code_required"
        view = _view(application, said.next, name=said.name[:64], fault=error.message, code=code)
        return html("login.html", view, frame_of(None), status=status_of(error))
    return see_other(return_path(said.next), *cookies.entered(request, entered))


def _view(
    application: Application, asked: str, *, user: str = "", name: str = "", fault: str = "", code: bool = False
) -> LoginView:
    path = login_path(asked).replace(LOGIN_PAGE, f"{LOGIN_PAGE}/oidc", 1)
    return LoginView(
        user=user,
        provider=application.signs_on,
        next=return_path(asked),
        by_provider=path,
        name=name,
        fault=fault,
        code=code,
    )


@pages.at("POST", "/logout", listed=False)
async def log_out(
    request: Request,
    application: Application,
    who: Principal,
    cookies: Cookies,
    next: Next = "",  # as the query has it
) -> Response:
    """End the session of this browser, and lead it to the log-in, and from there to a page that is said."""
    await sessions.log_out(who, application)
    return see_other(login_path(next), cookies.kept(request, SESSION, "", 0))
