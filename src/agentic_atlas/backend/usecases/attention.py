"""What needs whoever asks: questions, tokens that end, agents that are gone, and what hangs in the network itself."""

from collections.abc import Iterator
from typing import Final

from agentic_atlas.backend.domain.audit import BROKEN
from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import AuditFilter, TaskFilter
from agentic_atlas.backend.rights import Principal, Right, may, seen_by
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.backend.usecases.shown import maybe, moment
from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.tasks import TaskState

ENDS_SOON: Final = 7 * 86_400.0
"""Seconds before its end from which on a token is told of."""
GONE_AFTER: Final = 120.0
"""Seconds for which an agent was not heard that is told of; who restarts is back before."""
GONE_FOR: Final = 7 * 86_400.0
"""Seconds after which an agent that is gone is told of no more: it is not missed."""
BROKEN_FOR: Final = 30 * 86_400.0
"""Seconds for which it is told that the audit log was found broken."""
MOST_OF_A_KIND: Final = 50
"""Items of each kind in an answer."""

_QUESTION: Final = 200
_MOST_LOOKED_AT: Final = 500
_FOUND: Final = {
    Invariant.RUNNING_WITHOUT_LEASE: "tasks run whose loss nobody would notice",
    Invariant.WAITING_BESIDE_FREE_SLOTS: "agents have a free slot, and a task that waits for them is not begun",
    Invariant.SLOT_KEPT_FOR_NOTHING: "slots of agents are kept, and no task is on its way to them",
    Invariant.ATTEMPT_NOT_RUNNING: "agents do not name an attempt that takes one of their slots",
    Invariant.RESULT_OVERDUE: "agents keep a result for longer than storing one may take",
}


@use_case
async def find(who: Principal, engine: Engine) -> list[AttentionItem]:
    """Return what needs them, as far as their role and what they have shown are good for doing it."""
    found: list[AttentionItem] = []
    if may(who, Right.READ_AUDIT):
        found += [*_findings(engine), *await _broken(engine)]
    if may(who, Right.WRITE_TASKS) and may(who, Right.READ_TASKS):
        found += await _questions(who, engine)
    if may(who, Right.READ_TOKENS):
        found += await _tokens(who, engine)
    return found + await _gone(who, engine)


def _findings(engine: Engine) -> Iterator[AttentionItem]:
    for invariant, count in engine.monitor.findings.now().items():
        if count:
            yield AttentionItem(
                kind="finding",
                subject=invariant.value,
                since=None,
                until=None,
                what=f"{_FOUND[invariant]}: {count} now",
                todo="look for invariant_violated in the server's log, and report what it says: a fault of the network",
            )


async def _broken(engine: Engine) -> list[AttentionItem]:
    which = AuditFilter(action=BROKEN, since=engine.clock() - BROKEN_FOR)
    return [
        AttentionItem(
            kind="finding",
            subject="audit_broken",
            since=row.at,
            until=None,
            what=f"the audit log was found broken (row {row.seq}): {row.detail.get('why', '')}",
            todo="see what is wrong with it, and who could write in the data folder: atlas audit verify",
        )
        for row in await engine.store.audit.find(which, limit=1)
    ]


async def _questions(who: Principal, engine: Engine) -> list[AttentionItem]:
    which = TaskFilter(who.visible, states=(TaskState.INPUT_REQUIRED,))
    waiting, _ = await engine.store.tasks.find(which, limit=MOST_OF_A_KIND)
    found = []
    for one in waiting:
        task = await engine.store.tasks.get(one.task.id)
        if task is None or not task.dialogue.open or who.acts_on.key_id not in (None, task.caller.id):
            continue
        question = task.dialogue.open[0]
        found.append(
            AttentionItem(
                kind="question",
                subject=task.id,
                since=moment(question.asked_at),
                until=maybe(question.expires_at),
                what=f"{task.agent} asks: {question.text[:_QUESTION]}",
                todo=f"answer it: atlas tasks answer {task.id}",
            )
        )
    return found


async def _tokens(who: Principal, engine: Engine) -> list[AttentionItem]:
    now = engine.clock()
    renewed = {token.id for token in engine.access.in_use() if token.renewable}
    ending = await engine.store.attention.ending(seen_by(who.user), now, now + ENDS_SOON, limit=_MOST_LOOKED_AT)
    return [
        AttentionItem(
            kind="token",
            subject=agent.full_name,
            since=None,
            until=moment(token.expires_at),
            what=f"the token {token.name or token.id} of {agent.full_name} ends soon, and nothing renews it",
            todo=f"make one in its place: atlas tokens rotate {agent.full_name}",
        )
        for token, agent in ending
        # An agent that is connected has another one in time by itself.
        if token.id not in renewed
    ][:MOST_OF_A_KIND]


async def _gone(who: Principal, engine: Engine) -> list[AttentionItem]:
    now = engine.clock()
    unseen = await engine.store.attention.unseen(
        seen_by(who.user), now - GONE_FOR, now - GONE_AFTER, limit=_MOST_LOOKED_AT
    )
    return [
        AttentionItem(
            kind="agent",
            subject=agent.full_name,
            since=maybe(agent.last_seen_at),
            until=None,
            what=f"{agent.full_name} was connected, and is not any more",
            todo=f"start it where it ran, or see what it says: atlas agents show {agent.full_name}",
        )
        for agent in unseen
        if not engine.credit.online(agent.id)
    ][:MOST_OF_A_KIND]
