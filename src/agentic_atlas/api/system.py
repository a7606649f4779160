"""Routes for machines: keys, health, readiness. No credentials needed."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from agentic_atlas._version import __version__
from agentic_atlas.api import metrics
from agentic_atlas.api.describe import describe
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.usecases import system
from agentic_atlas.http.answers import Json
from agentic_atlas.http.requests import Parts

router = APIRouter(tags=["system"])


class KeySet(msgspec.Struct):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


@router.get("/.well-known/jwks.json", **describe(answers=KeySet))
async def keys(application: Parts) -> Response:
    """The public keys that agent tokens are signed with (RFC 7517)."""
    return Json(await system.key_set(None, application), headers={"Cache-Control": "max-age=60"})


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


@router.get("/healthz", **describe(answers=Health))
async def health(application: Parts) -> Response:
    """The process is alive; and whether something in it hangs."""
    now = await system.health(None, application)
    return Json(Health("ok" if now.well else "degraded", __version__, now.lasting, now.ever))


@router.get("/metrics", **describe(text=metrics.MEDIA_TYPE))
async def scrape(application: Parts) -> Response:
    """The state of the network for Prometheus, in its text format 0.0.4; counts only, no names."""
    return Response(metrics.exposition(await system.figures(None, application)), media_type=metrics.MEDIA_TYPE)


@router.get("/readyz", **describe(answers=Readiness))
async def ready(application: Parts) -> Response:
    """The store answers; 503 otherwise."""
    await system.ready(None, application)
    return Json(Readiness("ready"))
