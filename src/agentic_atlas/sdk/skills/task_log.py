"""`ctx.log`: one line for the agent's own log, and the same as an event of the task."""

import sys

from agentic_atlas.protocol.messages import Task
from agentic_atlas.sdk.logs import Log
from agentic_atlas.sdk.skills.reports import AttemptReports, plain_fields
from agentic_atlas.sdk.text import describe, presentable, type_name


class TaskLog:
    """Structured log lines of one task: `ctx.log.info("translating", characters=120)`.

    Values that are not numbers, booleans or None are logged as text. Whoever may see the task sees its lines, except
    those of level debug, which stay on this machine. Safe from any thread.
    """

    def __init__(self, reports: AttemptReports, log: Log, task: Task) -> None:
        self._reports = reports
        self._log = log
        self._names = names(task)

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
        """Log the exception being handled: its type and message go to the task, its traceback to the local log."""
        error = sys.exception()
        told = {**fields, "error": f"{type_name(error)}: {describe(error)}"} if error is not None else fields
        self._say("error", event, told, traceback=error)

    def _say(
        self, level: str, event: str, fields: dict[str, object], *, traceback: BaseException | None = None
    ) -> None:
        kept, message = plain_fields(fields), presentable(event)
        local = _local(kept)
        if traceback is not None:
            local["exc_info"] = traceback
        getattr(self._log, level)(message, **self._names, **local)
        self._reports.log(level, message, kept)


def names(task: Task) -> dict[str, object]:
    """Return what says of which attempt a line in the agent's own log is."""
    return {"skill": task.skill, "task": task.task, "attempt": task.attempt}


def _local(fields: dict[str, object]) -> dict[str, object]:
    """Keep clear of the names that the logger has a meaning for."""
    taken = ("event", "exc_info", "stack_info", "level", "timestamp", "exception", "stack", "skill", "task", "attempt")
    return {f"{name}_" if name in taken else name: value for name, value in fields.items()}
