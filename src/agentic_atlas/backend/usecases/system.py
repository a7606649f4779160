"""How the network is, for machines and for whoever watches over it. Counts only: no names."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product

import msgspec

from agentic_atlas.auth import Jwk, jwks
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.protocol.tasks import TaskState

_DAY = 86_400


class Expires(StrEnum):
    """How soon a token ends."""

    EXPIRED = "expired"
    """Not soon: its agent finishes what it runs."""
    DAY = "within_1d"
    WEEK = "within_7d"
    """And not within a day."""
    LATER = "later"


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


class TokensInUse(msgspec.Struct, frozen=True):
    """Tokens that agents are connected with."""

    next_expiry: float | None
    """Seconds until the first of them ends; below 0: it did. None without any."""
    ending: Mapping[tuple[Expires, bool], int]
    """How many end within which time; True: those that their agents may renew by themselves."""


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
    oldest = max((seconds for _, seconds in engine.credit.beats.oldest_results()), default=0.0)
    return Figures(engine.monitor.content, findings.now(), ever, engine.dispatcher.census.states(), oldest)


@use_case
async def tokens_in_use(who: Principal | None, engine: Engine) -> TokensInUse:
    """Return how soon tokens end that agents are connected with; unlike the figures it walks over all of them."""
    now, held = engine.clock(), engine.access.in_use()
    ending = dict.fromkeys(product(Expires, (False, True)), 0)
    for token in held:
        ending[_expires(token.ends_at - now), token.renewable] += 1
    return TokensInUse(min((token.ends_at - now for token in held), default=None), ending)


def _expires(seconds: float) -> Expires:
    if seconds <= 0:
        return Expires.EXPIRED
    return Expires.DAY if seconds <= _DAY else Expires.WEEK if seconds <= 7 * _DAY else Expires.LATER
