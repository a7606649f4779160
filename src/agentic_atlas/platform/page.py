"""What a page is: a path, a function that returns a typed view of what there is to be seen, and a template.

The function takes what any handler takes (`http.routes`), and asks for use cases. What it returns is all that its
template sees, besides the frame around each page (`Frame`). A `Response` in place of a view is sent as it is.
"""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple, TypeVar, get_args

import msgspec

from agentic_atlas._version import __version__
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response
from agentic_atlas.http.routes import RouteGroup, Said
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.templating import render

Viewed = TypeVar("Viewed", bound=Callable[..., Awaitable[object]])

OF_PAGE: Final = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "worker-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    # With `no-referrer`, browsers would not say where a form comes from that changes something.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What a template shows. Its fields are what the template may use, and a test sees that it uses each."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What is around a page.

    Attributes:
        user: name of who is logged in; empty: nobody is.
        role: theirs.
        section: of the navigation.
        version: of the server.
        seq: number of the last change when it was begun to look what there is to be seen; see `Application.seq`.
    """

    user: str = ""
    role: str = ""
    section: str = ""
    version: str = __version__
    seq: int = 0


class WebPage(NamedTuple):
    """A page as it is declared, for those who look at all of them."""

    method: str
    path: str
    template: str
    views: Sequence[type[View]]


PAGES: list[WebPage] = []
"""Every page there is; filled as its module is loaded."""


class PageGroup(RouteGroup):
    """Pages of one section of the navigation, as they are declared."""

    def __init__(self, section: str = "") -> None:
        super().__init__("pages")
        self._section = section

    def page(
        self, method: str, path: str, template: str, *, in_turn: bool = False, **said: Any
    ) -> Callable[[Viewed], Viewed]:
        """Declare the decorated function as what a page shows; see the module, and `http.routes.Route` for the rest.

        `in_turn`: it is a page whose template takes long too, so that both are one turn of whoever asks (`http.turns`).
        """

        def declare(view_of: Viewed) -> Viewed:
            more: Said = {"listed": False, "text": "text/html", **said}  # type: ignore[typeddict-item]  # as it is given
            shown = self._shown(view_of, template)
            self.at(method, path, **more)(_in_turn(shown) if in_turn else shown)
            returned = inspect.signature(view_of, eval_str=True).return_annotation
            views = [one for one in get_args(returned) or [returned] if issubclass(one, View)]
            PAGES.append(WebPage(method, path, template, views))
            return view_of

        return declare

    def _shown(self, view_of: Viewed, template: str) -> Callable[..., Awaitable[Response]]:
        signature = inspect.signature(view_of, eval_str=True)
        who, asked = (
            next((name for name, one in signature.parameters.items() if one.annotation is kind), "")
            for kind in (Principal, Application)
        )

        async def shown(**given: Any) -> Response:
            seq = given[asked].seq() if asked else 0
            made = await view_of(**given)
            if not isinstance(made, View):
                assert isinstance(made, Response)
                return made
            return html(template, made, frame_of(given.get(who), self._section, seq))

        shown.__name__, shown.__doc__ = view_of.__name__, view_of.__doc__
        shown.__signature__ = signature  # type: ignore[attr-defined]  # what `inspect` looks for
        return shown


def _in_turn(shown: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """Return the same as one turn of whoever asks."""
    signature = inspect.signature(shown)
    who = next(name for name, one in signature.parameters.items() if one.annotation is Principal)

    async def one_turn(*, turns: Turns, **given: Any) -> Response:
        async with turns.turn(given[who].user.id):
            return await shown(**given)

    one_turn.__name__, one_turn.__doc__ = shown.__name__, shown.__doc__
    asked = inspect.Parameter("turns", inspect.Parameter.KEYWORD_ONLY, annotation=Turns)
    one_turn.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what `inspect` looks for
        parameters=[*signature.parameters.values(), asked]
    )
    return one_turn


def frame_of(who: Principal | None, section: str = "", seq: int = 0) -> Frame:
    """Return what is around a page of this section that somebody sees, and which shows changes up to this number."""
    if who is None:
        return Frame(section=section, seq=seq)
    return Frame(user=who.user.name, role=who.user.role, section=section, seq=seq)


def html(template: str, view: View, frame: Frame, *more: tuple[str, str], status: int = HTTPStatus.OK) -> Response:
    """Return the response that shows a view in a frame, and has `more` fields."""
    return Response(status, (*OF_PAGE, *more), render(template, view=view, frame=frame).encode())


def see_other(path: str, *more: tuple[str, str]) -> Response:
    """Return what sends a browser to another page of ours, after a form or in place of this one."""
    return Response(HTTPStatus.SEE_OTHER, [("location", path), ("cache-control", "no-store"), *more])
