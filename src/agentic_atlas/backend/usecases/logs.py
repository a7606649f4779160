"""Lines of agents' logs: looked through, and watched.

What was said to a task (`ctx.log`) is shown to whoever may see the task, all else to whoever manages the agent.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractContextManager
from typing import Final, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from agentic_atlas.backend.domain.logs import FoundLine, LogFilter, LogSight
from agentic_atlas.backend.domain.records import AccessLevel
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.engine.log_tail import WATCHED, LogWatch
from agentic_atlas.backend.engine.logs import LogBook
from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Principal, Right, may
from agentic_atlas.backend.usecases.application import still, use_case
from agentic_atlas.backend.usecases.shown import maybe, moment
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.caller.logs import LogInfo, LogPage, LogSkip

OF_TRACE: Final = 1_000
"""Tasks of a trace whose log lines are looked for: the newest."""
_PAGE: Final = 1_000

LogNews: TypeAlias = list[LogInfo | LogSkip]
"""What a watcher is told at once; nothing: a sign of life."""
WatchedLogs: TypeAlias = tuple[AbstractContextManager[None], AsyncGenerator[LogNews, None]]
"""A place to be held meanwhile, which raises Busy (`too_many_watchers`), and what is told."""


class LogsOf(NamedTuple):
    """Of what lines are wanted.

    Attributes:
        agent: `name` or `owner/name`.
        task: its id.
        trace: its 32 digits.
    """

    agent: str | None = None
    task: str | None = None
    trace: str | None = None


@use_case
async def find(
    who: Principal, engine: Engine, which: LogFilter, of: LogsOf, *, limit: int, before: str | None = None
) -> LogPage:
    """Return lines that are seen, newest first; see `ports.LogStore.find` for pages that are short.

    Raises:
        NotFound: no such agent or task is seen. InvalidInput: `before` is no cursor of ours.
        Unavailable: the lines can't be read now, or none are kept here (`logs_not_kept`).
    """
    book = _book(engine)
    asked = await _narrowed(who, engine, which, of)
    found = await book.lines.find(asked, await _sight(who, engine, asked), limit=limit, before=before)
    return LogPage(items=await _shown(engine, found.lines), next=found.next, searched_to=maybe(found.searched_to))


@use_case
async def watch(
    who: Principal, engine: Engine, which: LogFilter, of: LogsOf, *, last: int, keep_alive: float
) -> WatchedLogs:
    """Return the last lines there are, oldest first, and then those that come; raises as `find` does.

    An empty list stands for `keep_alive` seconds without any. It ends when the server stops, and when what somebody
    sees is no more what it was: whoever watches begins anew. Raises Unauthenticated once they may not watch any more.
    """
    _book(engine)
    asked = await _narrowed(who, engine, which, of)
    return engine.changes.place(who.user.id), _watched(who, engine, asked, last, keep_alive)


async def _watched(
    who: Principal, engine: Engine, which: LogFilter, last: int, keep_alive: float
) -> AsyncGenerator[LogNews, None]:
    book = _book(engine)
    manages = may(who, Right.READ_AGENTS)
    with (
        engine.feed.watch(WATCHED, who) as bell,
        book.tail.watch(bell, which, who.visible, manages=manages) as watched,
    ):
        # Looked at after the watch began: what is kept meanwhile is in one of both, or in both.
        who = await still(engine, who, used=False)
        first, known = await _last(who, engine, which, last)
        yield first
        while not bell.closed:
            rung = await bell.changed(keep_alive)
            # A page that is only left open does not keep anybody logged in.
            who = await still(engine, who, used=False)
            bell.check()
            if who.visible != watched.visible or may(who, Right.READ_AGENTS) != manages:
                return
            if rung:
                yield await _news(engine, watched, known)
            else:
                known.clear()
                yield []


async def _last(who: Principal, engine: Engine, which: LogFilter, last: int) -> tuple[LogNews, set[tuple[str, int]]]:
    """Return the last lines, oldest first, and which they are."""
    if not last:
        return [], set()
    found = await _book(engine).lines.find(which, await _sight(who, engine, which), limit=last)
    lines: LogNews = [*reversed(await _shown(engine, found.lines))]
    if found.next is not None and which.since is not None:
        lines.insert(0, LogSkip())
    return lines, {(one.instance_id, one.line.n) for one in found.lines}


async def _news(engine: Engine, watched: LogWatch, known: set[tuple[str, int]]) -> LogNews:
    """Return what waits for a watcher, but for what they know already."""
    lines, lost = watched.take()
    news: LogNews = [*await _shown(engine, [one for one in lines if (one.instance_id, one.line.n) not in known])]
    return [LogSkip(lines=lost), *news] if lost else news


def _book(engine: Engine) -> LogBook:
    if engine.logs is None:
        raise Unavailable("this network keeps no lines of agents' logs", code="logs_not_kept")
    return engine.logs


async def _narrowed(who: Principal, engine: Engine, which: LogFilter, of: LogsOf) -> LogFilter:
    """Narrow what is looked for to an agent, a task or a trace; raises NotFound for what is not seen."""
    if of.agent is not None:
        which = replace(which, agent_ids=((await engine.access.agent(who.user, of.agent)).id,))
    if of.task is not None:
        which = replace(which, tasks=((await engine.access.standing(who.visible, of.task)).task.id,))
    if of.trace is not None:
        tasks, _ = await engine.store.tasks.find(TaskFilter(who.visible, trace_id=of.trace), limit=OF_TRACE)
        ids = {one.task.id for one in tasks}
        which = replace(which, tasks=tuple(ids if which.tasks is None else ids & set(which.tasks)))
    return which


async def _sight(who: Principal, engine: Engine, which: LogFilter) -> LogSight:
    """Return which lines somebody sees; of agents that they are not looked for in, nothing need be known."""
    visible = who.visible
    all_else = may(who, Right.READ_AGENTS) and visible.key_id is None
    if visible.user_id is None and all_else:
        return LogSight()
    managed = await _managed(who, engine, which) if all_else else frozenset()
    return LogSight(managed, visible.user_id, visible.key_id)


async def _managed(who: Principal, engine: Engine, which: LogFilter) -> frozenset[str]:
    """Return the ids of the agents that somebody manages, of those that lines are looked for of."""
    visible, after = who.visible, None
    if which.agent_ids is not None:
        known = [await engine.store.agents.get(id_) for id_ in which.agent_ids]
        return frozenset(one.id for one in known if one is not None and visible.may(one, AccessLevel.MANAGE))
    managed: set[str] = set()
    while page := await engine.store.agents.find(visible, limit=_PAGE, after=after):
        managed.update(one.id for one in page if visible.may(one, AccessLevel.MANAGE))
        after = page[-1].full_name
        if len(page) < _PAGE:
            break
    return frozenset(managed)


async def _shown(engine: Engine, found: Iterable[FoundLine]) -> list[LogInfo]:
    names: dict[str, str] = {}
    for one in found:
        if one.agent_id not in names:
            agent = await engine.store.agents.get(one.agent_id)
            names[one.agent_id] = agent.full_name if agent is not None else one.agent_id
    return [_info(one, names[one.agent_id]) for one in found]


def _info(found: FoundLine, agent: str) -> LogInfo:
    line = found.line
    return LogInfo(
        at=moment(line.at),
        agent=agent,
        instance_id=found.instance_id,
        number=line.n,
        level=line.level,
        source=line.source,
        message=line.message,
        task_id=line.task or None,
        attempt=line.attempt or None,
        trace_id=line.trace or None,
        logger=line.logger,
        fields=msgspec.json.decode(line.fields),
        exception=line.exception,
        missing=line.missing,
    )
