"""Routes for machines: keys, health, readiness. No credentials needed, but for what has names."""

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import Field

from agentic_atlas._version import __version__
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import metrics, system
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.routes import HEADER, RouteGroup
from agentic_atlas.observe.exposition import MEDIA_TYPE, exposition
from agentic_atlas.observe.series import ALL, WITH_NAMES, Series, SeriesSample

KEPT: Final = 60
"""Seconds for which the key set may be kept by whoever asked for it: a key that was withdrawn counts there as long."""

routes = RouteGroup("system")


class KeySet(msgspec.Struct):
    """A JWK set (RFC 7517)."""

    keys: Sequence[Mapping[str, Any]]


@routes.at("GET", "/.well-known/jwks.json", answers=KeySet, instead=HTTPStatus.NOT_MODIFIED)
async def keys(
    application: Application, if_none_match: Annotated[str | None, Field(max_length=1_000), HEADER] = None
) -> Response:
    """The public keys that agent tokens are signed with (RFC 7517); may be kept for a minute."""
    body = msgspec.json.encode(KeySet(await system.key_set(None, application)))
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    fields = [("content-type", "application/json"), ("cache-control", f"public, max-age={KEPT}"), ("etag", tag)]
    known = {one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")}
    if known & {tag, "*"}:
        return Response(HTTPStatus.NOT_MODIFIED, fields[1:])
    return Response(fields=fields, body=body)


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
    agent_logs: str
    """`kept`, or the code of the error because of which lines of agents' logs are not kept at present. No task is
    touched by that, and the status stays."""


@routes.at("GET", "/healthz", answers=Health)
async def health(application: Application) -> Response:
    """The process is alive; and whether something in it hangs."""
    now = await system.figures(None, application)
    return json(Health("ok" if now.well else "degraded", __version__, now.lasting, now.ever, now.logs or "kept"))


@routes.at("GET", "/metrics", text=MEDIA_TYPE)
async def scrape(application: Application, who: Principal) -> Response:
    """What the whole network does, for Prometheus in its text format 0.0.4; administrators only."""
    return await _told(ALL, await metrics.read(who, application))


@routes.at("GET", "/metrics/agents", text=MEDIA_TYPE)
async def scrape_agents(application: Application, who: Principal) -> Response:
    """How soon the tokens end that agents are connected with, for Prometheus in its text format 0.0.4.

    A series for each agent whose tokens one may see; the 200 whose tokens end first.
    """
    return await _told(WITH_NAMES, await metrics.token_ends(who, application))


@routes.at("GET", "/readyz", answers=Readiness)
async def ready(application: Application) -> Response:
    """The store answers; 503 otherwise."""
    await system.ready(None, application)
    return json(Readiness("ready"))


async def _told(declared: Sequence[Series], samples: Sequence[SeriesSample]) -> Response:
    # Thousands of lines take tens of milliseconds, in which nobody should wait for the loop.
    body = await asyncio.to_thread(exposition, declared, samples)
    return Response(fields=[("content-type", MEDIA_TYPE)], body=body)
