"""What happens to a task when time passes, as pure functions; the SDK keeps the same limits, these stand behind it."""

import math

from agentic_atlas.backend.domain.lifecycle import Change, expire_question, force
from agentic_atlas.backend.domain.records import Task, TaskFailure
from agentic_atlas.protocol.tasks import LEASED, TaskState

MARGIN = 5.0
"""Seconds an agent has to say itself that a timeout or deadline is over, before the backend says it."""

CANCEL_WITHIN = 10.0
"""Seconds an agent has to answer a cancel; then the task ends canceled without it."""


def due_at(task: Task, now: float) -> float | None:
    """Return when time alone will change something about the task, or None when it never will.

    A retry whose time has come is not due any more: from then on it only waits for a free slot.
    """
    if task.terminal:
        return None
    first = min(_deadline(task), _timeout(task), _cancel(task), _queue(task), _retry(task, now), _question(task))
    return None if math.isinf(first) else first


def expire(task: Task, now: float) -> Change | None:
    """End the task for whatever limit is over, or else an open question of it; None when nothing is over."""
    for limit, error in (
        (_deadline(task), DEADLINE),
        (_timeout(task), TIMEOUT),
        (_cancel(task), TaskFailure("canceled", task.cancel_reason or "")),
        (_queue(task), OFFLINE),
    ):
        if now >= limit:
            return force(task, None, error, now)
    return expire_question(task, now)


DEADLINE = TaskFailure("deadline_exceeded", "the task's deadline is over")
TIMEOUT = TaskFailure("timeout", "the skill ran longer than its timeout")
OFFLINE = TaskFailure(
    "agent_offline", "no instance of the agent took the task in time: start one, or let tasks wait longer (queue_ttl)"
)


def _deadline(task: Task) -> float:
    if task.deadline is None:
        return math.inf
    return task.deadline + (MARGIN if task.state in LEASED else 0.0)


def _timeout(task: Task) -> float:
    """The time in which the task waits for a person does not count."""
    if task.timeout is None or task.accepted_at is None or task.state is not TaskState.WORKING:
        return math.inf
    return task.accepted_at + task.timeout + task.dialogue.waited + MARGIN


def _cancel(task: Task) -> float:
    return math.inf if task.cancel_at is None else task.cancel_at + CANCEL_WITHIN


def _queue(task: Task) -> float:
    if task.queue_expires_at is None or task.state is not TaskState.SUBMITTED:
        return math.inf
    return task.queue_expires_at


def _retry(task: Task, now: float) -> float:
    if task.not_before is None or task.not_before <= now or task.state is not TaskState.SUBMITTED:
        return math.inf
    return task.not_before


def _question(task: Task) -> float:
    expiry = task.dialogue.expiry() if task.dialogue.questions else None
    return math.inf if expiry is None else expiry
