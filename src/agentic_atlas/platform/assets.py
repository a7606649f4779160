"""What pages load besides themselves: the style, our few scripts, and htmx. All of it is in the wheel.

Each has an address with a digest of its content, and may be kept for ever under it: what changes has another address.
"""

from functools import cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from agentic_atlas.errors import ConfigurationError, NotFound
from agentic_atlas.http.messages import Response
from agentic_atlas.http.routes import RouteGroup

routes = RouteGroup("pages")

_HERE: Final = Path(__file__).parent
_STYLES: Final = ("tokens", "base", "layout", "components", "forms", "settings", "administration", "pages")
"""Parts of the one style sheet, in the order in which they win."""
_SCRIPTS: Final = (
    "page.js",
    "login.js",
    "code.js",
    "invited.js",
    "swap.js",
    "live.js",
    "output.js",
    "stream.js",
    "keys.js",
    "form.js",
)
_VENDORED: Final = ("htmx.min.js",)
_FOREVER: Final = (
    ("cache-control", "public, max-age=31536000, immutable"),
    ("x-content-type-options", "nosniff"),
    # A worker has the policy of its script, and not that of the page that began it.
    ("content-security-policy", "default-src 'none'; connect-src 'self'"),
    ("cross-origin-resource-policy", "same-origin"),
)


class Asset(NamedTuple):
    """A file that pages load."""

    body: bytes
    kind: str
    digest: str


def address(name: str) -> str:
    """Return the path of an asset.

    Raises:
        ConfigurationError: it is one of those that the build fetches, and was not fetched (`asset_missing`).
    """
    assets = _assets()
    if name not in assets:
        raise ConfigurationError(f"{name} is not there: `make setup` fetches it", code="asset_missing")
    return f"/assets/{assets[name].digest}/{name}"


@routes.at("GET", "/assets/{digest}/{name}", listed=False)
async def show(digest: str, name: str) -> Response:
    """An asset; one of another content is not there any more."""
    asset = _assets().get(name)
    if asset is None or asset.digest != digest:
        raise NotFound("there is no such file: load the page again")
    return Response(HTTPStatus.OK, (("content-type", asset.kind), *_FOREVER), asset.body)


@cache
def _assets() -> dict[str, Asset]:
    style = b"\n".join((_HERE / "static" / "css" / f"{part}.css").read_bytes() for part in _STYLES)
    found = {"atlas.css": _asset(style, "text/css"), "icon.svg": _asset(_icon(), "image/svg+xml")}
    places = [*((_HERE / "static" / "js", name) for name in _SCRIPTS), *((_HERE / "vendor", one) for one in _VENDORED)]
    for folder, name in places:
        if (folder / name).exists():
            found[name] = _asset((folder / name).read_bytes(), "text/javascript")
    return found


def _icon() -> bytes:
    return (_HERE / "static" / "icon.svg").read_bytes()


def _asset(body: bytes, kind: str) -> Asset:
    return Asset(body, f"{kind}; charset=utf-8", sha256(body).hexdigest()[:16])
