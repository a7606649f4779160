"""The agent's own log: console on a terminal, JSON elsewhere.

A logger of its own on standard error, not a configuration of `logging` or `structlog`: what the user's program has
configured there stays as it is. Tokens are redacted, and a log that cannot be written never stops a task.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, Protocol, TextIO, cast

from agentic_atlas.sdk.text import redact

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor


class Log(Protocol):
    """What this package needs of a structlog logger: an event's name and its fields."""

    def debug(self, event: str, *args: Any, **kw: Any) -> Any:
        """Log for developers."""

    def info(self, event: str, *args: Any, **kw: Any) -> Any:
        """Log something that happened."""

    def warning(self, event: str, *args: Any, **kw: Any) -> Any:
        """Log something that should not happen and did no harm."""

    def error(self, event: str, *args: Any, **kw: Any) -> Any:
        """Log something that failed; `exc_info` is an exception whose traceback is wanted too."""


def logger(level: str = "info", style: str | None = None, stream: TextIO | None = None) -> FilteringBoundLogger:
    """Return a logger.

    Args:
        level: the lowest level that is written: `debug`, `info`, `warning` or `error`.
        style: `console` or `json`; when None, console on a terminal and JSON elsewhere.
        stream: where to write; standard error when None.
    """
    import structlog  # a seventh of a second, which `import agentic_atlas` need not take

    target = stream if stream is not None else sys.stderr
    chosen = style or ("console" if target.isatty() else "json")
    made = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", _Forgiving(target))),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_tokens,
            *_renderer(chosen, target),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        cache_logger_on_first_use=True,
    )
    return cast("FilteringBoundLogger", made)


def _renderer(style: str, target: TextIO) -> list[Processor]:
    import structlog

    if style == "json":
        return [structlog.processors.JSONRenderer(default=repr)]
    # The plain formatter: the default one prints local variables, secrets among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)]


def _without_tokens(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


class _Forgiving:
    """A text stream whose reader may be gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        try:
            self._stream.write(text.encode("utf-8", "backslashreplace").decode("utf-8"))
        except (OSError, ValueError):
            # Closed, or a pipe to nobody, or an encoding without this character: there is nowhere left to say so.
            return

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return
