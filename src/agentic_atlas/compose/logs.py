"""The server's log: structured, one line an event, secrets redacted; a console's colours on a terminal, else JSON."""

import logging
import sys
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from agentic_atlas.auth import redact
from agentic_atlas.compose.sources import quiet
from agentic_atlas.sdk.logs import Forgiving, forgiving, is_terminal, visible

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def configure(
    level: str, style: Literal["console", "json"] | None = None, stream: TextIO | None = None
) -> FilteringBoundLogger:
    """Return the server's logger on standard error, and send the warnings of other libraries the same way.

    A log that nobody can read any more, or a line that cannot be put into words, stops nothing.
    """
    target = sys.stderr if stream is None else stream
    on_terminal = is_terminal(target)
    as_console = style == "console" or (style is None and on_terminal)
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redacted,
        *(_console(colours=on_terminal) if as_console else [structlog.processors.JSONRenderer()]),
    ]
    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(cast("TextIO", Forgiving(target))),
        processors=processors,
        wrapper_class=forgiving(structlog.make_filtering_bound_logger(_LEVELS[level])),
    )
    root = logging.getLogger()
    root.handlers = [_Forward(log)]
    root.setLevel(logging.WARNING)
    quiet("picows", "asyncio", "alembic")
    return log


def _console(*, colours: bool) -> list[Processor]:
    return [visible, structlog.dev.ConsoleRenderer(colors=colours)]


def _redacted(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Whatever looks like a token or an API key does not get into the log."""
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


class _Forward(logging.Handler):
    """Hands what libraries log to ours."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._log.error("library_failed", says=said, library=record.name, exc_info=record.exc_info)
        else:
            self._log.warning("library_warned", says=said, library=record.name, exc_info=record.exc_info)
