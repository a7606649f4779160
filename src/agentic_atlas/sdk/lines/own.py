"""What of the agent's own log is told to the network, beside being written where the agent runs."""

import time
from collections.abc import Mapping
from typing import Final

from agentic_atlas.observe.logs import SOURCE
from agentic_atlas.protocol.messages import LogLevel, LogLine
from agentic_atlas.sdk.lines.line import clean, encoded_fields

_LEVELS: Final[Mapping[object, LogLevel]] = {
    "info": "info",
    "warning": "warning",
    "error": "error",
    "critical": "critical",
}
_OF_LINES: Final = (
    "agent", "instance", "task", "attempt", "trace", "event", "level", "timestamp", "message", "exception", "stack",
)  # fmt: skip


def own_line(event: Mapping[str, object]) -> LogLine | None:
    """Return what is told of a line of the agent's own log; None for one that the network need not be told.

    That a task was received or completed, its own events tell. What tells of messages would tell of itself, without
    end. And what skills log comes by another way.
    """
    level = _LEVELS.get(event.get("level"))
    if level is None or SOURCE in event or (level == "info" and "task" in event):
        return None
    attempt = event.get("attempt", 0)
    return LogLine(
        time.time(),  # noqa: TID251 - a line says when by the clock of its machine
        level,
        clean(str(event.get("message", event.get("event", "")))),
        "agent",
        task=str(event.get("task", "")),
        attempt=attempt if isinstance(attempt, int) else 0,
        trace=str(event.get("trace", "")),
        fields=encoded_fields({name: value for name, value in event.items() if name not in _OF_LINES}),
        exception=clean(str(event.get("exception", ""))),
    )
