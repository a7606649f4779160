"""What a running attempt reports: progress, chunks, log lines and artifacts, numbered and bounded.

At most a window of them is on its way; what comes meanwhile waits here, each kind in its own manner: a newer progress
replaces the one that waits, log lines are kept up to a number and then counted, a chunk makes its producer wait. So a
fast producer costs neither memory nor the connection, and nothing but log lines and stale progress is ever lost.
Whoever asks a question waits for an answer, so it is told when there is no room for it.
"""

import asyncio
import math
import sys
import threading
from collections import deque
from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.observe.logs import SOURCE, Log
from agentic_atlas.protocol.messages import Event, EventKind, Limits, LogLevel, Task
from agentic_atlas.sdk.ledger.attempts import notice
from agentic_atlas.sdk.lines.capture import Hearer
from agentic_atlas.sdk.lines.line import encoded_fields, of_task, plain_fields, traceback_of
from agentic_atlas.sdk.ports import ToLink
from agentic_atlas.sdk.text import describe, presentable, type_name

LOG_BACKLOG: Final = 500
"""Most log lines of one attempt that wait; those after them are dropped and counted."""

_RESERVED = 100
"""Events of an attempt, of those it can have, that are left to what the SDK says of itself."""
_LAST_WORDS = 2
"""Of these, those that are not for questions either."""


class AttemptReports:
    """Events of one attempt. All but `chunk`, `acknowledged` and `release` are safe from any thread and never block."""

    def __init__(self, task: Task, link: ToLink, limits: Limits, *, window: int) -> None:
        self._task = task
        self._link = link
        self._limits = limits
        self._most = limits.events_per_task - min(_RESERVED, limits.events_per_task // 10) - 1
        self._window = window
        self._lock = threading.Lock()
        self._waiting: deque[tuple[EventKind, Raw]] = deque()
        self._room = asyncio.Event()
        self._last = 0
        self._in_flight = 0
        self._left_out = 0
        self._released = False
        self._closed = False

    @property
    def overflowed(self) -> bool:
        """Whether the attempt has more events than one can have: the last ones were not sent."""
        return self._last >= self._most

    def progress(self, fraction: float | None, message: str | None) -> None:
        """Report how far the attempt is, 0 to 1, and what it does."""
        known = fraction is not None and not math.isnan(fraction)
        data = {
            "fraction": min(1.0, max(0.0, float(fraction))) if known and fraction is not None else None,
            "message": None if message is None else presentable(message),
        }
        self._report(EventKind.PROGRESS, _encode(data))

    def log(self, level: str, event: str, fields: Mapping[str, object]) -> None:
        """Report a log line; `fields` are JSON values already (`plain_fields`)."""
        self._report(EventKind.LOG, _encode({"level": level, "event": event, "fields": fields}))

    def artifact(self, description: Mapping[str, object]) -> None:
        """Report a file that the attempt made."""
        self._report(EventKind.ARTIFACT, _encode(description))

    def question(self, data: Raw) -> bool:
        """Report a question; False when the attempt can have no more events. Never left out like a log line.

        It takes one of the events that are left to the SDK, when all others are used up.
        """
        with self._lock:
            if self._closed or self._last + len(self._waiting) >= self._limits.events_per_task - _LAST_WORDS:
                return False
            if not self._waiting and self._in_flight < self._window:
                self._post(EventKind.QUESTION, data)
            else:
                self._waiting.append((EventKind.QUESTION, data))
            return True

    async def chunk(self, item: Raw) -> None:
        """Report a piece of the output, as soon as there is room; nobody waits for that any more after `release`."""
        while not self._released and (self._waiting or self._in_flight >= self._window):
            self._room.clear()
            await self._room.wait()
        self._report(EventKind.CHUNK, _encode({"value": item}))

    def acknowledged(self, pending: int) -> None:
        """The router has stored events; `pending` of them are still on their way. On the loop."""
        with self._lock:
            self._in_flight = pending
            while self._waiting and self._in_flight < self._window:
                self._post(*self._waiting.popleft())
            if not self._waiting:
                self._tell_left_out()
        self._room.set()

    def release(self) -> None:
        """The attempt is to stop: whoever waits for room gets it. On the loop."""
        self._released = True
        self._room.set()

    def close(self) -> None:
        """Post what waits, so that it precedes the result; what is reported afterwards is ignored."""
        with self._lock:
            while self._waiting:
                self._post(*self._waiting.popleft())
            self._tell_left_out()
            self._closed = True

    def _report(self, kind: EventKind, data: Raw) -> None:
        with self._lock:
            if self._closed:
                return
            if self._last + len(self._waiting) >= self._most:
                self._left_out += 1
                return
            if not self._waiting and self._in_flight < self._window:
                self._post(kind, data)
            elif kind is EventKind.PROGRESS and self._waiting and self._waiting[-1][0] is EventKind.PROGRESS:
                self._waiting[-1] = (kind, data)
            elif kind is EventKind.LOG and len(self._waiting) >= LOG_BACKLOG:
                self._left_out += 1
            else:
                self._waiting.append((kind, data))

    def _tell_left_out(self) -> None:
        if self._left_out:
            text = f"{self._left_out} reports were left out: too many at once, or too long"
            self._left_out = 0
            self._post(EventKind.LOG, notice(text))

    def _post(self, kind: EventKind, data: Raw) -> None:
        if memoryview(data).nbytes > self._limits.event_bytes:
            self._left_out += 1
            return
        self._last += 1
        self._in_flight += 1
        self._link.post(Event(self._task.task, self._task.attempt, self._last, kind, data))


class TaskLog:
    """Structured log lines of one task: `ctx.log.info("translating", characters=120)`.

    Values that are not numbers, booleans or None are logged as text. Whoever may see the task sees its lines, except
    those of level debug, which stay on this machine. Safe from any thread.
    """

    def __init__(
        self, reports: AttemptReports, task: Task, hearer: Hearer | None, log: Log, names: Mapping[str, object]
    ) -> None:
        """Begin; `hearer` is told what goes to the network's logs, and `log` is the agent's own, on this machine."""
        self._reports = reports
        self._task = task
        self._hearer = hearer
        self._log = log
        self._names = {**names, SOURCE: "task"}

    def debug(self, event: str, /, **fields: object) -> None:
        """Log for the developer alone."""
        self._log.debug(presentable(event), **self._names, **_local(plain_fields(fields)))

    def info(self, event: str, /, **fields: object) -> None:
        """Log something that happened."""
        self._say("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Log something that should not happen and did no harm."""
        self._say("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Log something that failed."""
        self._say("error", event, fields)

    def exception(self, event: str, /, **fields: object) -> None:
        """Log the exception being handled: its type and message go to the task, its traceback to the agent's owner."""
        error = sys.exception()
        told = {**fields, "error": f"{type_name(error)}: {describe(error)}"} if error is not None else fields
        self._say("error", event, told, traceback=error)

    def _say(
        self, level: LogLevel, event: str, fields: dict[str, object], *, traceback: BaseException | None = None
    ) -> None:
        kept, message = plain_fields(fields), presentable(event)
        local = _local(kept)
        if traceback is not None:
            local["exc_info"] = traceback
        getattr(self._log, level)(message, **self._names, **local)
        self._reports.log(level, message, kept)
        if self._hearer is None:
            return
        self._hearer.tell(of_task(self._task, level, message, encoded_fields(fields)))
        if traceback is not None:
            told = of_task(self._task, level, message)
            self._hearer.tell(replace(told, source="agent", exception=traceback_of(traceback)))


def _encode(data: Mapping[str, object]) -> Raw:
    return Raw(msgspec.json.encode(data))


def _local(fields: dict[str, object]) -> dict[str, object]:
    """Keep clear of the names that the logger has a meaning for."""
    taken = (
        "event",
        "exc_info",
        "stack_info",
        "level",
        "timestamp",
        "exception",
        "stack",
        "skill",
        "task",
        "attempt",
        "trace",
        SOURCE,
    )
    return {f"{name}_" if name in taken else name: value for name, value in fields.items()}
