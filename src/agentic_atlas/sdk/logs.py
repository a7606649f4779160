"""The agent's own log: console on a terminal, JSON elsewhere.

A logger of its own on standard error, not a configuration of `logging` or `structlog`: what the user's program has
configured there stays as it is. Tokens are redacted, and a log that cannot be written never stops a task.
"""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO, cast

from agentic_atlas.sdk.text import redact

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor


FAULT = "a fault of agentic-atlas itself; please report it"
"""What is logged with a traceback; the agent goes on where it can."""


_CONTROLS: Final = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069]")
_OF_LINES: Final = ("exception", "stack")

LONGEST: Final = 32_768
"""Characters of a field of a line, a traceback among them; of a longer one the middle is left out."""


class Log(Protocol):
    """What this package needs of a structlog logger: an event's name and its fields."""

    def bind(self, **fields: object) -> Log:
        """Return a log with these fields in each line."""

    def is_enabled_for(self, level: int) -> bool:
        """Tell whether lines of this level (`logging.DEBUG`, …) are written."""

    def debug(self, event: str, *args: object, **kw: object) -> object:
        """Log for developers."""

    def info(self, event: str, *args: object, **kw: object) -> object:
        """Log something that happened."""

    def warning(self, event: str, *args: object, **kw: object) -> object:
        """Log something that should not happen and did no harm."""

    def error(self, event: str, *args: object, **kw: object) -> object:
        """Log something that failed; `exc_info` is an exception whose traceback is wanted too."""


def logger(
    level: str = "info", style: str | None = None, stream: TextIO | None = None, *, colours: bool = True
) -> FilteringBoundLogger:
    """Return a logger; without a stream (`pythonw.exe` has none) it says nothing.

    Args:
        level: the lowest level that is written: `debug`, `info`, `warning` or `error`.
        style: `console` or `json`; when None, console on a terminal and JSON elsewhere.
        stream: where to write; standard error when None.
        colours: whether a terminal gets colours.
    """
    import structlog  # a seventh of a second, which `import agentic_atlas` need not take

    target = stream if stream is not None else sys.stderr
    on_terminal = is_terminal(target)
    chosen = style or ("console" if on_terminal else "json")
    made = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", Forgiving(target))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_tokens,
            *_renderer(chosen, colours=colours and on_terminal),
        ],
        wrapper_class=forgiving(structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()])),
        cache_logger_on_first_use=True,
    )
    # Bound now, and not for each line: what a level leaves out costs nothing then.
    return cast("FilteringBoundLogger", made.bind())


def forgiving(kind: type[Any]) -> type[Any]:
    """Return this kind of logger, with lines that cannot be put into words left out: fields are the users' objects."""

    class Sparing(kind):  # type: ignore[misc]  # the class is made by structlog
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


def _renderer(style: str, *, colours: bool) -> list[Processor]:
    import structlog

    if style == "json":
        return [structlog.processors.JSONRenderer(default=repr)]
    # The plain formatter: the default one prints local variables, secrets among them.
    plain = structlog.dev.plain_traceback
    return [visible, structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)]


def visible(_logger: object, _method: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
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
            event[name] = redact(_shortened(value))
    return event


def _shortened(text: str) -> str:
    """Return the text without its middle when it is very long: an exception's message may be anything."""
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]} … {len(text) - LONGEST} characters … {text[-LONGEST // 2 :]}"


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
