"""The one place where an error becomes a sentence on stderr and an exit code.

0: done. 1: it was tried and failed. 2: the command was typed wrongly, or something on this machine has to be set first.
128 and the number of a signal: it ended the command, so 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP, and 141 when
nobody reads the output any more.
"""

import click

from agentic_atlas.cli import connection, output
from agentic_atlas.errors import (
    AtlasError,
    ConfigurationError,
    Forbidden,
    InvalidInput,
    TaskError,
    Unauthenticated,
)

FAILED = 1
MISUSED = 2
INTERRUPTED = 130
UNREAD = 141

SHARED = ("--json", "--utc", "--iso")
"""Options of many commands, which people put before them too."""

FIXES: dict[type[AtlasError], str] = {
    Unauthenticated: "check the API key: ATLAS_API_KEY, or the credentials file of `atlas up` and `atlas login`, "
    "which makes another one",
    Forbidden: "`atlas whoami` tells who you are to the platform",
}
"""What the platform cannot know when it refuses: what there is to do on this machine."""

TYPED = {
    "login_failed": "who has forgotten theirs asks an administrator for a link (`atlas users invite NAME`)",
    "code_required": "`atlas login URL --user NAME` asks for it",
}
"""What there is to do about what was typed and is wrong, by the code of the error: no API key was asked for there."""

IDS = {
    "token_not_found": "give an id, as `atlas tokens list AGENT` shows them",
    "task_not_found": "`atlas tasks list` shows their ids",
}
"""Where the ids are that were not found, by the code of the error."""


def report(error: Exception, *, as_json: bool) -> int:
    """Print an error and return the exit code that goes with it."""
    code, message, detail = _parts(error)
    if as_json:
        output.aside(output.as_json({"error": {"code": code, "message": message, "detail": detail}}))
    elif message:
        output.aside(message)
    return _exit_code(error)


def _parts(error: Exception) -> tuple[str, str, object]:
    """Return an error's word for programs, its sentence, and its facts."""
    if isinstance(error, TaskError):
        task = f"the task {error.task_id}" if error.task_id else "the task"
        text = f"{task} ended {error.state} ({error.code}): {error.message}"
        return error.code, text, {"task_id": error.task_id, "state": error.state, "detail": error.detail}
    if isinstance(error, AtlasError):
        return error.code, _with_fix(error), error.detail
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return "os_error", f"{place}{error.strerror or error}", None
    if isinstance(error, click.UsageError):
        return "usage", _with_help(error), None
    if isinstance(error, click.Abort):
        return "aborted", "stopped", None
    text = f"this should not have happened ({type(error).__name__}: {error}); `atlas --traceback …` shows where"
    return "internal", text, None


def _with_help(error: click.UsageError) -> str:
    """Return what was typed wrongly, with where to read how it is right."""
    where = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
    if isinstance(error, click.NoSuchOption) and error.option_name in SHARED and error.ctx and error.ctx.parent is None:
        return f"{error.option_name} follows the command, as in `atlas agents list {error.option_name}`{where}"
    return error.format_message().removesuffix(".") + where


def _with_fix(error: AtlasError) -> str:
    """Return the sentence, with what a person at a command line can do about it."""
    by_code = IDS.get(error.code) or TYPED.get(error.code)
    fix = by_code or next((fix for kind, fix in FIXES.items() if isinstance(error, kind)), None)
    message = f"{error.message.rstrip('.')}; {fix}" if fix else error.message
    asked = connection.one_of_several() if error.code in ("agent_not_found", *IDS) else ""
    return f"{message} (on {asked})" if asked else message


def _exit_code(error: Exception) -> int:
    return MISUSED if isinstance(error, ConfigurationError | InvalidInput | click.UsageError) else FAILED
