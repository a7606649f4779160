"""The page where people log in and accept invitations, and the end of a session."""

from typing import Annotated, TypeAlias

from pydantic import Field

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import sessions
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError
from agentic_atlas.http.cookies import SESSION, Cookies
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.routes import principal_of
from agentic_atlas.http.whereabouts import LOGIN_PAGE
from agentic_atlas.platform.page import PageGroup, View, see_other
from agentic_atlas.platform.return_path import return_path

pages = PageGroup()

Next: TypeAlias = Annotated[str, Field(max_length=2_000)]


class LoginView(View, frozen=True):
    """The forms of somebody who comes in; a script shows the one that is needed and sends it to the API.

    Attributes:
        user: name of who is logged in already; empty: nobody is.
        provider: people can log in at an identity provider, too.
        next: the page that they are led to then.
    """

    user: str
    provider: bool
    next: str


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
    return LoginView(user=user, provider=application.signs_on, next=return_path(next))


@pages.at("POST", "/logout", listed=False)
async def log_out(request: Request, application: Application, who: Principal, cookies: Cookies) -> Response:
    """End the session of this browser, and lead it to the log-in."""
    await sessions.log_out(who, application)
    return see_other(LOGIN_PAGE, cookies.kept(request, SESSION, "", 0))
