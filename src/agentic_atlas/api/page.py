"""Where things are: `/`, and `/docs`, made from the OpenAPI document in plain HTML that loads nothing."""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from http import HTTPStatus
from json import dumps
from typing import Any

import msgspec

from agentic_atlas._version import __version__
from agentic_atlas.api.describe import Document
from agentic_atlas.http.accept import prefers
from agentic_atlas.http.messages import Request, Response, json
from agentic_atlas.http.routes import RouteGroup
from agentic_atlas.http.whereabouts import HOME_PAGE

routes = RouteGroup("system")

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } h3 { margin: 2rem 0 .25rem; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8886; border-radius: .4rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .15rem 1rem .15rem 0; vertical-align: top; }
"""

_STYLE_DIGEST = b64encode(sha256(_STYLE.encode()).digest()).decode()
_OF_PAGE = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        # The one style there is, by its content (CSP 3 section 2.3.1): what is put into a page by trickery has none.
        f"default-src 'none'; style-src 'sha256-{_STYLE_DIGEST}'; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
)
_PLACES = {
    HOME_PAGE: "the platform, for people; `/login` leads there",
    "/docs": "the HTTP API, for people",
    "/api/v1/openapi.json": "the same for programs (OpenAPI)",
    "/healthz": "how this process is",
    "/metrics": "counts for Prometheus",
    "/metrics/agents": "when the tokens of agents end, for Prometheus with an API key",
}


class Start(msgspec.Struct):
    """Where things are."""

    name: str
    version: str
    places: dict[str, str]
    """Paths, and what is there."""


@routes.at("GET", "/", answers=Start)
async def start(request: Request) -> Response:
    """Tell what this is and where things are; a browser is led to the platform."""
    if prefers(request.all("accept"), "text/html", "application/json"):
        return Response(HTTPStatus.SEE_OTHER, [("location", HOME_PAGE), ("cache-control", "no-store")])
    return json(Start("Agentic Atlas", __version__, _PLACES))


@routes.at("GET", "/docs", listed=False)
async def docs(document: Document) -> Response:
    """The API, operation by operation."""
    return _html("\n".join(_page(document.value)))


@routes.at("GET", "/api/v1/openapi.json", listed=False)
async def show(document: Document) -> Response:
    """The API, for programs."""
    return Response(fields=[("content-type", "application/json")], body=msgspec.json.encode(document.value))


def _html(page: str) -> Response:
    return Response(fields=_OF_PAGE, body=page.encode())


def _head(title: str) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
    yield f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style><h1>{escape(title)}</h1>'


def _page(document: dict[str, Any]) -> Iterator[str]:
    yield from _head(f"{document['info']['title']} {document['info']['version']}: HTTP API")
    yield f"<p>{escape(document['info']['description'])} Send your API key as "
    yield "<code>Authorization: Bearer atlas_…</code>. For programs: "
    yield '<a href="/api/v1/openapi.json">openapi.json</a>.</p><h2>Operations</h2>'
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield from _operation(method.upper(), path, operation)
    yield "<h2>Bodies and answers</h2>"
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield f'<h3 id="{escape(name)}">{escape(name)}</h3><pre>{escape(dumps(schema, indent=2))}</pre>'


def _operation(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"<h3><code>{method} {escape(path)}</code></h3><p>{escape(operation.get('description', ''))}</p><table>"
    for parameter in operation.get("parameters", ()):
        where = parameter["in"] + (", required" if parameter.get("required") else "")
        yield f"<tr><td><code>{escape(parameter['name'])}</code><td>{where}"
        yield f"<td>{escape(parameter.get('description', ''))}"
    yield f"<tr><td>body<td>{_link(operation.get('requestBody', {}))}" if "requestBody" in operation else ""
    alike: dict[str, list[str]] = {}
    for status, answer in operation.get("responses", {}).items():
        alike.setdefault(_link(answer), []).append(escape(status))
    for link, statuses in alike.items():
        yield f"<tr><td>{', '.join(statuses)}<td>{link}"
    yield "</table>"


def _link(described: dict[str, Any]) -> str:
    """Return a link to the schema of a body, or nothing when it has none."""
    for content in described.get("content", {}).values():
        name = str(content.get("schema", {}).get("$ref", "")).rpartition("/")[2]
        if name:
            return f'<a href="#{escape(name)}">{escape(name)}</a>'
    return escape(described.get("description", ""))
