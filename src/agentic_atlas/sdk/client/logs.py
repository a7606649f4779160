"""`client.logs`: lines of agents' logs, those that are kept and those that come."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

from agentic_atlas.errors import AtlasError, InvalidInput
from agentic_atlas.protocol.caller.logs import MOST_LAST, LogInfo, LogPage, LogSkip
from agentic_atlas.sdk.client.errors import ConnectionCut
from agentic_atlas.sdk.client.http import WAITING_PATIENCE, Http, Query, Tries, pages

Level: TypeAlias = Literal["trace", "debug", "info", "warning", "error", "critical"]

_PAGE: Final = 500
_KINDS: Final[dict[str, type[LogInfo | LogSkip]]] = {"line": LogInfo, "skipped": LogSkip}


class AsyncLogs:
    """Lines of agents' logs, as `AsyncClient.logs`.

    What a skill said by `ctx.log` is shown to whoever may see the task, all else to whoever manages the agent.
    """

    def __init__(self, http: Http) -> None:
        self._http = http

    def list(
        self,
        *,
        agent: str | None = None,
        task: str | None = None,
        trace: str | None = None,
        level: Level | None = None,
        source: str | Sequence[str] | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        text: str | None = None,
    ) -> AsyncGenerator[LogInfo, None]:
        """Yield lines, newest first.

        Args:
            agent: `name`, or `owner/name`; only its lines.
            task: id of a task; only what was said in it.
            trace: 32 hexadecimal digits; only what was said in tasks of this trace.
            level: only lines of this level, and of more severe ones.
            source: one of `task`, `logging`, `stdout`, `stderr` and `agent`, or several.
            since: an aware time; only what was said from then on.
            until: an aware time; only what was said before then.
            text: only lines with this in their message, logger, traceback or fields, in capitals or not.
        """
        query = {"agent": agent, "task": task, "trace": trace, "level": level, "source": source, "text": text}
        times = {"since": _aware(since, "since"), "until": _aware(until, "until")}
        return pages(self._http, "/logs", LogPage, {**query, **times, "limit": _PAGE})

    async def follow(
        self,
        *,
        last: int = 0,
        agent: str | None = None,
        task: str | None = None,
        trace: str | None = None,
        level: Level | None = None,
        source: str | Sequence[str] | None = None,
        since: datetime | None = None,
        text: str | None = None,
    ) -> AsyncGenerator[LogInfo | LogSkip, None]:
        """Yield the last lines there are, oldest first, and then those that come, for as long as they are read.

        A lost connection is taken up again, and what was said meanwhile comes then, once. Where lines are left out, for
        they were not read fast enough or the connection was away for too long, a `LogSkip` stands in their place.
        A consumer that leaves early closes the connection sooner with `contextlib.aclosing`.

        Args:
            last: how many lines to begin with, at most 1,000.
            agent: `name`, or `owner/name`; only its lines.
            task: id of a task; only what was said in it.
            trace: 32 hexadecimal digits; only what was said in tasks of this trace.
            level: only lines of this level, and of more severe ones.
            source: one of `task`, `logging`, `stdout`, `stderr` and `agent`, or several.
            since: an aware time; only what was said from then on.
            text: only lines with this in their message, logger, traceback or fields, in capitals or not.

        Raises:
            AtlasError: the server did not answer for `WAITING_PATIENCE` seconds, or there is no such agent or task.
        """
        query = {"agent": agent, "task": task, "trace": trace, "level": level, "source": source, "text": text}
        asked: Query = {**query, "since": _aware(since, "since"), "last": last}
        known: deque[tuple[str, int]] = deque(maxlen=2 * MOST_LAST)
        tries = Tries(self._http.sources, WAITING_PATIENCE)
        while True:
            try:
                async with aclosing(self._once(asked, known, tries)) as told:
                    async for one in told:
                        if isinstance(one, LogInfo):
                            asked = {**asked, "since": one.at.isoformat(), "last": MOST_LAST}
                        yield one
                raise ConnectionCut("the server ended the stream of log lines", retry_after=0.0)
            except AtlasError as error:
                await tries.again(error)

    async def _once(
        self, asked: Query, known: deque[tuple[str, int]], tries: Tries
    ) -> AsyncGenerator[LogInfo | LogSkip, None]:
        """Yield what comes on one connection and is not known yet."""
        before = set(known)
        async with aclosing(self._http.stream("/logs/stream", asked, _KINDS)) as parts:
            async for part in parts:
                tries.alive()
                for one in part:
                    if isinstance(one, LogInfo):
                        if (one.instance_id, one.number) in before:
                            continue
                        known.append((one.instance_id, one.number))
                    tries.progress()
                    yield one


def _aware(at: datetime | None, name: str) -> str | None:
    if at is not None and at.tzinfo is None:
        raise InvalidInput(f"`{name}` needs a time zone: datetime.now(UTC) - timedelta(…), for instance")
    return None if at is None else at.astimezone(UTC).isoformat()
