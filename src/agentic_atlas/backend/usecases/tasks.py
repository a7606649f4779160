"""Tasks: submitted, shown, watched, answered, canceled, repeated."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain.records import Submitted, Task, TaskEvent
from agentic_atlas.backend.engine import events, notes, questions, submission
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Summary, SummaryPage, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import AtlasError, Conflict
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.passing import passed_on


class Noted(msgspec.Struct, frozen=True):
    """A task, and why it waits or has not ended yet, where there is something to say of that."""

    task: Task
    note: str | None
    created: bool = False
    """It is what was just asked for, and not what an earlier submit with the same idempotency key made."""


class Following(msgspec.Struct, frozen=True):
    """What is needed to follow a task's events."""

    place: AbstractContextManager[None]
    """To be held meanwhile; raises Busy (`too_many_watchers`)."""
    pages: AsyncIterator[list[TaskEvent]]
    """See `engine.events.follow`."""


@use_case
async def submit(
    who: Principal, engine: Engine, ask: SubmitRequest, *, trace: str | None = None, wait: float = 0.0
) -> Noted:
    """Accept a task: when this returns, it is on disk and will reach an outcome (guarantee 1).

    With an idempotency key that is known, nothing counts but whether the same is asked for (guarantee 11).

    With `wait`, return when it has ended or so many seconds are over. `trace` is the caller's own `traceparent`.

    Raises:
        AtlasError: see `engine.submission.submit`.
    """
    submitted = await submission.submit(engine, who.user, who.caller, ask, trace=trace, wait=wait)
    return await _noted(engine, submitted.task, created=submitted.created)


@use_case
async def submit_all(who: Principal, engine: Engine, asks: Sequence[SubmitRequest]) -> list[Submitted | AtlasError]:
    """Accept tasks, each by itself; return what became of each, in their order. The errors are those of `submit`."""
    return await submission.submit_all(engine, who.user, who.caller, asks)


@use_case
async def retry(who: Principal, engine: Engine, task_id: str) -> Noted:
    """Do again what an ended task asked for, as a new task with `retry_of`; raises Conflict while it has not ended."""
    old = await engine.access.task(who.visible, task_id)
    if not old.terminal:
        raise Conflict("this task has not ended: cancel it first", code="task_not_ended")
    agent = await engine.access.agent(who.user, old.agent)
    skill = await engine.registry.skill(agent, old.skill)
    # What was to happen once is to happen once; and what the skill says of that by now holds as well.
    once = Delivery.AT_MOST_ONCE in (old.delivery, skill.policy.delivery)
    ask = passed_on(
        SubmitRequest,
        old,
        input=Raw(old.input),
        idempotency_key=None,
        deadline=None,
        delivery="at_most_once" if once else None,
        retries=None if once else old.retries,
    )
    submitted = await submission.submit(engine, who.user, who.caller, ask, retry_of=old.id)
    return await _noted(engine, submitted.task, created=submitted.created)


@use_case
async def show(who: Principal, engine: Engine, task_id: str, *, wait: float = 0.0) -> Noted:
    """Return a task; with `wait`, when it has ended or so many seconds are over. Raises NotFound (`task_not_found`)."""
    task = None
    if wait:
        await engine.access.standing(who.visible, task_id)
        task = await events.until_ended(engine, task_id, wait)
    return await _noted(engine, task or await engine.access.task(who.visible, task_id))


@use_case
async def standing(who: Principal, engine: Engine, task_id: str) -> Summary:
    """Return a task without its payloads; raises NotFound (`task_not_found`)."""
    return await engine.access.standing(who.visible, task_id)


@use_case
async def find(
    who: Principal, engine: Engine, which: TaskFilter, *, agent: str | None = None, limit: int, after: str | None
) -> SummaryPage:
    """Return tasks that the principal sees, newest first; of this agent alone, where one is named.

    Raises:
        NotFound: no such agent (`agent_not_found`). InvalidInput: `after` is no cursor of ours.
    """
    agent_id = (await engine.access.agent(who.user, agent)).id if agent else which.agent_id
    seen = msgspec.structs.replace(which, visible=who.visible, agent_id=agent_id)
    return await engine.store.tasks.find(seen, limit=limit, after=after)


@use_case
async def page(who: Principal, engine: Engine, task_id: str, after: int) -> tuple[list[TaskEvent], int | None]:
    """Return events after this number, and the number after which there are more; raises NotFound."""
    await engine.access.standing(who.visible, task_id)
    return await events.page(engine, task_id, after)


@use_case
async def follow(who: Principal, engine: Engine, task_id: str, after: int, keep_alive: float) -> Following | None:
    """Return what follows a task's events after this number; None when it has ended and none follows. Raises NotFound.

    See `engine.events.follow`.
    """
    task = (await engine.access.standing(who.visible, task_id)).task
    if task.terminal and after >= task.last_seq:
        return None
    place = engine.watchers.place(task_id, who.credential.id)
    return Following(place, events.follow(engine, task_id, after, keep_alive))


@use_case
async def cancel(who: Principal, engine: Engine, task_id: str, reason: str) -> Noted:
    """Cancel a task and what it called; one that runs is asked to stop first. An ended one stays as it is.

    Raises NotFound.
    """
    await engine.access.standing(who.visible, task_id)
    changed = await engine.dispatcher.cancel(task_id, reason)
    return await _noted(engine, changed.task or await engine.access.task(who.visible, task_id))


@use_case
async def answer(who: Principal, engine: Engine, task_id: str, value: bytes, number: int | None) -> Noted:
    """Answer a question of a task: the one with this number, or the oldest that is open.

    The same answer to the same question again changes nothing, so a request may be repeated.

    Raises:
        NotFound: no such task. Conflict: no such question is open (`no_open_question`).
        InvalidInput: the answer does not fit the question's schema; the question stays open.
        PayloadTooLarge: the answers of the task would be too large.
    """
    task = await engine.access.task(who.visible, task_id)
    return await _noted(engine, await questions.answer(engine, task, value, number, by=who.caller))


async def _noted(engine: Engine, task: Task, *, created: bool = False) -> Noted:
    return Noted(task, await notes.note(engine, task), created)
