"""Routes for machines: keys, health, readiness. No credentials needed."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from agentic_atlas._version import __version__
from agentic_atlas.api import metrics
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.usecases import system
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import RouteGroup

routes = RouteGroup("system")


class KeySet(msgspec.Struct):
    """A JWK set (RFC 7517)."""

    keys: Sequence[Mapping[str, Any]]


@routes.at("GET", "/.well-known/jwks.json", answers=KeySet)
async def keys(application: Application) -> Response:
    """The public keys that agent tokens are signed with (RFC 7517)."""
    fields = [("content-type", "application/json"), ("cache-control", "max-age=60")]
    return Response(fields=fields, body=msgspec.json.encode(KeySet(await system.key_set(None, application))))


class Readiness(msgspec.Struct):
    """The store answers."""

    status: Literal["ready"]


class Health(msgspec.Struct):
    """How the process is. It answers at all, so it is alive: the status is always 200."""

    status: Literal["ok", "degraded"]
    """`degraded` while an invariant is violated: a fault of the network itself, which its log tells more of."""
    version: str
    invariants: Mapping[Invariant, int]
    """How many violations there are now, of each kind."""
    violations: Mapping[Invariant, int]
    """How many there were since the start."""


@routes.at("GET", "/healthz", answers=Health)
async def health(application: Application) -> Response:
    """The process is alive; and whether something in it hangs."""
    now = await system.figures(None, application)
    return json(Health("ok" if now.well else "degraded", __version__, now.lasting, now.ever))


@routes.at("GET", "/metrics", text=metrics.MEDIA_TYPE)
async def scrape(application: Application) -> Response:
    """The state of the network for Prometheus, in its text format 0.0.4; counts only, no names."""
    fields = [("content-type", metrics.MEDIA_TYPE)]
    in_use = await system.tokens_in_use(None, application)
    return Response(fields=fields, body=metrics.exposition(await system.figures(None, application), in_use))


@routes.at("GET", "/readyz", answers=Readiness)
async def ready(application: Application) -> Response:
    """The store answers; 503 otherwise."""
    await system.ready(None, application)
    return json(Readiness("ready"))
