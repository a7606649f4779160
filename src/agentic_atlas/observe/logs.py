"""How a log is written: one line an event, readable on a terminal, JSON elsewhere; tokens are redacted.

A logger of its own on standard error, not a configuration of `logging` or `structlog`: what a user's program has
configured there stays as it is. A log that cannot be written never stops a task.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO, cast

from agentic_atlas.observe.declared import LogEvent
from agentic_atlas.observe.events import LINES
from agentic_atlas.observe.redaction import shortened

if TYPE_CHECKING:
    from structlog.typing import Processor


TRACE: Final = 5
"""Below `logging.DEBUG`: every message that comes or goes."""
LEVELS: Final[Mapping[str, int]] = {
    "trace": TRACE,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
FORMATS: Final = ("console", "json")

_CONTROLS: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]")
_OF_LINES: Final = ("exception", "stack")
_WHOSE: Final = ("agent", "instance")

SOURCE: Final = "source"
"""Field of lines that are not ours: what logged them, for instance `task`."""

LONGEST: Final = 32_768
"""Characters of a field of a line, a traceback among them; of a longer one the middle is left out."""


class Log(Protocol):
    """What this package needs of a structlog logger: an event's name and its fields."""

    @property
    def payloads(self) -> bool:
        """Whether what is in messages may be shown, by whoever tells of messages."""

    def bind(self, **fields: object) -> Log:
        """Return a log with these fields in each line."""

    def is_enabled_for(self, level: int) -> bool:
        """Tell whether lines of this level (`TRACE`, `logging.DEBUG`, …) are written."""

    def trace(self, event: str, **kw: object) -> object:
        """Log a message that comes or goes."""

    def debug(self, event: str, *args: object, **kw: object) -> object:
        """Log for developers."""

    def info(self, event: str, *args: object, **kw: object) -> object:
        """Log something that happened."""

    def warning(self, event: str, *args: object, **kw: object) -> object:
        """Log something that should not happen and did no harm."""

    def error(self, event: str, *args: object, **kw: object) -> object:
        """Log something that failed; `exc_info` is an exception whose traceback is wanted too."""


def logger(
    level: str = "info",
    style: str | None = None,
    stream: TextIO | None = None,
    *,
    colours: bool = True,
    named: bool = True,
    payloads: bool = False,
    heard: Callable[[Mapping[str, object]], object] | None = None,
) -> Log:
    """Return a logger; without a stream (`pythonw.exe` has none) it says nothing.

    Args:
        level: the lowest level that is written: one of `LEVELS`.
        style: `console` or `json`; when None, console on a terminal and JSON elsewhere.
        stream: where to write; standard error when None.
        colours: whether a terminal gets colours.
        named: whether lines for people say which agent they are of; those of JSON always do.
        payloads: whether tracing shows what is in messages.
        heard: told of each line that is written, with its fields, `event`, `level` and `message` among them.
    """
    import structlog  # a seventh of a second, which `import agentic_atlas` need not take

    target = stream if stream is not None else sys.stderr
    on_terminal = is_terminal(target)
    chosen = style or ("console" if on_terminal else "json")
    made = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", Forgiving(target))),
        processors=[
            _level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_tokens,
            _worded,
            *([] if heard is None else [partial(_told, heard)]),
            *_renderer(chosen, colours=colours and on_terminal, named=named),
        ],
        wrapper_class=_forgiving(LEVELS[level], shows_payloads=payloads),
        cache_logger_on_first_use=True,
    )
    # Bound now, and not for each line: what a level leaves out costs nothing then.
    return cast("Log", made.bind())


def sentence(event: str, fields: Mapping[str, object]) -> str:
    """Return what a person reads of a line: its message, else its words, else its name."""
    line = _line(event, fields)
    if line is None or not line.told <= fields.keys():
        return event
    return line.words.format_map(fields) if line.words else str(fields.get("message", event))


def _line(event: object, fields: Mapping[str, object]) -> LogEvent | None:
    """Return how a line is declared; None for one of the user's own, which may be called as one of ours is."""
    return None if SOURCE in fields else LINES.get(str(event))


def _forgiving(level: int, *, shows_payloads: bool) -> type[Any]:
    """Return a kind of logger that leaves out lines that cannot be put into words: fields are the users' objects."""
    import structlog

    # Below DEBUG there is one level that structlog knows, and none that we have.
    kind: type[Any] = structlog.make_filtering_bound_logger(level if level > TRACE else logging.NOTSET)

    class Sparing(kind):  # type: ignore[misc]  # the class is made by structlog
        payloads = shows_payloads

        def trace(self, event: str, **fields: object) -> object:
            return self._proxy_to_logger("debug", event, level="trace", **fields) if level <= TRACE else None

        def _proxy_to_logger(
            self, method_name: str, event: str | None = None, *args: object, **fields: object
        ) -> object:
            say = super()._proxy_to_logger
            try:
                return say(method_name, event, *args, **fields)
            except Exception:  # noqa: BLE001 - whatever it is, a log that fails must not fail what it is about
                with contextlib.suppress(Exception):
                    return say(method_name, event, unwritable=", ".join(fields))
            return None

    return Sparing


def _renderer(style: str, *, colours: bool, named: bool) -> list[Processor]:
    import structlog

    if style == "json":
        return [structlog.processors.JSONRenderer(default=repr)]
    # The plain formatter: the default one prints local variables, secrets among them.
    plain = structlog.dev.plain_traceback
    shown = [_for_a_person] if named else [_for_a_person, _unnamed]
    return [*shown, _visible, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]


def _level(_logger: object, method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    event.setdefault("level", method)
    return event


def _worded(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    name = str(event["event"])
    if (said := sentence(name, event)) != name:
        event["message"] = said
    return event


def _told(
    heard: Callable[[Mapping[str, object]], object],
    _logger: object,
    _method: str,
    event: MutableMapping[str, object],
) -> MutableMapping[str, object]:
    heard(event)
    return event


def _for_a_person(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Put the sentence in the place of the name, and leave out what it says already."""
    line = _line(event["event"], event)
    if line is not None:
        event["event"] = event.pop("message", event["event"])
        for name in line.told:
            event.pop(name, None)
    event.pop(SOURCE, None)
    return event


def _unnamed(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name in _WHOSE:
        event.pop(name, None)
    return event


def _visible(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Show characters that a terminal obeys, and breaks that would begin a line of somebody else's, by their codes.

    For a console: what peers and callers say gets into lines, and JSON escapes it by itself.
    """
    for name, value in event.items():
        if isinstance(value, str):
            shown = _CONTROLS.sub(_code, value)
            event[name] = shown if name in _OF_LINES else shown.replace("\n", "\\n")
    return event


def _code(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode("ascii")


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person reads this stream."""
    try:
        return stream is not None and stream.isatty()
    except Exception:  # noqa: BLE001 - closed, or an object of the program's that is less than a stream
        return False


def _without_tokens(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = shortened(value, LONGEST)
    return event


class Forgiving:
    """A text stream whose reader may be gone, or that is none at all."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write it, or not."""
        # Closed, or a pipe to nobody, or an encoding without this character, or an object of the program's that fails
        # in its own way: there is nowhere left to say so.
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))

    def flush(self) -> None:
        """Have it read now, or not."""
        if self._stream is not None:
            with contextlib.suppress(Exception):
                self._stream.flush()
