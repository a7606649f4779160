"""Tasks that would not wait for an agent that is offline, when it goes away while they wait for a slot of it."""

from contextlib import suppress
from functools import partial

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.deadlines import OFFLINE
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine.backend import Backend
from agentic_atlas.errors import Busy, Unavailable


def absent(backend: Backend, agent_id: str) -> None:
    """No instance of the agent has been there for one grace period: fail what waits for it and would not."""
    for task in backend.dispatcher.census.impatient(agent_id):
        backend.dispatcher.insist(task.id, partial(_unclaimed, now=backend.clock()))


def nobody_came(backend: Backend) -> None:
    """The grace period after a start is over: nobody is expected any more."""
    backend.returning.over()
    for agent_id in backend.dispatcher.census.waited_for():
        if not backend.fleet.online(agent_id):
            absent(backend, agent_id)


async def left_meanwhile(backend: Backend, task: Task) -> None:
    """The agent was there when the task was accepted, and is not now that it is stored: fail it unless it comes."""
    if backend.fleet.online(task.agent_id) or backend.returning.expected(task.agent_id):
        return
    # One that can't be stored now ends when the agent has been away for long enough.
    with suppress(Unavailable, Busy):
        await backend.dispatcher.apply(task.id, partial(_unclaimed, now=backend.clock()))


def _unclaimed(task: Task, *, now: float) -> lifecycle.Change | None:
    return lifecycle.give_up(task, OFFLINE, now) if task.impatient else None
