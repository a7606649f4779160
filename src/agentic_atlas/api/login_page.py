"""The page where people log in and accept invitations: plain, with a script and a style of its own and nothing else."""

from pathlib import Path
from typing import Final

from agentic_atlas.api.whereabouts import LOGIN_PAGE
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response
from agentic_atlas.http.routes import RouteGroup

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
async def page(application: Application) -> Response:
    """The page; with a way to the identity provider, where there is one."""
    return _file("login.html", "text/html", _PROVIDER if application.signs_on else b"")


@routes.at("GET", "/login.js", listed=False)
async def script() -> Response:
    """What it does."""
    return _file("login.js", "text/javascript")


@routes.at("GET", "/login.css", listed=False)
async def style() -> Response:
    """What it looks like."""
    return _file("login.css", "text/css")


def _file(name: str, kind: str, provider: bytes = b"") -> Response:
    body = (_FILES / name).read_bytes().replace(b"<!-- provider -->", provider)
    return Response(fields=(("content-type", f"{kind}; charset=utf-8"), *_OF_ALL), body=body)
