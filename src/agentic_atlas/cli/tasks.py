"""`atlas tasks`: what was asked for and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentic_atlas.cli import arguments, connection, events, given, output, questions
from agentic_atlas.cli.options import Json, OfAgent, TaskId

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.records import QuestionInfo, TaskInfo, TaskSummary

app = typer.Typer(rich_markup_mode=None, help="Tasks: list them, look at one, cancel, watch, answer and repeat them.")


@app.command("list")
def show_list(
    *,
    agent: OfAgent = None,
    state: Annotated[
        str | None, typer.Option("--state", help="submitted, working, input_required, completed, failed …")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 20,
    json: Json = False,
) -> None:
    """List the newest tasks."""

    async def work() -> list[TaskSummary]:
        found: list[TaskSummary] = []
        async with connection.connect() as atlas:
            async for task in atlas.tasks(agent=agent, state=state, page=min(limit, 100)):
                found.append(task)
                if len(found) == limit:
                    break
        return found

    found = connection.run(work())
    if json:
        output.document({"items": found})
    elif not found:
        output.aside("No tasks.")
    else:
        output.table(("task", "agent", "skill", "state", "created", "took", "error"), [_row(task) for task in found])


@app.command("show")
def show_one(*, task: TaskId, json: Json = False) -> None:
    """Show a task: input, output, times."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return (await atlas.task(task)).info

    found = connection.run(work())
    if json:
        output.document(found)
    else:
        _print(found)


@app.command("cancel")
def cancel(
    *,
    task: TaskId,
    reason: Annotated[str | None, typer.Option("--reason", help="Told to the agent.")] = None,
    json: Json = False,
) -> None:
    """Ask for a task to be stopped."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return await atlas.cancel(task, reason)

    found = connection.run(work())
    if json:
        output.document(found)
    elif found.state == "canceled" or not found.done:
        output.say(f"Task {found.id} is {'cancelled' if found.done else 'asked to stop'}.")
    else:
        output.say(f"Task {found.id} was {found.state} already.")


@app.command("answer")
def answer(
    *,
    task: TaskId,
    value: Annotated[
        str | None, typer.Argument(metavar="VALUE", help="The answer; without it you are asked at the terminal.")
    ] = None,
    document: Annotated[
        str | None, typer.Option("--input", metavar="JSON|@FILE|-", help="The answer as JSON; `-` reads stdin.")
    ] = None,
    question: Annotated[
        int | None, typer.Option("--question", min=1, help="Number of the question; without it the oldest open one.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer a question that a task asks. VALUE is read as the question's schema says."""
    if value is not None and document is not None:
        raise typer.BadParameter("VALUE and --input exclude each other")
    if value is None and document is None and not questions.somebody_there():
        raise typer.BadParameter("nobody can be asked here: give VALUE or --input")

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            handle = await atlas.task(task)
            asked = questions.open_question(handle.info, question)
            if document is not None:
                said = arguments.parse_json(given.read(document), "--input")
            elif value is not None:
                said = arguments.parse_value(value, asked.schema, "the answer")
            else:
                answered = await questions.put(handle, asked)
                if answered is None:
                    raise typer.Abort
                return answered
            return await handle.answer(said, question=asked.number)

    found = connection.run(work())
    if json:
        output.document(found)
    else:
        waits = f"asks another question: {questions.text(found.question)}" if found.question else f"is {found.state}"
        output.say(f"Answered. Task {found.id} {waits}.")


@app.command("retry")
def retry(*, task: TaskId, json: Json = False) -> None:
    """Submit a finished task's request again, as a new task."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            return (await atlas.retry(task)).info

    made = connection.run(work())
    if json:
        output.document(made)
    else:
        output.say(made.id)


@app.command("watch")
def watch(
    *,
    task: TaskId,
    after: Annotated[int, typer.Option("--after", min=0, help="Only events after this number.")] = 0,
    json: Json = False,
) -> None:
    """Print a task's events as they happen, the earlier ones first, until it is done. Fails when the task does."""

    async def work() -> TaskInfo:
        async with connection.connect() as atlas:
            handle = await atlas.task(task)
            async for event in handle.events(after):
                output.say(output.as_json(event) if json else events.line(event))
            return await handle.refresh()

    found = connection.run(work())
    if found.failure is not None:
        raise found.failure


def _row(task: TaskSummary) -> tuple[str, ...]:
    error = task.error.code if task.error else ""
    return (task.id, task.agent, task.skill, task.state, output.moment(task.created_at), _took(task), error)


def _asked(question: QuestionInfo) -> str:
    """Return a question, and what became of it."""
    if question.state == "answered":
        by = f" ({question.answered_by})" if question.answered_by else ""
        return f"{question.question} → {output.as_json(question.answer)}{by}"
    if question.state == "expired":
        return f"{question.question} → nobody answered in time"
    until = f", until {output.moment(question.expires_at)}" if question.expires_at else ""
    return f"{questions.text(question)} → open{until}"


def _took(task: TaskSummary) -> str:
    if task.created_at is None or task.ended_at is None:
        return ""
    return f"{(task.ended_at - task.created_at).total_seconds():.1f} s"


def _policy(task: TaskInfo) -> str:
    parts = [task.delivery, f"at most {task.max_attempts} attempts lost" if task.max_attempts else ""]
    parts += [f"{task.retries} retries" if task.retries else "", f"priority {task.priority}" if task.priority else ""]
    parts += [f"timeout {task.timeout:g} s" if task.timeout else ""]
    return ", ".join(part for part in parts if part)


def _print(task: TaskInfo) -> None:
    fault = f"{task.error.code}: {task.error.message}" if task.error else ""
    output.fields(
        [
            ("task", task.id),
            ("agent", task.agent),
            ("skill", task.skill),
            ("state", task.state),
            ("note", task.note or ""),
            ("error", fault),
            ("caller", f"{task.caller.name or task.caller.id} ({task.caller.kind})" if task.caller else ""),
            ("attempt", str(task.attempt)),
            ("created", output.moment(task.created_at)),
            ("ended", output.moment(task.ended_at)),
            ("took", _took(task)),
            ("expires", output.moment(task.waits_until)),
            ("deadline", output.moment(task.deadline)),
            ("policy", _policy(task)),
            ("part of", task.parent_id or ""),
            ("repeats", task.retry_of or ""),
            ("trace", task.trace_id or ""),
            ("input", output.as_json(task.input)),
            *((f"question {one.number}", _asked(one)) for one in task.questions),
            ("output", "" if task.state != "completed" else output.as_json(task.output)),
        ]
    )
