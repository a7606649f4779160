"""The server's log, to which what its libraries warn of goes too."""

import logging
from typing import Literal, TextIO

from agentic_atlas.compose.sources import quiet
from agentic_atlas.observe.logs import Log, logger


def configure(
    level: str,
    style: Literal["console", "json"] | None = None,
    stream: TextIO | None = None,
    *,
    colours: bool = True,
    payloads: bool = False,
) -> Log:
    """Return the server's logger on standard error, and send the warnings of other libraries the same way."""
    log = logger(level, style, stream, colours=colours, payloads=payloads)
    root = logging.getLogger()
    root.handlers = [_Forward(log)]
    root.setLevel(logging.WARNING)
    quiet("picows", "asyncio", "alembic")
    return log


class _Forward(logging.Handler):
    """Hands what libraries log to ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if record.levelno >= logging.ERROR:
            self._log.error("library_failed", message=said, library=record.name, exc_info=record.exc_info)
        else:
            self._log.warning("library_warned", message=said, library=record.name, exc_info=record.exc_info)
