"""`atlas logs`: what agents say, as they say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import click

from agentic_atlas.cli import completion, connection, ids, output, times
from agentic_atlas.cli.command.declared import Option, whole
from agentic_atlas.cli.options import Iso, Json, OfAgent, Utc

if TYPE_CHECKING:
    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.logs import LogInfo, LogSkip
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
_SOURCES = ("task", "logging", "stdout", "stderr", "agent")
_COLOURS = {"trace": 90, "debug": 90, "warning": 33, "error": 31, "critical": 31}
"""Of levels, by their numbers for a terminal (ECMA-48 SGR); others have none."""
_LAST = 100
_MOST_LAST = 1_000
"""Lines that a stream begins with at the most."""
_WIDEST = max(map(len, _LEVELS))


def show(  # noqa: PLR0913  # each is an option of the command
    *,
    follow: Annotated[bool, Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    agent: OfAgent = None,
    task: Annotated[
        str | None,
        Option("--task", metavar="ID", help="Only what was said in this task.", shell_complete=completion.tasks),
    ] = None,
    trace: Annotated[
        str | None, Option("--trace", metavar="ID", help="Only what was said in tasks of this trace (32 digits).")
    ] = None,
    level: Annotated[
        str | None, Option("--level", type=click.Choice(_LEVELS), help="Only this level, and more severe ones.")
    ] = None,
    source: Annotated[
        tuple[str, ...],
        Option("--source", type=click.Choice(_SOURCES), help="Only lines from there; may be repeated."),
    ] = (),
    since: Annotated[
        str | None, Option("--since", metavar="SPAN|TIME", help="Only newer ones: 30m, 12h, 7d, or a time in ISO 8601.")
    ] = None,
    until: Annotated[str | None, Option("--until", metavar="SPAN|TIME", help="Only older ones.")] = None,
    grep: Annotated[
        str | None, Option("--grep", metavar="TEXT", help="Only lines with this text, in capitals or not.")
    ] = None,
    last: Annotated[
        int | None, Option("-n", "--last", metavar="N", type=whole(0, 100_000), help="How many lines: 100, else.")
    ] = None,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """Show the last lines of agents' logs, the oldest of them first.

    What skills say by `ctx.log` is shown to whoever may see the task; all else to whoever manages the agent.
    """
    if follow and until is not None:
        raise click.UsageError("--follow goes on with what comes: it has no --until")
    clock = times.clock(utc=utc, iso=iso)
    newer, older = (None if at is None else times.moment(at, clock.now()) for at in (since, until))
    wanted: dict[str, Any] = {"agent": agent, "task": task, "trace": trace, "level": level, "source": source or None}
    wanted |= {"since": newer, "text": grep}
    limit = _LAST if last is None else last
    if follow:
        connection.run(_follow(wanted, limit, lambda line: _show(line, clock, json=json)))
        return
    with output.progress("looking through the logs"):
        found, more = connection.run(_past({**wanted, "until": older}, limit))
    for line in reversed(found):
        _show(line, clock, json=json)
    if not found:
        output.aside("No lines like that are kept.")
    elif more and last is None:
        output.aside(f"There are earlier lines: `--last {10 * limit}` shows more, `--since` and `--grep` narrow.")


async def _past(wanted: dict[str, Any], limit: int) -> tuple[list[LogInfo], bool]:
    """Return the last lines, the newest first, and whether there are more."""
    found: list[LogInfo] = []
    async with connection.connect() as atlas:
        asked = await _whole(atlas, wanted)
        async with aclosing(atlas.logs.list(**asked)) as lines:
            async for line in lines:
                if len(found) == limit:
                    return found, True
                found.append(line)
    return found, False


async def _follow(wanted: dict[str, Any], limit: int, show: Callable[[LogInfo | LogSkip], None]) -> None:
    """Show the last lines and those that come."""
    async with connection.connect() as atlas:
        asked = await _whole(atlas, wanted)
        async with aclosing(atlas.logs.follow(last=min(limit, _MOST_LAST), **asked)) as lines:
            async for line in lines:
                show(line)


async def _whole(atlas: AsyncClient, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return what is wanted with the whole id of the task."""
    task = wanted["task"]
    return wanted if task is None else {**wanted, "task": await ids.task(atlas, task)}


def _show(told: LogInfo | LogSkip, clock: TimeFormat, *, json: bool) -> None:
    """Print a line, or what stands for those that are left out."""
    from agentic_atlas.protocol.caller.logs import LogSkip

    if json:
        output.record(told)
    elif isinstance(told, LogSkip):
        many = "Lines" if told.lines is None else f"{told.lines} lines"
        output.aside(f"… {many} are left out here: they came faster than they were read.")
    else:
        if told.missing:
            output.aside(f"… {told.missing} lines of {told.agent} were lost here.")
        level = told.level.ljust(_WIDEST)
        output.line(f"{_when(told, clock)}  ", level, _COLOURS.get(told.level), _text(told))


def _when(line: LogInfo, clock: TimeFormat) -> str:
    """Return when a line was said: the time of day, and the day where it is another one."""
    from datetime import UTC, datetime

    at, today = line.at.astimezone(), datetime.fromtimestamp(clock.now(), UTC).astimezone()
    if clock.utc or clock.iso or at.date() == today.date():
        return clock.of_day(line.at)
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _text(line: LogInfo) -> str:
    """Return what a line says, behind whose it is, with its fields; a traceback stands below."""
    facts = [f"{name}={_word(value)}" for name, value in _facts(line).items()]
    whose = f"{line.agent} {line.logger}" if line.logger else line.agent
    return "\n".join(filter(None, ["  ".join(["", whose, line.message, *facts]), line.exception.rstrip()]))


def _facts(line: LogInfo) -> Mapping[str, object]:
    known = {"task": line.task_id, "attempt": line.attempt if line.attempt not in (None, 1) else None}
    printed = {"source": line.source} if line.source in ("stdout", "stderr") else {}
    return {**line.fields, **{name: value for name, value in known.items() if value is not None}, **printed}


def _word(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else output.as_json(value)
