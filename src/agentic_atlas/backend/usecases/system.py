"""How the network is, for machines and for whoever watches over it: counts only, and no names."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import Jwk, jwks
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo


class Figures(msgspec.Struct, frozen=True):
    """Whether something hangs."""

    well: bool
    """No invariant is violated for long by a fault of the network itself."""
    lasting: Mapping[Invariant, int]
    """How many violations there are now, of each kind."""
    ever: Mapping[Invariant, int]
    """How many there were since the start."""
    logs: str | None
    """Code of the error because of which lines of agents' logs are not kept at present; None: they are."""


@use_case
async def key_set(who: Principal | None, engine: Engine) -> list[Jwk]:
    """Return the public keys that agent tokens are signed with (RFC 7517)."""
    return jwks(engine.signing.ring, engine.clock())


@use_case
async def ready(who: Principal | None, engine: Engine) -> None:
    """Return when the store answers; raises Unavailable otherwise."""
    await engine.store.ready()


@use_case
async def figures(who: Principal | None, engine: Engine) -> Figures:
    """Return what is so at this moment."""
    findings = engine.monitor.findings
    ever = {invariant: findings.ever[invariant] for invariant in Invariant}
    logs = "logs_not_kept" if engine.logs is None else engine.logs.trouble
    return Figures(engine.monitor.content, findings.now(), ever, logs)


@use_case
async def limits(who: Principal, engine: Engine) -> list[LimitInfo]:
    """Return the limits that are in force, and how much of them is used where that is counted.

    None where there is no server, as in a test kit.
    """
    used = {f"OpenLimits.{name}": count for name, count in engine.dispatcher.census.usage(who.caller).items()}
    used["RouterSettings.max_connections"] = len(engine.access.in_use())
    found = await engine.server.limits() if engine.server else ()
    return [replace(one, used=used.get(f"{one.part}.{one.name}")) for one in found]


@use_case
async def about(who: Principal, engine: Engine) -> ServerInfo:
    """Return what the server is; where its data is, to administrators alone.

    Raises Unavailable where there is no server, as in a test kit (`no_server`).
    """
    if engine.server is None:
        raise Unavailable("this network has no server of its own", code="no_server")
    found = await engine.server.about(await engine.store.counts())
    return found if who.user.administers else replace(found, data_dir="")
