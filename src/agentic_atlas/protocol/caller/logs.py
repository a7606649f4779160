"""Lines of agents' logs, as callers are shown them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from agentic_atlas.protocol.caller.values import Page, Shown

LOOKED_FOR: Final = 200
"""Characters of a text that log lines are looked through for."""
MOST_LAST: Final = 1_000
"""Log lines that a stream of them begins with, at the most."""


class LogInfo(Shown, frozen=True, kw_only=True):
    """A line of an agent's log."""

    at: datetime
    """When, by the agent's clock; never after it came, nor before the line before it."""
    agent: str
    """Full name of the agent; its id, once it is gone."""
    instance_id: str
    number: int
    """Its number among the lines of its instance."""
    level: str
    """`trace`, `debug`, `info`, `warning`, `error` or `critical`."""
    source: str
    """`task` is what a skill said by `ctx.log`, `logging` what came by Python's module, `stdout` and `stderr` what was
    printed, and `agent` what the SDK itself says, with errors that nobody caught."""
    message: str
    task_id: str | None = None
    attempt: int | None = None
    trace_id: str | None = None
    """32 hexadecimal digits that all tasks share that were called for one another."""
    logger: str = ""
    """Name of the logger, for `logging`."""
    fields: Mapping[str, Any] = {}
    exception: str = ""
    """Traceback of the error that it tells of."""
    missing: int = 0
    """Lines directly before it that were lost, and that no line tells of."""


class LogPage(Page[LogInfo, str], frozen=True, kw_only=True):
    """Lines, newest first. A page may be short, or empty, though more follow: `next` leads on."""

    searched_to: datetime | None = None
    """Back to when all was looked through; null: there is nothing before."""


class LogSkip(Shown, frozen=True, kw_only=True):
    """Lines that a stream has left out, for whoever reads it was too slow, or away for too long."""

    lines: int | None = None
    """How many; null: that is not known."""
