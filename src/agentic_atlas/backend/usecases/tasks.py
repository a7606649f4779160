"""Submitting, watching, cancelling and repeating tasks."""

import asyncio

import msgspec

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.children import depth_below
from agentic_atlas.backend.domain.idempotency import digest
from agentic_atlas.backend.domain.ids import TASK
from agentic_atlas.backend.domain.names import full_name
from agentic_atlas.backend.domain.policies import Wishes, effective
from agentic_atlas.backend.domain.records import Agent, CallerRef, Skill, Task, User
from agentic_atlas.backend.domain.tracing import child
from agentic_atlas.backend.engine.access import Principal, may_see
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.feed import Watch
from agentic_atlas.backend.ports import Page, Summary, TaskFilter
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, NotFound, Unavailable
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.numbers import is_object, numbers_fit
from agentic_atlas.protocol.payloads import input_too_large
from agentic_atlas.protocol.tasks import TaskState

QUEUE_TTL = 24 * 3600.0
"""Seconds a task waits for its agent unless its caller says otherwise."""

MOST_AHEAD = 366 * 86_400.0
"""Seconds a deadline may be ahead."""

MAX_PRIORITY = 9
MAX_KEY = 200
"""Characters of an idempotency key."""


class Ask(msgspec.Struct, frozen=True):
    """What a caller wants: one call of one skill."""

    agent: str
    skill: str
    input: bytes
    """JSON, well-formed and no deeper than a message may be: whoever takes it in sees to that."""
    idempotency_key: str | None = None
    deadline: float | None = None
    """Seconds since the epoch."""
    timeout: float | None = None
    priority: int = 0
    queue_ttl: float | None = None
    """How long it may wait for a slot; 0: as long as its agent is there, and for one that is on its way back after a
    restart of the server. None: a day."""
    delivery: Delivery | None = None
    retries: int | None = None
    max_attempts: int | None = None
    trace: str | None = None
    """The caller's own `traceparent`."""


class Submitted(msgspec.Struct, frozen=True):
    """A task that is stored."""

    task: Task
    created: bool
    """False: by an earlier submit with the same idempotency key."""


async def submit(
    engine: Engine,
    user: User,
    caller: CallerRef,
    ask: Ask,
    *,
    parent: Task | None = None,
    retry_of: str | None = None,
    wait: float = 0.0,
) -> Submitted:
    """Accept a task: when this returns, it is on disk and will reach an outcome (guarantee 1).

    With an idempotency key that is known, nothing counts but whether the same is asked for (guarantee 11).

    With `wait`, return when it has ended or so many seconds are over.

    Raises:
        NotFound: no such agent or skill for this user.
        InvalidInput: the input does not fit the skill's schema, or an option is out of bounds; nothing is stored.
        Unavailable: the agent is offline and `queue_ttl` is 0 (`agent_offline`), it is disabled, or the store is away.
        Busy: too many tasks wait for the agent, or have not ended (`domain.census`).
        Conflict: the idempotency key was used for something else.
    """
    _check_form(ask.input)
    try:
        agent, skill = await _acceptable(engine, user, caller, ask)
        task = _new_task(engine, agent, skill, caller, ask, parent, retry_of)
    except AtlasError as refusal:
        # What holds for a new task says nothing of one that there is.
        return await earlier(engine, user, caller, ask, refusal, wait)
    # Only now: a submit that is refused costs its caller no place in the queue.
    position = engine.dispatcher.position(agent.id, caller.id, ask.priority)
    change = lifecycle.submit(msgspec.structs.replace(task, position=position))
    slot = engine.dispatcher.claims.slot_for(agent.id, task.skill)
    claim = lifecycle.claim(change.task, slot.instance_id, task.created_at) if slot is not None else None
    if claim is not None:
        change = lifecycle.Change(claim.task, change.events + claim.events)
    with engine.feed.watch(task.id) as watch:
        added = await engine.dispatcher.add(change, slot)
        if added.created:
            if parent is not None and slot is None:
                engine.circles.waits(added.task.id)
            if ask.queue_ttl == 0:
                await engine.absence.left_meanwhile(added.task)
            ended = await _end(engine, added.task.id, watch, wait) if wait else None
            return Submitted(ended or added.task, created=True)
    return await _found(engine, user, added.task, ask, wait)


async def earlier(
    engine: Engine, user: User, caller: CallerRef, ask: Ask, refusal: AtlasError, wait: float = 0.0
) -> Submitted:
    """Return what an earlier submit with the same key made; the world may have changed since.

    Raises:
        AtlasError: the refusal, when there was no earlier one.
        Conflict: the earlier one asked for something else.
    """
    older = None
    if ask.idempotency_key is not None:
        older = await engine.store.tasks.with_key(caller, ask.idempotency_key)
    if older is None:
        raise refusal
    return await _found(engine, user, older, ask, wait)


async def retry(engine: Engine, principal: Principal, task_id: str) -> Submitted:
    """Do again what an ended task asked for, as a new task with `retry_of`; raises Conflict while it has not ended."""
    old = await show(engine, principal, task_id)
    if not old.terminal:
        raise Conflict("this task has not ended: cancel it first", code="task_not_ended")
    agent = await engine.access.agent(principal.user, old.agent)
    skill = await engine.registry.skill(agent, old.skill)
    # What was to happen once is to happen once; and what the skill says of that by now holds as well.
    once = Delivery.AT_MOST_ONCE in (old.delivery, skill.policy.delivery)
    ask = Ask(
        old.agent,
        old.skill,
        old.input,
        timeout=old.timeout,
        priority=old.priority,
        delivery=Delivery.AT_MOST_ONCE if once else None,
        retries=None if once else old.retries,
        max_attempts=old.max_attempts,
    )
    return await submit(engine, principal.user, principal.caller, ask, retry_of=old.id)


async def show(engine: Engine, principal: Principal, task_id: str) -> Task:
    """Return a task that the principal may see; raises NotFound (`task_not_found`)."""
    task = await engine.store.tasks.get(task_id)
    if await _visible(engine, principal, task) and task is not None:
        return task
    raise _no_task(task_id)


async def standing(engine: Engine, principal: Principal, task_id: str) -> Summary:
    """Return a task that the principal may see, without its payloads; raises NotFound (`task_not_found`)."""
    summary = await engine.store.tasks.summary(task_id)
    if await _visible(engine, principal, None if summary is None else summary.task) and summary is not None:
        return summary
    raise _no_task(task_id)


async def find(engine: Engine, which: TaskFilter, *, limit: int, after: str | None) -> Page:
    """Return tasks, newest first; `which` says whose."""
    return await engine.store.tasks.find(which, limit=limit, after=after)


async def _visible(engine: Engine, principal: Principal, task: Task | None) -> bool:
    # Looked for without a task too: what is somebody else's takes as long as what is not there.
    agent = None if principal.sees_all else await engine.store.agents.get(task.agent_id if task else "")
    return task is not None and may_see(principal, task, agent.owner_id if agent else None)


def _no_task(task_id: str) -> NotFound:
    return NotFound(f"there is no task {task_id[:64]!r}", code="task_not_found")


async def until_ended(engine: Engine, task_id: str, seconds: float) -> Task | None:
    """Return the task when it has ended, or as it is after `seconds`; rights are the caller's to check.

    Nothing of its payloads is in memory meanwhile: there may be many who wait.
    """
    with engine.feed.watch(task_id) as watch:
        found = await engine.store.tasks.summary(task_id)
        if found is None or found.task.terminal:
            return None if found is None else await engine.store.tasks.get(task_id)
        return await _end(engine, task_id, watch, seconds)


async def _end(engine: Engine, task_id: str, watch: Watch, seconds: float) -> Task | None:
    """Wait for the end of a task that had not ended after the watch began."""
    now = asyncio.get_running_loop().time  # not the wall clock: somebody may set it while they wait
    ends = now() + seconds
    while not watch.ended and not watch.closed and await watch.changed(ends - now()):
        pass
    if watch.task is not None and watch.task.terminal:
        return watch.task
    return await engine.store.tasks.get(task_id)


async def cancel(engine: Engine, task_id: str, reason: str) -> Task | None:
    """Cancel a task and what it called; one that runs is asked to stop first. An ended one stays as it is."""
    return (await engine.dispatcher.cancel(task_id, reason)).task


def _check_form(data: bytes) -> None:
    # How deep it is, and that it is JSON, was seen to where it came in.
    if not numbers_fit(data):
        raise InvalidInput("the input is not JSON: it holds a number that no reader could take")
    if not is_object(data):
        raise InvalidInput("the input is a JSON object with the skill's parameters")


def _check_options(engine: Engine, ask: Ask) -> None:
    most = engine.limits.payload_bytes
    if len(ask.input) > most:
        raise input_too_large(len(ask.input), most)
    if not 0 <= ask.priority <= MAX_PRIORITY:
        raise InvalidInput(f"priority is a number from 0 to {MAX_PRIORITY}")
    if ask.deadline is not None and ask.deadline <= engine.clock():
        raise InvalidInput("the deadline is over already", code="deadline_exceeded")
    if ask.deadline is not None and ask.deadline > engine.clock() + MOST_AHEAD:
        raise InvalidInput(f"the deadline is more than {MOST_AHEAD // 86_400:.0f} days ahead")
    if ask.idempotency_key is not None and not 1 <= len(ask.idempotency_key) <= MAX_KEY:
        raise InvalidInput(f"an idempotency key has 1 to {MAX_KEY} characters")


def _unreachable(engine: Engine, agent: Agent, ask: Ask) -> AtlasError | None:
    """Return why the agent can't be asked now, or None."""
    if agent.disabled_at is not None:
        return Unavailable(f"{agent.full_name} is disabled", code="agent_disabled", retry_after=60)
    if ask.queue_ttl == 0 and engine.absence.away(agent.id):
        return Unavailable(
            f"{agent.full_name} is offline: start it, or submit the task to wait for it (`atlas call --no-wait`)",
            code="agent_offline",
            retry_after=5,
        )
    return None


async def _acceptable(engine: Engine, user: User, caller: CallerRef, ask: Ask) -> tuple[Agent, Skill]:
    """Return whom a new task is for; raises what `submit` does when it can't be taken."""
    agent = await engine.access.agent(user, ask.agent)
    skill = await engine.registry.skill(agent, ask.skill)
    _check_options(engine, ask)
    await engine.schemas.check(skill.input_schema, ask.input, what="the input", name=skill.name, whose=user.id)
    refusal = _unreachable(engine, agent, ask) or engine.dispatcher.census.check(agent.id, agent.full_name, caller)
    if refusal is not None:
        raise refusal
    return agent, skill


async def _found(engine: Engine, user: User, older: Task, ask: Ask, wait: float) -> Submitted:
    """Return the task that the key stands for, when that is what is asked for now."""
    same = full_name(ask.agent, user.name) == older.agent and _digest(older.agent_id, ask) == older.body_digest
    if not same:
        raise Conflict(
            f"this idempotency key was used for another request, which became {older.id}: use a new key for a new one",
            code="idempotency_conflict",
        )
    ended = await until_ended(engine, older.id, wait) if wait else None
    return Submitted(ended or older, created=False)


def _new_task(
    engine: Engine,
    agent: Agent,
    skill: Skill,
    caller: CallerRef,
    ask: Ask,
    parent: Task | None,
    retry_of: str | None,
) -> Task:
    now = engine.clock()
    policy = effective(skill.policy, Wishes(ask.delivery, ask.max_attempts, ask.retries, ask.timeout))
    deadlines = [at for at in (ask.deadline, parent.deadline if parent else None) if at is not None]
    return Task(
        id=engine.ids(TASK),
        agent_id=agent.id,
        agent=agent.full_name,
        skill=skill.name,
        state=TaskState.SUBMITTED,
        input=ask.input,
        caller=caller,
        owner_id=parent.owner_id if parent else caller.user_id,
        created_at=now,
        updated_at=now,
        trace=child(parent.trace if parent else ask.trace, engine.entropy),
        delivery=policy.delivery,
        max_attempts=policy.max_attempts,
        retries=policy.retries,
        backoff=policy.backoff,
        timeout=policy.timeout,
        deadline=min(deadlines, default=None),
        queue_expires_at=None if ask.queue_ttl == 0 else now + (ask.queue_ttl or QUEUE_TTL),
        priority=ask.priority,
        parent_id=parent.id if parent else None,
        depth=depth_below(parent) if parent else 0,
        idempotency_key=ask.idempotency_key,
        body_digest=None if ask.idempotency_key is None else _digest(agent.id, ask),
        retry_of=retry_of,
    )


def _digest(agent_id: str, ask: Ask) -> bytes:
    """All that was asked counts, but for the key, the trace, and how long the task may wait for its agent."""
    asked = msgspec.structs.replace(ask, agent=agent_id, input=b"", idempotency_key=None, trace=None, queue_ttl=None)
    return digest(asked, ask.input)
