"""Takes in what a program logs with `logging`, what it prints, and the errors that nobody catches.

The program's configuration stays as it is. A handler on the root logger would change it: `logging.basicConfig` would do
nothing any more, lines that are printed because there is no handler would not be, and `dictConfig` would throw it away.
So the one place that every record goes through on its way to handlers, `Logger.callHandlers`, is wrapped, once in a
process, and does nothing while no agent listens. Records that do not come to the root logger are not taken, nor are
those that their logger's level leaves out.
"""

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, Final, Protocol, TextIO, cast

import msgspec
from msgspec.structs import replace

from agentic_atlas.protocol.messages import LogLevel, LogLine, LogSource
from agentic_atlas.sdk.lines.line import clean, encoded_fields, traceback_of
from agentic_atlas.sdk.lines.origin import Origin, current
from agentic_atlas.sdk.lines.printed import Printed
from agentic_atlas.sdk.text import describe

LINK_THREAD: Final = "atlas-link"
"""Name of the thread that sends the lines: what is said there of little importance would make lines of each line."""

_NAME: Final = 200
_LEVELS: Final[tuple[tuple[int, LogLevel], ...]] = (
    (logging.CRITICAL, "critical"),
    (logging.ERROR, "error"),
    (logging.WARNING, "warning"),
    (logging.INFO, "info"),
    (logging.DEBUG, "debug"),
)
_OF_RECORDS: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Wanted(msgspec.Struct, frozen=True):
    """What of a process is heard.

    Attributes:
        level: the lowest level of `logging` that is taken; None: none is.
        output: whether what is printed is taken too.
    """

    level: int | None = logging.INFO
    output: bool = False

    def takes(self, record: logging.LogRecord) -> bool:
        """Tell whether it takes this record."""
        return self.level is not None and record.levelno >= self.level


class Hearer(Protocol):
    """Whoever hears what a process says (`outlet.Outlet`)."""

    @property
    def copied(self) -> bool:
        """Whether this process is a copy of the one that it hears."""

    def tell(self, line: LogLine) -> None:
        """Take a line. From any thread; never fails."""


_LISTENING: Final[dict[Hearer, Wanted]] = {}
"""Agents of this process, and what each takes of it."""
_HANDLING: Final = threading.local()
"""`record`: this thread is just handling one that was taken, and what its handlers print says the same once more."""


@contextlib.contextmanager
def captured(outlet: Hearer, wanted: Wanted) -> Iterator[None]:
    """Have an agent's outlet hear, meanwhile, what its process logs and prints."""
    _wrap()
    _LISTENING[outlet] = wanted
    try:
        with _printing(outlet) if wanted.output else contextlib.nullcontext():
            yield
    finally:
        del _LISTENING[outlet]


def of_process(origin: Origin | None) -> tuple[Wanted, Callable[[LogLine], None]] | None:
    """Return what is heard of a process that runs nothing but this attempt, and whom its lines are told; None: nobody.

    All of them are the attempt's, whoever says them there.
    """
    if origin is None or origin.over:
        return None
    hearer = next((one for one in _LISTENING if one is origin.outlet), None)
    if hearer is None:
        return None
    task, trace = origin.task, origin.trace

    def tell(line: LogLine) -> None:
        hearer.tell(replace(line, task=task.task, attempt=task.attempt, trace=trace))

    return _LISTENING[hearer], tell


def unwrapped(stream: Any) -> TextIO | None:
    """Return what is behind a stream whose lines are taken; for what is told in another way already."""
    while isinstance(stream, Printed):
        stream = stream.stream
    return cast("TextIO | None", stream)


def uncaught(outlet: Hearer, what: str, error: BaseException) -> None:
    """Tell of an error that nobody catches."""
    outlet.tell(_line("agent", "critical", what, current(), exception=traceback_of(error)))


# -- logging


def _wrap() -> None:
    """See to it that what is logged and not caught comes here too, from now on."""
    if getattr(logging.Logger.callHandlers, "__wrapped__", None) is None:
        logging.Logger.callHandlers = _handling(logging.Logger.callHandlers)  # type: ignore[method-assign]  # see above
        sys.excepthook = partial(_of_program, sys.excepthook)
        threading.excepthook = partial(_of_thread, threading.excepthook)


def _handling(usual: Callable[[logging.Logger, logging.LogRecord], None]) -> Callable[..., None]:
    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        if not (_LISTENING and _take(self, record)):
            usual(self, record)
            return
        before = getattr(_HANDLING, "record", None)
        _HANDLING.record = record
        try:
            usual(self, record)
        finally:
            _HANDLING.record = before

    call_handlers.__wrapped__ = usual  # type: ignore[attr-defined]  # as functools.wraps does
    return call_handlers


def _take(logger: logging.Logger, record: logging.LogRecord) -> bool:
    """Tell whoever listens of a record; False when nobody does. Never fails: what is in it is the program's."""
    try:
        if record.threadName == LINK_THREAD and record.levelno < logging.WARNING:
            return False
        origin = _origin(record)
        hearers = [outlet for outlet in _hearers(origin) if _LISTENING[outlet].takes(record)]
        if not (hearers and _comes_to_root(logger)):
            return False
        line = _of_record(record, origin)
        for outlet in hearers:
            outlet.tell(line)
    except Exception:  # noqa: BLE001 - an object in it, or a list of agents that has changed meanwhile
        return False
    return True


def _origin(record: logging.LogRecord) -> Origin | None:
    """Return whose record it is; one that was made in another thread or process, and is handled here, is nobody's."""
    if record.process not in (None, os.getpid()) or record.thread not in (None, threading.get_ident()):
        return None
    return current()


def _comes_to_root(logger: logging.Logger) -> bool:
    one: logging.Logger | None = logger
    while one is not None and one.parent is not None:
        if not one.propagate:
            return False
        one = one.parent
    return True


def _of_record(record: logging.LogRecord, origin: Origin | None) -> LogLine:
    error = record.exc_info[1] if record.exc_info else None
    trace = "" if error is None else traceback_of(error)
    if record.stack_info:
        trace = f"{trace}\n{clean(record.stack_info)}".strip()
    more = {name: value for name, value in vars(record).items() if name not in _OF_RECORDS}
    return _line(
        "logging",
        next((name for least, name in _LEVELS if record.levelno >= least), "trace"),
        _message(record),
        origin,
        at=record.created,
        logger=clean(record.name, _NAME),
        fields=encoded_fields(more),
        exception=trace,
    )


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit, or that fail to describe themselves
        return describe(record.msg)


# -- what is printed


@contextlib.contextmanager
def _printing(outlet: Hearer) -> Iterator[None]:
    with _printed(outlet, "stdout"), _printed(outlet, "stderr"):
        yield


@contextlib.contextmanager
def _printed(outlet: Hearer, name: LogSource) -> Iterator[None]:
    stream: TextIO | None = getattr(sys, name)
    if stream is None:
        yield
        return
    level: LogLevel = "info" if name == "stdout" else "warning"

    def tell(text: str, origin: Origin | None) -> None:
        if origin is None or origin.outlet is outlet:
            outlet.tell(_line(name, level, text, origin))

    def heard() -> bool:
        return outlet in _LISTENING and not outlet.copied and getattr(_HANDLING, "record", None) is None

    ours = Printed(stream, tell, heard)
    setattr(sys, name, cast("TextIO", ours))
    try:
        yield
    finally:
        ours.rest()
        # The program may have put another in its place meanwhile, which stays: ours only passes on from now on.
        if getattr(sys, name) is ours:
            setattr(sys, name, stream)


# -- what nobody catches


def _of_program(
    usual: Callable[..., object], kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _tell_uncaught("an error that nobody caught ends the program", error)
    usual(kind, error, trace)


def _of_thread(usual: Callable[[Any], object], failed: Any) -> None:
    if failed.exc_value is not None and not issubclass(failed.exc_type, SystemExit):
        name = "?" if failed.thread is None else failed.thread.name
        _tell_uncaught(f"an error that nobody caught has ended the thread {describe(name, _NAME)}", failed.exc_value)
    usual(failed)


def _tell_uncaught(what: str, error: BaseException) -> None:
    for outlet in _hearers(current()):
        uncaught(outlet, what, error)


# -- both


def _line(
    source: LogSource, level: LogLevel, message: str, origin: Origin | None, *, at: float | None = None, **more: Any
) -> LogLine:
    if origin is not None:
        more |= {"task": origin.task.task, "attempt": origin.task.attempt, "trace": origin.trace}
    when = time.time() if at is None else at  # noqa: TID251 - a line says when by the clock of its machine
    return LogLine(max(0.0, when), level, clean(message), source, **more)


def _hearers(origin: Origin | None) -> list[Hearer]:
    """Return whom a line is for: the agent whose attempt says it, else all of the process."""
    return [one for one in list(_LISTENING) if origin is None or one is origin.outlet]
