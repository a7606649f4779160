"""Routes for machines: keys, health, readiness. No credentials needed."""

from typing import Any, Literal

import msgspec
from fastapi import APIRouter
from starlette.responses import Response

from agentic_atlas._version import __version__
from agentic_atlas.api import metrics
from agentic_atlas.api.describe import describe
from agentic_atlas.auth import jwks
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.http.answers import Json
from agentic_atlas.http.requests import Parts

router = APIRouter(tags=["system"])


class KeySet(msgspec.Struct):
    """A JWK set (RFC 7517)."""

    keys: list[dict[str, Any]]


@router.get("/.well-known/jwks.json", **describe(answers=KeySet))
async def keys(engine: Parts) -> Response:
    """The public keys that agent tokens are signed with (RFC 7517)."""
    return Json(jwks(engine.keys, engine.clock()), headers={"Cache-Control": "max-age=60"})


class Readiness(msgspec.Struct):
    """The store answers."""

    status: Literal["ready"]


class Health(msgspec.Struct):
    """How the process is. It answers at all, so it is alive: the status is always 200."""

    status: Literal["ok", "degraded"]
    """`degraded` while an invariant is violated: a fault of the network itself, which its log tells more of."""
    version: str
    invariants: dict[Invariant, int]
    """How many violations there are now, of each kind."""
    violations: dict[Invariant, int]
    """How many there were since the start."""


@router.get("/healthz", **describe(answers=Health))
async def health(engine: Parts) -> Response:
    """The process is alive; and whether something in it hangs."""
    findings = engine.monitor.findings
    ever = {invariant: findings.ever[invariant] for invariant in Invariant}
    return Json(Health("ok" if engine.monitor.content else "degraded", __version__, findings.now(), ever))


@router.get("/metrics", **describe(text=metrics.MEDIA_TYPE))
async def scrape(engine: Parts) -> Response:
    """The state of the network for Prometheus, in its text format 0.0.4; counts only, no names."""
    return Response(metrics.exposition(engine), media_type=metrics.MEDIA_TYPE)


@router.get("/readyz", **describe(answers=Readiness))
async def ready(engine: Parts) -> Response:
    """The store answers; 503 otherwise."""
    await engine.store.ready()
    return Json(Readiness("ready"))
