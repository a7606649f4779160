"""Routes for machines: keys, health, readiness. No credentials needed."""

from fastapi import APIRouter
from starlette.responses import Response

from agentic_atlas._version import __version__
from agentic_atlas.auth import jwks
from agentic_atlas.backend.api.answers import Json
from agentic_atlas.backend.api.requests import Parts

router = APIRouter(tags=["system"])


@router.get("/.well-known/jwks.json")
async def keys(backend: Parts) -> Response:
    """The public keys that agent tokens are signed with (RFC 7517)."""
    return Json(jwks(backend.keys, backend.clock()), headers={"Cache-Control": "max-age=60"})


@router.get("/healthz")
async def health() -> Response:
    """The process is alive."""
    return Json({"status": "ok", "version": __version__})


@router.get("/readyz")
async def ready(backend: Parts) -> Response:
    """The store answers; 503 otherwise."""
    await backend.store.ready()
    return Json({"status": "ready"})
