"""Why a task waits, or has not ended yet, in a sentence: what it waits for, and for whom."""

import math
from datetime import UTC, datetime

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.protocol.tasks import Holdup, TaskState

_HELD_UP = {
    Holdup.DRAINING: "it is about to end",
    Holdup.BLOCKED: "its event loop is blocked, see its log",
    Holdup.REFUSED: "it gave a task back as busy, and is left alone for a moment",
    Holdup.BEHIND: "it has not read yet what was sent to it",
}

_QUESTION = 200
"""Characters of a question in a note."""


async def note(engine: Engine, task: Task) -> str | None:
    """Return the sentence; None when there is nothing to say, as of a task that runs or has ended.

    What happens to the task of an agent that stays away is asked of the rule that decides it then.
    """
    question = next(iter(task.dialogue.open), None)
    if question is not None:
        return f"waits for an answer to question {question.number}: {question.text[:_QUESTION]}"
    if task.state is TaskState.SUBMITTED:
        return f"queued: {await _queued(engine, task)}"
    if task.terminal:
        return None
    if task.cancel_reason is not None:
        return "is asked to stop: its agent has not answered yet"
    return _away(engine, task) or _waits_for(engine, task)


async def _queued(engine: Engine, task: Task) -> str:
    if engine.credit.online(task.agent_id):
        rest = (task.not_before or 0.0) - engine.clock()
        if rest > 0.0:
            return f"it begins again in {_seconds(rest)}"
        return _online(engine, task)
    if engine.absence.expected(task.agent_id):
        return "the server has just started, and the agent is on its way back"
    agent = await engine.store.agents.get(task.agent_id)
    seen = agent.last_seen_at if agent else None
    when = "never connected" if seen is None else f"last seen {datetime.fromtimestamp(seen, UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"agent offline, {when}"


def _online(engine: Engine, task: Task) -> str:
    able = engine.dispatcher.offers.able(task.agent_id, task.skill)
    if able == frozenset():
        return f"no connected instance of the agent has the skill {task.skill}"
    usage = [one for one in engine.credit.usage(task.agent_id) if able is None or one.instance_id in able]
    free = [one for one in usage if one.used < one.slots]
    if not free:
        return f"all instances of the agent are busy ({slots(engine, task.agent_id)})"
    held_up = [one.holdup for one in free if one.holdup is not None]
    if len(held_up) < len(free):
        return "an instance of the agent has a slot for it, and is given it next"
    instances = "its instance takes no" if len(usage) == 1 else "no instance with a free slot takes"
    reasons = ", or ".join(_HELD_UP[one] for one in dict.fromkeys(held_up))
    return f"{instances} tasks at the moment: {reasons}"


def _away(engine: Engine, task: Task) -> str | None:
    """Say what happens to a task whose instance is not connected."""
    left = engine.credit.awaits(task.agent_id, task.instance_id or "")
    lost = None if left is None else lifecycle.lose(task, task.attempt, engine.clock())
    if left is None or lost is None:
        return None
    error = lost.task.error
    then = f"ends with {error.code}" if lost.task.terminal and error else "is tried again"
    return f"its agent is away: it {then} unless the agent comes back within {_seconds(left)}"


def _seconds(seconds: float) -> str:
    return f"{math.ceil(seconds)} s"


def slots(engine: Engine, agent_id: str) -> str:
    """Return how many of an agent's slots are used."""
    usage = engine.credit.usage(agent_id)
    return f"{sum(one.used for one in usage)} of {sum(one.slots for one in usage)} slots used"


def _waits_for(engine: Engine, task: Task) -> str | None:
    """Say which tasks a running one has called, and what the first of them waits for."""
    called = sorted(engine.dispatcher.census.called(task.id), key=lambda one: one.id)
    if not called:
        return None
    first = called[0]
    more = f" and {len(called) - 1} more" if len(called) > 1 else ""
    queued = f", which is queued ({slots(engine, first.agent_id)})" if first.state is TaskState.SUBMITTED else ""
    return f"waits for {first.agent}.{first.skill} ({first.id}){more}{queued}"
