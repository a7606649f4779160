"""How the network is, for machines and for whoever watches over it. Counts only: no names."""

from collections.abc import Mapping

import msgspec

from agentic_atlas.auth import Jwk, jwks
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.protocol.tasks import TaskState


class Figures(msgspec.Struct, frozen=True):
    """What the network is doing, and whether something hangs."""

    well: bool
    """No invariant is violated for long by a fault of the network itself."""
    lasting: Mapping[Invariant, int]
    """How many violations there are now, of each kind."""
    ever: Mapping[Invariant, int]
    """How many there were since the start."""
    open_tasks: Mapping[TaskState, int]
    oldest_result: float
    """Seconds for which a connected agent has kept its oldest result; 0 when none keeps one."""


@use_case
async def key_set(who: Principal | None, engine: Engine) -> list[Jwk]:
    """Return the public keys that agent tokens are signed with (RFC 7517)."""
    return jwks(engine.keys, engine.clock())


@use_case
async def ready(who: Principal | None, engine: Engine) -> None:
    """Return when the store answers; raises Unavailable otherwise."""
    await engine.store.ready()


@use_case
async def figures(who: Principal | None, engine: Engine) -> Figures:
    """Return what is so at this moment."""
    findings = engine.monitor.findings
    ever = {invariant: findings.ever[invariant] for invariant in Invariant}
    oldest = max((seconds for _, seconds in engine.credit.beats.oldest_results()), default=0.0)
    return Figures(engine.monitor.content, findings.now(), ever, engine.dispatcher.census.states(), oldest)
