"""`atlas tasks`: what was asked for and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import click

from agentic_atlas.cli import arguments, completion, connection, events, given, ids, output, questions, times
from agentic_atlas.cli.command.declared import Argument, Option, whole
from agentic_atlas.cli.options import Iso, Json, OfAgent, TaskId, Utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentic_atlas.cli.times import TimeFormat
    from agentic_atlas.protocol.caller.tasks import QuestionInfo, TaskInfo, TaskSummary
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

STATES = ("submitted", "working", "input_required", "completed", "failed", "canceled", "rejected")
PAGE = 100
"""Tasks that are asked for at a time."""
LONGEST_VALUE = 10_000
"""Characters of an input or output that are shown to people."""


def show_list(  # noqa: PLR0913  # each is an option of the command
    *,
    agent: OfAgent = None,
    skill: Annotated[str | None, Option("--skill", metavar="SKILL", help="Only of the skill of this name.")] = None,
    states: Annotated[
        tuple[str, ...],
        Option(
            "--state",
            metavar="STATE",
            type=click.Choice(STATES),
            help=f"Only in this state: {', '.join(STATES)}. May be given several times.",
        ),
    ] = (),
    since: Annotated[
        str | None, Option("--since", metavar="SPAN|TIME", help="Only newer ones: 30m, 12h, 7d, or a time in ISO 8601.")
    ] = None,
    until: Annotated[
        str | None, Option("--until", metavar="SPAN|TIME", help="Only older ones, as for --since.")
    ] = None,
    caller: Annotated[
        str | None,
        Option("--caller", metavar="WHO", help="Only what a user, or OWNER/NAME of an agent or a key, asked for."),
    ] = None,
    error: Annotated[
        str | None, Option("--error", metavar="CODE", help="Only what ended with this error, for instance timeout.")
    ] = None,
    limit: Annotated[int, Option("--limit", metavar="N", type=whole(1, 10_000), help="How many.")] = 20,
    cursor: Annotated[str | None, Option("--cursor", metavar="NEXT", help="Go on behind a list: its `next`.")] = None,
    every: Annotated[bool, Option("--all", help="All there are, whatever the limit.")] = False,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """List the newest tasks.

    In a terminal a task is one line, with the beginning of its id, which every command takes, and agents of your own
    are without their owner. Inputs and outputs are in `atlas tasks show`.
    """
    clock = times.clock(utc=utc, iso=iso)
    newer, older = (None if one is None else times.moment(one, clock.now()) for one in (since, until))
    wanted = {"agent": agent, "skill": skill, "state": states, "since": newer, "until": older}
    wanted |= {"caller": caller, "error": error}

    async def work() -> tuple[list[TaskSummary], str | None]:
        async with connection.connect() as atlas:
            return await _found(atlas, wanted, cursor, None if every else limit)

    found, after = connection.run(work())
    if json:
        output.document({"items": found, "next": after})
        return
    if found:
        names = [task.id for task in found]
        shown = ids.shortened(names) if output.terminal() else names
        mine = f"{connection.stored_user()}/" if output.terminal() else ""
        rows = [_row(task, name, clock, mine) for task, name in zip(found, shown, strict=True)]
        columns = ("task", "agent", "skill", "state", "created", "took", "error")
        output.table(columns, rows, shrinks=("agent", "skill", "error"), drops=("took", "error"))
    else:
        output.aside("No tasks.")
    if after is not None:
        output.aside(f"There are older ones: --all, or --cursor {after}")


async def _found(
    atlas: AsyncClient, wanted: Mapping[str, Any], after: str | None, limit: int | None
) -> tuple[list[TaskSummary], str | None]:
    """Return so many tasks, or all, and the cursor of what is behind them."""
    found: list[TaskSummary] = []
    while limit is None or len(found) < limit:
        most = PAGE if limit is None else min(PAGE, limit - len(found))
        page = await atlas.tasks.page(**wanted, after=after, limit=most)
        found += page.items
        before, after = after, page.next
        if after in (None, before):
            break
    return found, after


def show_one(*, task: TaskId, utc: Utc = False, iso: Iso = False, json: Json = False) -> None:
    """Show a task: input, output, times."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return (await atlas.tasks.get(await ids.task(atlas, task))).info

    found = connection.run(work())
    if json:
        output.document(found)
    else:
        _print(found, times.clock(utc=utc, iso=iso))


def cancel(
    *,
    task: TaskId,
    reason: Annotated[str | None, Option("--reason", help="Told to the agent.")] = None,
    json: Json = False,
) -> None:
    """Ask for a task to be stopped."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return await atlas.tasks.cancel(await ids.task(atlas, task), reason)

    found = connection.run(work())
    if json:
        output.document(found)
    elif found.state == "canceled" or not found.done:
        output.say(f"Task {found.id} is {'cancelled' if found.done else 'asked to stop'}.")
    else:
        output.say(f"Task {found.id} {questions.standing(found.state)} already.")


def answer(
    *,
    task: TaskId,
    value: Annotated[
        str | None,
        Argument(help="The answer; without it you are asked at the terminal. One with a - in front follows --."),
    ] = None,
    document: Annotated[
        str | None,
        Option(
            "--input",
            metavar="JSON|@FILE|-",
            help="The answer as JSON; `-` reads stdin.",
            shell_complete=completion.files,
        ),
    ] = None,
    question: Annotated[
        int | None,
        Option(
            "--question", metavar="N", type=whole(1), help="Number of the question; without it the oldest open one."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Answer a question that a task asks. VALUE is read as the question's schema says."""
    if value is not None and document is not None:
        raise click.UsageError("VALUE and --input exclude each other")
    if value is None and document is None and not questions.somebody_there():
        raise click.UsageError("nobody can be asked here: give VALUE or --input")

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            handle = await atlas.tasks.get(await ids.task(atlas, task))
            asked = questions.open_question(handle.info, question)
            if document is not None:
                said = arguments.parse_json(given.text(document), "--input")
            elif value is not None:
                said = arguments.parse_value(value, asked.schema, "the answer")
            else:
                answered = await questions.put(handle, asked)
                if answered is None:
                    raise click.Abort
                return answered
            return await handle.answer(said, question=asked.number)

    found = connection.run(work())
    if json:
        output.document(found)
    else:
        waits = (
            f"asks another question: {questions.text(found.question)}"
            if found.question
            else questions.standing(found.state)
        )
        output.say(f"Answered. Task {found.id} {waits}.")


def retry(*, task: TaskId, json: Json = False) -> None:
    """Submit a finished task's request again, as a new task."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return (await atlas.tasks.retry(await ids.task(atlas, task))).info

    made = connection.run(work())
    if json:
        output.document(made)
    else:
        output.say(made.id)


def watch(
    *,
    task: TaskId,
    after: Annotated[int, Option("--after", metavar="N", type=whole(0), help="Only events after this number.")] = 0,
    utc: Utc = False,
    iso: Iso = False,
    json: Json = False,
) -> None:
    """Print a task's events as they happen, the earlier ones first, until it is done. Fails when the task does."""

    clock = times.clock(utc=utc, iso=iso)

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            handle = await atlas.tasks.get(await ids.task(atlas, task))
            async for event in handle.events(after):
                output.record(event) if json else output.say(events.line(event, clock))
            return await handle.refresh()

    found = connection.run(work())
    if found.failure is not None:
        raise found.failure


def _row(task: TaskSummary, name: str, clock: TimeFormat, mine: str) -> tuple[str, ...]:
    error = task.error.code if task.error else ""
    return (
        name,
        task.agent.removeprefix(mine),
        task.skill,
        task.state,
        clock.short(task.created_at),
        _took(task),
        error,
    )


def _asked(question: QuestionInfo, clock: TimeFormat) -> str:
    """Return a question, and what became of it."""
    if question.state == "answered":
        by = f" ({question.answered_by})" if question.answered_by else ""
        return f"{question.question} → {output.as_json(question.answer)}{by}"
    if question.state == "expired":
        return f"{question.question} → nobody answered in time"
    until = f", until {clock.full(question.expires_at)}" if question.expires_at else ""
    return f"{questions.text(question)} → open{until}"


def _took(task: TaskSummary) -> str:
    if task.ended_at is None:
        return ""
    return times.took((task.ended_at - task.created_at).total_seconds())


def _policy(task: TaskInfo) -> str:
    parts = [task.delivery, f"at most {task.max_attempts} attempts lost" if task.max_attempts else ""]
    parts += [f"{task.retries} retries" if task.retries else "", f"priority {task.priority}" if task.priority else ""]
    parts += [f"timeout {task.timeout:g} s" if task.timeout else ""]
    return ", ".join(part for part in parts if part)


def _value(value: object) -> str:
    """Return an input or output on a line, the beginning of one that fills the screen."""
    text = output.as_json(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text)} characters; --json has all)"


def _print(task: TaskInfo, clock: TimeFormat) -> None:
    fault = f"{task.error.code}: {task.error.message}" if task.error else ""
    output.fields(
        [
            ("task", task.id),
            ("agent", task.agent),
            ("skill", task.skill),
            ("state", task.state),
            ("note", task.note or ""),
            ("error", fault),
            ("caller", f"{task.caller.name or task.caller.id} ({task.caller.kind})"),
            ("attempt", str(task.attempt)),
            ("created", clock.full(task.created_at)),
            ("ended", clock.full(task.ended_at)),
            ("took", _took(task)),
            ("expires", clock.full(task.waits_until)),
            ("deadline", clock.full(task.deadline)),
            ("policy", _policy(task)),
            ("part of", task.parent_id or ""),
            ("repeats", task.retry_of or ""),
            ("trace", task.trace_id),
            ("input", _value(task.input)),
            *((f"question {one.number}", _asked(one, clock)) for one in task.questions),
            ("output", "" if task.state != "completed" else _value(task.output)),
        ]
    )
