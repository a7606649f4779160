"""Watching and canceling tasks."""

import asyncio

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.feed import Watch
from agentic_atlas.backend.ports import Page, Summary, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import NotFound


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
    visible = principal.visible
    agent = None if visible.user_id is None else await engine.store.agents.get(task.agent_id if task else "")
    return task is not None and visible.task(task, agent.owner_id if agent else None)


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
        return await end(engine, task_id, watch, seconds)


async def end(engine: Engine, task_id: str, watch: Watch, seconds: float) -> Task | None:
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
