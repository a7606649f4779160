"""Why a task waits, or has not ended yet, in a sentence: what it waits for, and for whom."""

from datetime import UTC, datetime

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.services.backend import Backend
from agentic_atlas.protocol.tasks import TaskState

_QUESTION = 200
"""Characters of a question in a note."""


async def note(backend: Backend, task: Task) -> str | None:
    """Return the sentence; None when there is nothing to say, as of a task that runs or has ended."""
    question = next(iter(task.dialogue.open), None)
    if question is not None:
        return f"waits for an answer to question {question.number}: {question.text[:_QUESTION]}"
    if task.state is TaskState.SUBMITTED:
        return f"queued: {await _queued(backend, task)}"
    if task.terminal:
        return None
    if task.cancel_reason is not None:
        return "is asked to stop: its agent has not answered yet"
    return _waits_for(backend, task)


async def _queued(backend: Backend, task: Task) -> str:
    if backend.fleet.online(task.agent_id):
        if backend.dispatcher.offers.able(task.agent_id, task.skill) == frozenset():
            return f"no connected instance of the agent has the skill {task.skill}"
        return f"all instances of the agent are busy ({slots(backend, task.agent_id)})"
    if backend.returning.expected(task.agent_id):
        return "the server has just started, and the agent is on its way back"
    agent = await backend.store.agents.get(task.agent_id)
    seen = agent.last_seen_at if agent else None
    when = "never connected" if seen is None else f"last seen {datetime.fromtimestamp(seen, UTC):%Y-%m-%d %H:%M:%SZ}"
    return f"agent offline, {when}"


def slots(backend: Backend, agent_id: str) -> str:
    """Return how many of an agent's slots are used."""
    usage = backend.fleet.usage(agent_id)
    return f"{sum(one.used for one in usage)} of {sum(one.slots for one in usage)} slots used"


def _waits_for(backend: Backend, task: Task) -> str | None:
    """Say which tasks a running one has called, and what the first of them waits for."""
    called = sorted(backend.dispatcher.census.called(task.id), key=lambda one: one.id)
    if not called:
        return None
    first = called[0]
    more = f" and {len(called) - 1} more" if len(called) > 1 else ""
    queued = f", which is queued ({slots(backend, first.agent_id)})" if first.state is TaskState.SUBMITTED else ""
    return f"waits for {first.agent}.{first.skill} ({first.id}){more}{queued}"
