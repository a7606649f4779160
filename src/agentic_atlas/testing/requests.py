"""What may be asked of a network in memory, checked as a platform checks it before a task exists."""

import secrets
from typing import Protocol

import msgspec
from msgspec import Struct

from agentic_atlas.backend.domain.children import depth_below
from agentic_atlas.backend.domain.idempotency import digest
from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.backend.domain.tracing import child
from agentic_atlas.errors import Conflict, InvalidInput, Unavailable
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.payloads import input_too_large
from agentic_atlas.protocol.tasks import TaskState
from agentic_atlas.router.router import Router
from agentic_atlas.sdk.skills.skill import Skill
from agentic_atlas.testing.book import Book, Entry
from agentic_atlas.testing.clock import Clock
from agentic_atlas.testing.directory import OWNER, Directory

QUEUE_TTL = 24 * 3600.0
"""Seconds a task waits for a free slot; nobody waits so long for it, as the clock jumps."""
MOST_PRIORITY = 9

TESTER = CallerRef("user", "usr_tester", "usr_tester", OWNER)
"""Who asks when a test does."""


class Ask(Struct, frozen=True):
    """One call of one skill; times are seconds, `deadline` since the epoch."""

    agent: str
    skill: str
    input: bytes
    caller: CallerRef = TESTER
    idempotency_key: str | None = None
    deadline: float | None = None
    timeout: float | None = None
    priority: int = 0


class Desk(Protocol):
    """What a request needs of the backend."""

    router: Router
    directory: Directory
    clock: Clock
    book: Book

    def submit(self, task: Task) -> None:
        """Take a new task."""


def submit(desk: Desk, ask: Ask, parent: Task | None = None) -> Entry:
    """Make a task of a request, or find the one that it has become already.

    Raises:
        NotFound: there is no such agent or skill.
        InvalidInput: the input does not fit, or an option is out of bounds.
        Unavailable: the agent has stopped (`agent_offline`).
        Conflict: the idempotency key was used for something else.
    """
    agent_id, skill = desk.directory.skill(ask.agent, ask.skill)
    _check(ask, skill, desk.clock.wall())
    same = digest(msgspec.structs.replace(ask, input=b"", idempotency_key=None), ask.input)
    if ask.idempotency_key is not None:
        known = desk.book.of_key(ask.caller.id, ask.idempotency_key)
        if known is not None and known.task.body_digest != same:
            fix = "this idempotency key was used for another request: use a new key for a new request"
            raise Conflict(fix, code="idempotency_conflict")
        if known is not None:
            return known
    if not desk.router.online(agent_id):
        raise Unavailable(f"{OWNER}/{agent_id} is offline: it has stopped", code="agent_offline", retry_after=5)
    task = _task(ask, agent_id, skill, desk.clock.wall(), parent, same)
    desk.submit(task)
    entry = desk.book.entry(task.id)
    assert entry is not None
    return entry


def _check(ask: Ask, skill: Skill, now: float) -> None:
    most = Limits().payload_bytes
    if len(ask.input) > most:
        raise input_too_large(len(ask.input), most)
    if not 0 <= ask.priority <= MOST_PRIORITY:
        raise InvalidInput(f"priority is a number from 0 to {MOST_PRIORITY}")
    if ask.deadline is not None and ask.deadline <= now:
        raise InvalidInput("the deadline is over already", code="deadline_exceeded")
    try:
        check_nesting(ask.input, Limits().depth)
    except ProtocolError as error:
        raise InvalidInput(f"the input is not acceptable: {error.message}") from None
    skill.signature.read_input(ask.input, skill.name)


def _task(ask: Ask, agent_id: str, skill: Skill, now: float, parent: Task | None, body_digest: bytes) -> Task:
    policy = skill.policy
    deadlines = [at for at in (ask.deadline, parent.deadline if parent else None) if at is not None]
    return Task(
        id=f"tsk_{secrets.token_hex(8)}",
        agent_id=agent_id,
        agent=f"{OWNER}/{agent_id}",
        skill=skill.name,
        state=TaskState.SUBMITTED,
        input=ask.input,
        caller=ask.caller,
        owner_id=TESTER.user_id,
        created_at=now,
        updated_at=now,
        trace=child(parent.trace if parent else None, secrets.token_bytes),
        delivery=policy.delivery,
        max_attempts=policy.max_attempts,
        retries=policy.retries,
        backoff=policy.backoff,
        timeout=ask.timeout or policy.timeout,
        deadline=min(deadlines, default=None),
        queue_expires_at=now + QUEUE_TTL,
        priority=ask.priority,
        parent_id=parent.id if parent else None,
        depth=depth_below(parent) if parent else 0,
        idempotency_key=ask.idempotency_key,
        body_digest=body_digest,
    )
