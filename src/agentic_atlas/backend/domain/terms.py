"""The terms of a task: the policy it is given, when they are over, and when two submits ask for the same.

The author of a skill knows what may happen twice, a caller does not: a caller may be stricter, never laxer. An agent
keeps the same limits itself; those here stand behind it.
"""

import hashlib
import math

import msgspec

from agentic_atlas.backend.domain.lifecycle import Change, expire_question, force
from agentic_atlas.backend.domain.records import Payload, Task, TaskFailure
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.tasks import TaskOptions
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import LEASED, TaskState

MARGIN = 5.0
"""Seconds an agent has to say itself that a timeout or deadline is over, before the backend says it."""

CANCEL_WITHIN = 10.0
"""Seconds an agent has to answer a cancel; then the task ends canceled without it."""

MOST_PARTS = 20_000
"""Arrays and objects in an input that is read for its digest."""


def effective(policy: Policy, asked: TaskOptions) -> Policy:
    """Return the policy of one task; what its caller leaves out is the skill's.

    Raises:
        InvalidInput: it would run a skill twice that must not (`unsafe_policy`).
    """
    if policy.delivery is Delivery.AT_MOST_ONCE and asked.delivery == "at_least_once":
        raise _unsafe("its author says that this skill must not run twice: leave out `delivery`")
    delivery = Delivery(asked.delivery or policy.delivery)
    once = delivery is Delivery.AT_MOST_ONCE
    if once and asked.retries:
        raise _unsafe("at_most_once and retries contradict each other: leave out `retries`")
    return Policy(
        delivery=delivery,
        max_attempts=policy.max_attempts if asked.max_attempts is None else asked.max_attempts,
        retries=0 if once else policy.retries if asked.retries is None else asked.retries,
        backoff=policy.backoff,
        timeout=policy.timeout if asked.timeout is None else asked.timeout,
    )


def _unsafe(message: str) -> InvalidInput:
    return InvalidInput(message, code="unsafe_policy")


def digest(asked: msgspec.Struct, payload: Payload) -> bytes:
    """Return the 32 bytes in which two submits agree when they ask for the same.

    `asked` is all that was asked but for the input, `payload`, which is JSON: how it is written, and the order of its
    fields, is of no account, unless it has so many parts that reading it would keep others waiting.
    """
    parts = payload.text.count(b"[") + payload.text.count(b"{")
    said = payload.read() if parts <= MOST_PARTS else payload.text.hex()
    return hashlib.sha256(msgspec.json.encode([asked, said], order="deterministic")).digest()


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
