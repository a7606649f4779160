"""What Prometheus reads: what a network does and how it is, gathered anew for each scrape from what is known anyway."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from itertools import product
from typing import Final

import msgspec

from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.rights import AgentToken, Principal, Visible
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.observe import series
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.protocol.tasks import Holdup

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


class TokensInUse(msgspec.Struct, frozen=True):
    """Tokens that agents are connected with."""

    next_expiry: float | None
    """Seconds until the first of them ends; below 0: it did. None without any."""
    ending: Mapping[tuple[Expires, bool], int]
    """How many end within which time; True: those that their agents may renew by themselves."""


@use_case
async def read(who: Principal, engine: Engine) -> list[SeriesSample]:
    """Return everything that `observe.series.GROUPS` lists, of all users together, as it is at this moment."""
    process = engine.server.samples() if engine.server else ()
    tokens = _tokens(tokens_in_use(engine.access.in_use(), engine.clock()))
    return [*engine.outcomes.samples(), *_work(engine), *_logs(engine), *_watched(engine), *tokens, *process]


@use_case
async def token_ends(who: Principal, engine: Engine) -> list[SeriesSample]:
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
    return [
        SeriesSample(series.AGENT_TOKEN_EXPIRY, token.ends_at - now, (agent.full_name, _yes(token.renewable)))
        for token, agent in zip(found, agents, strict=True)
        if agent is not None
    ]


def tokens_in_use(held: Collection[AgentToken], now: float) -> TokensInUse:
    """Return how soon these tokens end."""
    ending = dict.fromkeys(product(Expires, (False, True)), 0)
    for token in held:
        ending[_expires(token.ends_at - now), token.renewable] += 1
    return TokensInUse(min((token.ends_at - now for token in held), default=None), ending)


def _work(engine: Engine) -> Iterator[SeriesSample]:
    """What is open, and who could do it."""
    census = engine.dispatcher.census
    held_up, used, slots = engine.credit.totals()
    for state, number in census.states().items():
        yield SeriesSample(series.OPEN_TASKS, number, (state.value,))
    yield SeriesSample(series.QUEUES, len(census.queues.agents()))
    yield SeriesSample(series.QUEUE_LONGEST, census.queues.longest())
    oldest = census.queues.oldest()
    yield SeriesSample(series.QUEUE_OLDEST, 0.0 if oldest is None else max(0.0, engine.clock() - oldest))
    for holdup in (None, *Holdup):
        yield SeriesSample(series.INSTANCES, held_up[holdup], ("none" if holdup is None else holdup.value,))
    yield SeriesSample(series.SLOTS, used, ("used",))
    yield SeriesSample(series.SLOTS, slots - used, ("free",))
    yield SeriesSample(series.EVENT_STREAMS, len(engine.watchers), ("task",))
    yield SeriesSample(series.EVENT_STREAMS, len(engine.changes), ("changes",))


def _logs(engine: Engine) -> Iterator[SeriesSample]:
    """What is kept of agents' logs; nothing where none are."""
    if engine.logs is not None:
        yield SeriesSample(series.LOG_LINES_KEPT, engine.logs.kept)
        yield SeriesSample(series.LOG_LINES_DROPPED, engine.logs.dropped)
        yield SeriesSample(series.LOGS_REFUSED, int(engine.logs.trouble is not None))
        yield SeriesSample(series.EVENT_STREAMS, len(engine.logs.tail), ("logs",))


def _watched(engine: Engine) -> Iterator[SeriesSample]:
    """What must not be, and what is to be proved."""
    findings, trail = engine.monitor.findings, engine.trail
    for invariant, number in findings.now().items():
        yield SeriesSample(series.INVARIANTS_VIOLATED, number, (invariant.value,))
        yield SeriesSample(series.INVARIANT_VIOLATIONS, findings.ever[invariant], (invariant.value,))
    oldest = max((seconds for _, seconds in engine.credit.beats.oldest_results()), default=0.0)
    yield SeriesSample(series.OLDEST_RESULT, oldest)
    yield SeriesSample(series.AUDIT_ROWS, trail.rows)
    yield SeriesSample(series.AUDIT_UNWRITTEN, len(trail.unwritten))
    yield SeriesSample(series.AUDIT_BROKEN, int(trail.broken))


def _tokens(in_use: TokensInUse) -> Iterator[SeriesSample]:
    for (expires, renewable), number in in_use.ending.items():
        yield SeriesSample(series.TOKENS_IN_USE, number, (expires.value, _yes(renewable)))
    if in_use.next_expiry is not None:
        yield SeriesSample(series.TOKEN_EXPIRY, in_use.next_expiry)


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


def _yes(so: bool) -> str:  # noqa: FBT001  # the word for it
    return "yes" if so else "no"
