"""How requests become tasks: one, or many at once. One is a batch of one.

A batch is prepared as a whole and then handed to the store as a whole, so that it shares its commits.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.children import depth_below
from agentic_atlas.backend.domain.names import TASK, child_trace, full_name
from agentic_atlas.backend.domain.records import AgentRecord, CallerRef, Payload, SkillRecord, Submitted, Task
from agentic_atlas.backend.domain.terms import digest, effective
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.rights import Principal, require_call
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, Unavailable
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.caller.values import LONGEST
from agentic_atlas.protocol.codec import input_too_large, is_object, numbers_fit, passed_on
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.tasks import TaskState

QUEUE_TTL = 24 * 3600.0
"""Seconds a task waits for its agent unless its caller says otherwise."""


@dataclass(slots=True)
class _Request:
    """Who asks, for what, and what becomes of it: it is refused, or prepared."""

    who: Principal
    caller: CallerRef
    ask: SubmitRequest
    input: Payload
    """That of `ask`; whoever takes it in sees that it is what a payload has to be."""
    trace: str | None = None
    """The caller's own `traceparent`."""
    parent: Task | None = None
    retry_of: str | None = None
    agent_id: str | None = None
    """Of the agent that it is for, once that was found."""
    refusal: AtlasError | None = None
    """Why it can't become a new task."""
    malformed: bool = False
    """Then nothing like it can have been taken before."""
    change: lifecycle.Change | None = None
    """The new task, which counts already, has its place in the queue and perhaps a slot: it has to be stored now."""
    slot: InstanceRef | None = None


async def submit(
    engine: Engine,
    who: Principal,
    ask: SubmitRequest,
    *,
    trace: str | None = None,
    parent: Task | None = None,
    retry_of: str | None = None,
    wait: float = 0.0,
) -> Submitted:
    """Accept a task: when this returns, it is on disk and will reach an outcome (guarantee 1).

    With an idempotency key that is known, nothing counts but whether the same is asked for (guarantee 11).

    With `wait`, return when it has ended or so many seconds are over; what was accepted stays so, whatever is raised
    then.

    Raises:
        Unauthenticated: what `who` has shown is good no more, while they wait.
        NotFound: no such agent or skill for this user.
        Forbidden: what `who` has shown is good for other agents or skills (`insufficient_scope`).
        InvalidInput: the input does not fit the skill's schema, or an option is out of bounds; nothing is stored.
        Unavailable: the agent is offline and `queue_ttl` is 0 (`agent_offline`), it is disabled, or the store is away.
        Busy: too many tasks wait for the agent, or have not ended (`engine.census`).
        Conflict: the idempotency key was used for something else.
    """
    request = _Request(who, who.caller, ask, Payload(bytes(ask.input)), trace, parent, retry_of)
    await _prepare(engine, [request])
    # Before it is stored, so that its end can't be missed.
    watched = request.change.task.id if wait and request.change is not None else None
    with nullcontext() if watched is None else engine.feed.watch(watched, who) as watch:
        (write,) = _begin_to_store(engine, [request])
        left = wait
        if watch is not None and write is not None and _rests(request):
            # It wakes once, at its end, and not for having been stored as well.
            request.input.forget()
            await watch.end(wait, unless=write)
            left = 0.0
        submitted = await _became(engine, request, write)
        request.input.forget()
        if isinstance(submitted, AtlasError):
            try:
                raise submitted
            finally:
                # Its traceback has this frame: the two would keep the input until somebody looks for garbage.
                del request, submitted, write
        task = submitted.task
        ended: Task | None = None
        if watch is not None and submitted.created:
            ended = await engine.feed.end(task.id, watch, left)
        elif wait:
            ended = await engine.feed.until_ended(task.id, wait, who)
    return Submitted(ended or task, submitted.created)


async def submit_all(engine: Engine, who: Principal, asks: Sequence[SubmitRequest]) -> list[Submitted | AtlasError]:
    """Accept tasks, each by itself; return what became of each, in their order. The errors are those of `submit`.

    All of them together wait for hardly more than one: they are stored in the same commits.
    """
    caller = who.caller
    requests = [_Request(who, caller, ask, Payload(bytes(ask.input))) for ask in asks]
    await _prepare(engine, requests)
    return await _store(engine, requests)


async def earlier(engine: Engine, who: Principal, ask: SubmitRequest, refusal: AtlasError) -> Submitted:
    """Return what an earlier submit with the same key made; the world may have changed since.

    Raises:
        AtlasError: the refusal, when there was no earlier one.
        Conflict: the earlier one asked for something else.
    """
    return await _earlier(engine, _Request(who, who.caller, ask, Payload(bytes(ask.input))), refusal)


async def _earlier(engine: Engine, request: _Request, refusal: AtlasError) -> Submitted:
    key, older = request.ask.idempotency_key, None
    if key is not None:
        older = await engine.store.tasks.with_key(request.caller, key)
    if older is None:
        raise refusal
    return _same(request, older)


async def _prepare(engine: Engine, requests: Sequence[_Request]) -> None:
    """Prepare what can become tasks, each by itself. Nothing may wait between this and `_store`."""
    wanted = [await _wanted(engine, request) for request in requests]
    # From here on nothing waits: whoever is prepared next finds those before in the queue.
    for request, found in zip(requests, wanted, strict=True):
        if found is not None:
            _enqueue(engine, request, *found)


async def _wanted(engine: Engine, request: _Request) -> tuple[AgentRecord, SkillRecord] | None:
    """Return whom the task is for, unless it is refused. Waits only for what is not in memory, and for long schemas."""
    who, ask = request.who, request.ask
    request.refusal = _fault(request.input.text, engine.limits.payload_bytes)
    if request.refusal is not None:
        request.malformed = True
        return None
    try:
        require_call(who, ask.agent, ask.skill)
        agent = await engine.access.agent(who.user, ask.agent)
        request.agent_id = agent.id
        skill = await engine.registry.skill(agent, ask.skill)
        _check_options(engine, ask)
        whose = who.user.id
        await engine.schemas.check(skill.input_schema, request.input, what="the input", name=skill.name, whose=whose)
    except AtlasError as error:
        # What holds for a new task says nothing of one that there is.
        request.refusal = error
        return None
    return agent, skill


def _enqueue(engine: Engine, request: _Request, agent: AgentRecord, skill: SkillRecord) -> None:
    """Give the task its place in the queue, or a slot, unless it is refused."""
    census = engine.dispatcher.census
    request.refusal = _unreachable(engine, agent, request.ask) or census.check(
        agent.id, agent.full_name, request.caller
    )
    if request.refusal is not None:
        return
    try:
        task = _new_task(engine, request, agent, skill)
    except AtlasError as error:
        request.refusal = error
        return
    request.change = lifecycle.submit(task)
    request.slot = engine.dispatcher.claims.slot_for(agent.id, task.skill)
    if request.slot is not None:
        claim = lifecycle.claim(request.change.task, request.slot.instance_id, task.created_at)
        assert claim is not None
        request.change = lifecycle.Change(claim.task, request.change.events + claim.events)
    census.expect(request.change.task)


def _begin_to_store(engine: Engine, requests: Sequence[_Request]) -> list[Write[Submitted] | None]:
    """Have stored what is prepared; None for what is not to be."""
    return [
        None if request.change is None else engine.dispatcher.add(request.change, request.slot) for request in requests
    ]


async def _store(engine: Engine, requests: Sequence[_Request]) -> list[Submitted | AtlasError]:
    """Store what is prepared, and return what became of each."""
    writes = _begin_to_store(engine, requests)
    became = [await _became(engine, request, write) for request, write in zip(requests, writes, strict=True)]
    for request in requests:
        request.input.forget()
    return became


async def _became(engine: Engine, request: _Request, write: Write[Submitted] | None) -> Submitted | AtlasError:
    try:
        if request.refusal is not None and request.malformed:
            return request.refusal
        if write is None:
            assert request.refusal is not None
            return await _earlier(engine, request, request.refusal)
        stored = await write
        if not stored.created:
            return _same(request, stored.task)
    except AtlasError as error:
        return error.with_traceback(None)  # It has the frames that have it, and so the input.
    task = stored.task
    if request.parent is not None and task.state is TaskState.SUBMITTED:
        engine.circles.waits(task.id)
    if request.ask.queue_ttl == 0:
        await engine.absence.left_meanwhile(task)
    return Submitted(task, created=True)


def _rests(request: _Request) -> bool:
    """Tell whether nothing is to be done when it is stored; see `_became`."""
    return request.parent is None and request.ask.queue_ttl != 0


def _same(request: _Request, older: Task) -> Submitted:
    """Return the task that the key stands for; raises Conflict unless that is what is asked for now."""
    # The agent may have been given another name since, or another agent its name.
    by_name = full_name(request.ask.agent, request.who.user.name) == older.agent
    same_agent = by_name or request.agent_id == older.agent_id
    if not same_agent or _digest(older.agent_id, request) != older.body_digest:
        raise Conflict(
            f"this idempotency key was used for another request, which became {older.id}: use a new key for a new one",
            code="idempotency_conflict",
        )
    return Submitted(older, created=False)


def _fault(data: bytes, most: int) -> AtlasError | None:
    """Return what is wrong with an input; how deep it is, and that it is JSON, was seen to where it came in."""
    if len(data) > most:
        return input_too_large(len(data), most)
    if not numbers_fit(data):
        return InvalidInput("the input is not JSON: it holds a number that no reader could take")
    if not is_object(data):
        return InvalidInput("the input is a JSON object with the skill's parameters")
    return None


def _check_options(engine: Engine, ask: SubmitRequest) -> None:
    """Raise InvalidInput for what only the clock tells; all else is in the bounds of the type."""
    if ask.deadline is None:
        return
    ahead = ask.deadline.timestamp() - engine.clock()
    if ahead <= 0:
        raise InvalidInput("the deadline is over already", code="deadline_exceeded")
    if ahead > LONGEST:
        raise InvalidInput(f"the deadline is more than {LONGEST // 86_400} days ahead")


def _unreachable(engine: Engine, agent: AgentRecord, ask: SubmitRequest) -> AtlasError | None:
    """Return why the agent can't be asked now, or None."""
    if agent.disabled_at is not None:
        return Unavailable(
            f"{agent.full_name} is disabled: whoever manages it enables it (`atlas agents enable {agent.full_name}`)",
            code="agent_disabled",
            retry_after=60,
        )
    if ask.queue_ttl == 0 and engine.absence.away(agent.id):
        return Unavailable(
            f"{agent.full_name} is offline: start it, or submit the task to wait for it (`atlas call --no-wait`)",
            code="agent_offline",
            retry_after=5,
        )
    return None


def _new_task(engine: Engine, request: _Request, agent: AgentRecord, skill: SkillRecord) -> Task:
    caller, ask, parent = request.caller, request.ask, request.parent
    now = engine.clock()
    policy = effective(skill.policy, ask)
    asked = None if ask.deadline is None else ask.deadline.timestamp()
    deadlines = [at for at in (asked, parent.deadline if parent else None) if at is not None]
    return passed_on(
        Task,
        ask,
        **msgspec.structs.asdict(policy),
        id=engine.ids(TASK),
        agent_id=agent.id,
        agent=agent.full_name,
        state=TaskState.SUBMITTED,
        input=request.input.text,
        caller=caller,
        owner_id=parent.owner_id if parent else caller.user_id,
        created_at=now,
        updated_at=now,
        trace=child_trace(parent.trace if parent else request.trace, now, engine.entropy),
        deadline=min(deadlines, default=None),
        queue_expires_at=None if ask.queue_ttl == 0 else now + (ask.queue_ttl or QUEUE_TTL),
        parent_id=parent.id if parent else None,
        depth=depth_below(parent) if parent else 0,
        body_digest=None if ask.idempotency_key is None else _digest(agent.id, request),
        retry_of=request.retry_of,
        # Last: a submit that is refused costs its caller no place in the queue.
        position=engine.dispatcher.census.queues.position(agent.id, caller.id, ask.priority),
    )


def _digest(agent_id: str, request: _Request) -> bytes:
    """All that was asked counts, but for the key, the trace, and how long the task may wait for its agent."""
    ask = request.ask
    deadline = None if ask.deadline is None else ask.deadline.astimezone(UTC)
    left_out = {"input": Raw(b"null"), "idempotency_key": None, "queue_ttl": None}
    asked = msgspec.structs.replace(ask, agent=agent_id, deadline=deadline, **left_out)
    return digest(asked, request.input)
