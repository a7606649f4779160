"""How the network is, for machines and for whoever watches over it. Counts only, and names to who may have them."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from typing import Final

import msgspec
from msgspec.structs import replace

from agentic_atlas.auth import Jwk, jwks
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import AgentToken, Principal, Visible
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.caller.system import LimitInfo, ServerInfo
from agentic_atlas.protocol.tasks import TaskState

_DAY = 86_400
_PAGE = 500
MOST_ENDS: Final = 200
"""Agents of which it is told when their tokens end."""


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


class TokenEnd(msgspec.Struct, frozen=True):
    """When the first of the tokens ends that an agent is connected with."""

    agent: str
    """Its full name."""
    seconds: float
    """Until then; below 0: it did, and the agent finishes what it runs."""
    renewable: bool
    """The agent may renew it by itself before."""


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


@use_case
async def token_ends(who: Principal, engine: Engine) -> list[TokenEnd]:
    """Return when the tokens end with which agents are connected that they manage: of each agent the first that does.

    The soonest come first; of more than `MOST_ENDS` agents the others are left out.
    """
    first: dict[str, AgentToken] = {}
    for token in sorted(engine.access.in_use(), key=lambda one: one.ends_at):
        first.setdefault(token.agent_id, token)
    if who.visible.user_id is not None:
        theirs = await _managed(engine, who.visible)
        first = {agent_id: token for agent_id, token in first.items() if agent_id in theirs}
    now, found = engine.clock(), list(first.values())[:MOST_ENDS]
    agents = [await engine.store.agents.get(token.agent_id) for token in found]
    named = zip(found, agents, strict=True)
    return [TokenEnd(agent.full_name, token.ends_at - now, token.renewable) for token, agent in named if agent]


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


async def _managed(engine: Engine, visible: Visible) -> set[str]:
    """Return the ids of the agents that somebody manages."""
    theirs: set[str] = set()
    after = None
    while page := await engine.store.agents.find(visible, limit=_PAGE, after=after):
        theirs |= {agent.id for agent in page if visible.may(agent, AccessLevel.MANAGE)}
        after = page[-1].full_name
    return theirs


def _expires(seconds: float) -> Expires:
    if seconds <= 0:
        return Expires.EXPIRED
    return Expires.DAY if seconds <= _DAY else Expires.WEEK if seconds <= 7 * _DAY else Expires.LATER
