"""The page where people log in and accept invitations: plain, with a script and a style of its own and nothing else."""

from html import escape
from pathlib import Path
from typing import Final

from agentic_atlas.api.whereabouts import LOGIN_PAGE
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Forbidden, Unauthenticated
from agentic_atlas.http.cookies import Cookies
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.http.routes import RouteGroup, principal_of

routes = RouteGroup("sessions", LOGIN_PAGE)

_FILES: Final = Path(__file__).with_name("login")
_PROVIDER: Final = b'<p><a href="/login/oidc">Log in with your organisation</a></p>'
_OF_ALL: Final = (
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)


@routes.at("GET", "", listed=False)
async def page(request: Request, application: Application, cookies: Cookies) -> Response:
    """The page, which says who is logged in; with a way to the identity provider, where there is one."""
    inside = escape(await _inside(request, application, cookies)).encode()
    provider = _PROVIDER if application.signs_on else b""
    return _file("login.html", "text/html", (b"<!-- provider -->", provider), (b"<!-- inside -->", inside))


@routes.at("GET", "/login.js", listed=False)
async def script() -> Response:
    """What it does."""
    return _file("login.js", "text/javascript")


@routes.at("GET", "/login.css", listed=False)
async def style() -> Response:
    """What it looks like."""
    return _file("login.css", "text/css")


async def _inside(request: Request, application: Application, cookies: Cookies) -> str:
    """Return who is logged in with the browser that asks; nobody where another site's page does."""
    try:
        return (await principal_of(request, application, cookies)).user.name
    except (Unauthenticated, Forbidden):
        return ""


def _file(name: str, kind: str, *filled: tuple[bytes, bytes]) -> Response:
    body = (_FILES / name).read_bytes()
    for place, content in filled:
        body = body.replace(place, content)
    return Response(fields=(("content-type", f"{kind}; charset=utf-8"), *_OF_ALL), body=body)
