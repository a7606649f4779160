"""Tasks: submitted, shown with what they wait for and for whom, watched, answered, canceled, repeated."""

import math
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.domain.records import Submitted, Task, TaskEvent
from agentic_atlas.backend.engine import questions, submission
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Summary, TaskFilter
from agentic_atlas.backend.rights import Principal, require_change
from agentic_atlas.backend.usecases.application import paced, still, use_case
from agentic_atlas.backend.usecases.shown import task_info
from agentic_atlas.errors import AtlasError, Conflict, Forbidden
from agentic_atlas.protocol.caller.audit import AuditObject
from agentic_atlas.protocol.caller.tasks import SubmitRequest, TaskInfo
from agentic_atlas.protocol.codec import passed_on
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import Holdup, TaskState

_HELD_UP = {
    Holdup.DRAINING: "it is about to end",
    Holdup.BLOCKED: "its event loop is blocked, see its log",
    Holdup.REFUSED: "it gave a task back as busy, and is left alone for a moment",
    Holdup.BEHIND: "it has not read yet what was sent to it",
    Holdup.MEMORY: "it takes more memory than its max_memory",
    Holdup.CPU: "it takes more of the processor than its max_cpu",
    Holdup.BATTERY: "its machine runs on its battery, and it pauses then",
    Holdup.QUIET_HOURS: "these are its quiet hours",
}

_QUESTION = 200
"""Characters of a question in a note."""


Followed: TypeAlias = tuple[AbstractContextManager[None], AsyncGenerator[list[TaskEvent], None]]
"""A place to be held meanwhile, which raises Busy (`too_many_watchers`), and what `engine.feed.Feed.follow` yields."""


@use_case
async def submit(
    who: Principal, engine: Engine, ask: SubmitRequest, *, trace: str | None = None, wait: float = 0.0
) -> tuple[TaskInfo, bool]:
    """Accept a task: when this returns, it is on disk and will reach an outcome (guarantee 1).

    Returns it, and whether it is new: False when an earlier submit with the same idempotency key made it.

    With an idempotency key that is known, nothing counts but whether the same is asked for (guarantee 11).

    With `wait`, return when it has ended or so many seconds are over. `trace` is the caller's own `traceparent`.

    Raises:
        AtlasError: see `engine.submission.submit`.
    """
    submitted = await submission.submit(engine, who, ask, trace=trace, wait=wait)
    return await _shown(engine, submitted.task), submitted.created


@use_case
async def submit_all(who: Principal, engine: Engine, asks: Sequence[SubmitRequest]) -> list[Submitted | AtlasError]:
    """Accept tasks, each by itself; return what became of each, in their order. The errors are those of `submit`.

    Raises:
        Busy: these are more than somebody may ask for in that time, each counted as if it came by itself.
    """
    paced(engine, who, len(asks) - 1)
    became = await submission.submit_all(engine, who, asks)
    for ask, one in zip(asks, became, strict=True):
        if isinstance(one, Forbidden):
            skill = AuditObject(kind="skill", name=f"{ask.agent}/{ask.skill}")
            engine.trail.refuse(who, "tasks.submit", skill, one.code)
    return became


@use_case
async def retry(who: Principal, engine: Engine, task_id: str) -> TaskInfo:
    """Do again what an ended task asked for, as a new task with `retry_of`; raises Conflict while it has not ended."""
    old = await engine.access.task(who.visible, task_id)
    if not old.terminal:
        raise Conflict("this task has not ended: cancel it first", code="task_not_ended")
    agent = await engine.access.agent_of(who.user, old)
    skill = await engine.registry.skill(agent, old.skill)
    # What was to happen once is to happen once; and what the skill says of that by now holds as well.
    once = Delivery.AT_MOST_ONCE in (old.delivery, skill.policy.delivery)
    ask = passed_on(
        SubmitRequest,
        old,
        agent=agent.full_name,
        input=Raw(old.input),
        idempotency_key=None,
        deadline=None,
        delivery="at_most_once" if once else None,
        retries=None if once else old.retries,
    )
    submitted = await submission.submit(engine, who, ask, retry_of=old.id)
    return await _shown(engine, submitted.task)


@use_case
async def show(who: Principal, engine: Engine, task_id: str, *, wait: float = 0.0) -> TaskInfo:
    """Return a task; with `wait`, when it has ended or so many seconds are over. Raises NotFound (`task_not_found`)."""
    task = None
    if wait:
        with engine.feed.watch(task_id, who) as watch:
            if await _goes_on(engine, who, task_id):
                task = await engine.feed.end(task_id, watch, wait)
    return await _shown(engine, task or await engine.access.task(who.visible, task_id))


@use_case
async def standing(who: Principal, engine: Engine, task_id: str) -> Summary:
    """Return a task without its payloads; raises NotFound (`task_not_found`)."""
    return await engine.access.standing(who.visible, task_id)


@use_case
async def find(
    who: Principal,
    engine: Engine,
    which: TaskFilter,
    *,
    agent: str | None = None,
    caller: str | None = None,
    limit: int,
    after: str | None,
) -> tuple[list[Summary], str | None]:
    """Return tasks that the principal sees, newest first, and a cursor; of this agent alone, where one is named.

    `caller` is the name or the id of who asked: a user, an agent, or an API key. Whoever is not known asked for nothing
    that is seen: no more is told of them.

    The cursor is that of the part that follows, None at the end; see `ports.Tasks.find`.

    Raises:
        NotFound: no such agent (`agent_not_found`). InvalidInput: `after` is no cursor of ours.
    """
    agent_id = (await engine.access.agent(who.user, agent)).id if agent else which.agent_id
    asked = which if caller is None else await _asked_by(who, engine, which, caller)
    seen = msgspec.structs.replace(asked, visible=who.visible, agent_id=agent_id)
    return await engine.store.tasks.find(seen, limit=limit, after=after)


@use_case
async def page(who: Principal, engine: Engine, task_id: str, after: int) -> tuple[list[TaskEvent], int | None]:
    """Return events after this number, and the number after which there are more; raises NotFound."""
    await engine.access.standing(who.visible, task_id)
    return await engine.feed.page(task_id, after)


@use_case
async def follow(who: Principal, engine: Engine, task_id: str, after: int, keep_alive: float) -> Followed | None:
    """Return what follows a task's events after this number; None when it has ended and none does. Raises NotFound.

    Whether they still may is looked at again when it begins, which may be long after this.
    """
    task = (await engine.access.standing(who.visible, task_id)).task
    if task.terminal and after >= task.last_seq:
        return None
    place = engine.watchers.place(task_id, who.credential.id)
    return place, engine.feed.follow(task_id, after, keep_alive, who, partial(_still_seen, who, engine, task_id))


@use_case
async def cancel(who: Principal, engine: Engine, task_id: str, reason: str) -> TaskInfo:
    """Cancel a task and what it called; one that runs is asked to stop first. An ended one stays as it is.

    Raises NotFound, and Forbidden (`insufficient_scope`) for a task that another key asked for.
    """
    require_change(who, (await engine.access.standing(who.visible, task_id)).task)
    changed = await engine.dispatcher.cancel(task_id, reason)
    return await _shown(engine, changed.task or await engine.access.task(who.visible, task_id))


@use_case
async def answer(who: Principal, engine: Engine, task_id: str, value: bytes, number: int | None) -> TaskInfo:
    """Answer a question of a task: the one with this number, or the oldest that is open.

    The same answer to the same question again changes nothing, so a request may be repeated.

    Raises:
        NotFound: no such task. Conflict: no such question is open (`no_open_question`).
        Forbidden: the key is good for its own tasks only (`insufficient_scope`).
        InvalidInput: the answer does not fit the question's schema; the question stays open.
        PayloadTooLarge: the answers of the task would be too large.
    """
    task = await engine.access.task(who.visible, task_id)
    require_change(who, task)
    return await _shown(engine, await questions.answer(engine, task, value, number, by=who.caller))


async def _asked_by(who: Principal, engine: Engine, which: TaskFilter, caller: str) -> TaskFilter:
    """Narrow a list to what a caller asked for; `alice` is what was asked for in her name, and what that led to."""
    owner, name = split_agent(caller)
    user = await engine.store.users.by_name(owner or name)
    if owner is None:
        asked = {"caller_ids": (caller,)} if user is None else {"owner_id": user.id}
        return msgspec.structs.replace(which, **asked)
    keys = [] if user is None else await engine.store.users.keys_of(user.id)
    agent = await engine.store.agents.by_name(owner, name)
    ids = [key.id for key in keys if key.name == name]
    return msgspec.structs.replace(which, caller_ids=(*ids, agent.id if agent else caller))


async def _still_seen(who: Principal, engine: Engine, task_id: str) -> Summary:
    return await engine.access.standing((await still(engine, who)).visible, task_id)


async def _goes_on(engine: Engine, who: Principal, task_id: str) -> bool:
    """Tell whether a task has not ended yet; raises NotFound."""
    known = engine.dispatcher.census.get(task_id)
    if known is not None and known.stored and who.visible.task(known.caller_id, known.owner_id, None):
        # Only what is theirs whoever runs it; all else is looked for in the store, as what is not there is.
        return True
    return not (await engine.access.standing(who.visible, task_id)).task.terminal


async def _shown(engine: Engine, task: Task) -> TaskInfo:
    """Show a task, and why it waits or has not ended yet, where there is something to say of that."""
    return task_info(task, await _note(engine, task))


async def _note(engine: Engine, task: Task) -> str | None:
    """Say why a task waits, or has not ended yet; None when there is nothing to say, as of one that runs or has ended.

    What happens to the task of an agent that stays away is asked of the rule that decides it then.
    """
    if task.state is TaskState.INPUT_REQUIRED and task.dialogue.open:
        question = task.dialogue.open[0]
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
        return f"all instances of the agent are busy ({_slots(engine, task.agent_id)})"
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


def _slots(engine: Engine, agent_id: str) -> str:
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
    queued = f", which is queued ({_slots(engine, first.agent_id)})" if first.state is TaskState.SUBMITTED else ""
    return f"waits for {first.agent}.{first.skill} ({first.id}){more}{queued}"
