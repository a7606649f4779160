"""`atlas call`: run a skill and print what it returns."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import arguments, completion, connection, events, explain, given, output, questions
from agentic_atlas.cli.command.declared import Argument, Number, Option, whole
from agentic_atlas.cli.options import AgentName, Json
from agentic_atlas.errors import AtlasError, InvalidInput, NotFound

if TYPE_CHECKING:
    from agentic_atlas.cli.questions import Prompter
    from agentic_atlas.protocol.caller.tasks import TaskInfo, TaskOptions
    from agentic_atlas.sdk.client.asynchronous import AsyncClient
    from agentic_atlas.sdk.client.task import TaskHandle

CANCEL_SECONDS = 3.0
"""How long an interrupted command takes to tell the platform."""

_UNKNOWN = (
    "what the skill takes is not known here without the scope agents:read: KEY=VALUE is text, KEY:=JSON gives all else"
)


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    agent: str
    skill: str
    pairs: Sequence[str]
    base: str | None
    options: TaskOptions
    wait: bool
    patient: bool
    """Answers from elsewhere are waited for when nobody can be asked here."""
    stream: bool
    timeout: float | None
    json: bool


def call(  # noqa: PLR0913  # each is an argument or an option of the command
    *,
    agent: AgentName,
    skill: Annotated[str, Argument(help="The skill to run.", shell_complete=completion.skills)],
    pairs: Annotated[
        tuple[str, ...],
        Argument(
            metavar="[KEY=VALUE]...",
            help="The input; also KEY:=JSON, KEY=@FILE, KEY=- (stdin), KEY.PART=VALUE.",
            shell_complete=completion.fields,
        ),
    ] = (),
    base: Annotated[
        str | None,
        Option(
            "--input",
            metavar="JSON|@FILE|-",
            help="The input as a JSON object; `-` reads stdin.",
            shell_complete=completion.files,
        ),
    ] = None,
    stream: Annotated[bool, Option("--stream", help="Print the output piece by piece, as it comes.")] = False,
    timeout: Annotated[
        float | None,
        Option("--timeout", metavar="SECONDS", type=Number(0.001), help="Cancel the task after that long."),
    ] = None,
    wait: Annotated[
        bool | None,
        Option(
            "--wait/--no-wait", help="Wait for the output, and in a script for answers too; or print the task's id."
        ),
    ] = None,
    idempotency_key: Annotated[
        str | None, Option("--idempotency-key", metavar="KEY", help="The same key is the same task.")
    ] = None,
    priority: Annotated[
        int, Option("--priority", metavar="N", type=whole(0, 9), help="Higher ones first; 0 without it.")
    ] = 0,
    retries: Annotated[
        int | None,
        Option("--retries", metavar="N", type=whole(0, 100), help="Further tries after an error of the skill."),
    ] = None,
    at_most_once: Annotated[bool, Option("--at-most-once", help="Never start it twice.")] = False,
    queue_ttl: Annotated[
        float | None, Option("--queue-ttl", metavar="SECONDS", type=Number(0), help="How long it may wait to be taken.")
    ] = None,
    about: Annotated[
        bool, Option("-h", "--help", help="Show this help; after AGENT SKILL: what the skill takes.")
    ] = False,
    json: Json = False,
) -> None:
    """Run a skill of an agent and print its output. What it asks meanwhile is asked at the terminal.

    Where nobody is at one, as in a script, a question ends the command with an error that says how to answer it, and
    the task goes on; with --wait or --timeout the answer is waited for. One that expires by itself always is.

    Values are read as the skill's schema says, which `atlas call AGENT SKILL --help` shows:

      name=Ada times=3 loud=true  text, a number, a truth value
      text=@notes.txt             what is in a file; for an @ itself: text=@@ada
      picture=@cat.jpg            any file, for a parameter of bytes
      text=-                      what comes through stdin
      to.city=Paris               a part of the object `to`
      xs=1 xs=2 xs=3              a list; of numbers also xs=1,2,3
      xs:='[1, 2, 3]'             JSON, whatever the schema says

    A signal (Ctrl-C, SIGTERM, SIGHUP) or a reader of the output that leaves asks the task to stop; --no-wait leaves it
    to itself. Text is printed as the skill returned it, with a line break behind it where it ends with none, unless a
    terminal shows it: --json has the whole task, and the text exactly.
    """
    if about:
        connection.run(_explain(agent, skill))
        return
    from agentic_atlas.protocol.caller.tasks import TaskOptions

    # Nobody waits at a terminal for an agent that is offline, unless they say so; a task that is left behind does.
    options = TaskOptions(
        idempotency_key=idempotency_key,
        priority=priority,
        retries=retries,
        delivery="at_most_once" if at_most_once else None,
        queue_ttl=0.0 if wait is not False and queue_ttl is None else queue_ttl,
    )
    patient = bool(wait) or timeout is not None
    wish = Wish(agent, skill, pairs, base, options, wait is not False, patient, stream, timeout, json)
    info, printed = connection.run(_call(wish))
    if not wish.wait:
        output.document(info) if json else output.say(info.id)
    elif info.failure is not None:
        raise info.failure
    elif not printed:
        _print_output(info, json=json)


async def _explain(agent: str, skill: str) -> None:
    async with connection.connect() as atlas:
        found = explain.known_skill(await explain.agent_of(atlas, agent), skill)
    output.page("\n".join(explain.of_skill(agent, found, whole=True)))


async def _call(wish: Wish) -> tuple[TaskInfo, bool]:
    """Return the task at the end, and whether its output is printed already."""
    import asyncio

    async with connection.connect() as atlas:
        fields, known = await _input(atlas, wish)
        try:
            task = await _submitted(atlas, wish, fields)
        except InvalidInput as error:
            if known:
                raise
            raise InvalidInput(f"{error.message}; {_UNKNOWN}", code=error.code, detail=error.detail) from None
        if not wish.wait:
            return task.info, False
        if task.info.note:
            output.aside(task.info.note)
        try:
            async with asyncio.timeout(wish.timeout):
                printed = await _follow(task, wish)
        except (asyncio.CancelledError, BrokenPipeError):
            await _cancel(task, "interrupted by its caller")
            raise
        except TimeoutError:
            await _cancel(task, "its caller stopped waiting")
            raise _too_late(task, wish) from None
        return task.info, printed


async def _submitted(atlas: AsyncClient, wish: Wish, fields: Mapping[str, object]) -> TaskHandle:
    """Submit the task; one that is interrupted in this moment is not left behind by a command that waits for it."""
    import asyncio

    try:
        async with asyncio.TaskGroup() as group:
            submission = group.create_task(_submit(atlas, wish, fields))
            try:
                return await asyncio.shield(submission)
            except asyncio.CancelledError:
                if wish.wait:
                    with contextlib.suppress(AtlasError, TimeoutError):
                        async with asyncio.timeout(CANCEL_SECONDS):
                            await _cancel(await submission, "interrupted by its caller")
                raise
    except ExceptionGroup as failed:
        raise _first(failed) from None


async def _submit(atlas: AsyncClient, wish: Wish, fields: Mapping[str, object]) -> TaskHandle:
    from msgspec.structs import asdict

    try:
        return await atlas.submit(wish.agent, wish.skill, fields, **asdict(wish.options))
    except NotFound as error:
        if error.code == "agent_not_found":
            await explain.agent_seen(atlas, wish.agent)  # which says what may have been meant
        raise


def _too_late(task: TaskHandle, wish: Wish) -> Exception:
    from agentic_atlas.sdk.client.errors import NotFinished

    text = f"task {task.id} was not done after {wish.timeout:g} s and was asked to stop"
    return NotFinished(text, task_id=task.id)


async def _follow(task: TaskHandle, wish: Wish) -> bool:
    """Wait for the end of the task, showing and asking what happens; return whether the output was shown by that."""
    import asyncio

    there = questions.somebody_there() and not wish.json
    try:
        async with asyncio.TaskGroup() as group:
            prompter = questions.Prompter(task, group, prompts=there, patient=wish.patient)
            printed = await (_stream if wish.stream else _watch)(task, wish, prompter)
            prompter.stop()
    except ExceptionGroup as failed:
        # What the command failed with is one error, wherever it was raised.
        raise _first(failed) from None
    await task.wait()
    return printed


def _first(error: Exception) -> Exception:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


async def _watch(task: TaskHandle, wish: Wish, prompter: Prompter) -> bool:
    name = f"{wish.agent} {wish.skill}"
    setback = events.setbacks()
    with contextlib.ExitStack() as shown:
        show: Callable[[str | None], None] = _nothing
        if not wish.json and output.terminal(sys.stderr):
            show = shown.enter_context(output.progress(name))
            prompter.began = lambda: show(None)
        async for event in task.events():
            _tell(setback(event))
            if event.kind in ("question", "answer"):
                prompter.see(event)
            elif event.kind in ("state", "progress") and not prompter.busy:
                show(f"{name}: {events.summary(event)}")
    return False


async def _stream(task: TaskHandle, wish: Wish, prompter: Prompter) -> bool:
    text = ""
    printed = False
    setback = events.setbacks()
    async for event in task.events():
        _tell(setback(event))
        if wish.json:
            output.record(event)
        elif event.kind == "chunk":
            piece = events.chunk_text(event.data.get("value"))
            output.result(piece, whole=False)
            text = piece or text
            printed = True
        if event.kind in ("question", "answer"):
            prompter.see(event)
    if text and not text.endswith("\n"):
        output.result("")
    return printed or wish.json


def _tell(setback: str | None) -> None:
    if setback is not None:
        output.aside(setback)


def _nothing(_: str | None) -> None:
    pass


async def _cancel(task: TaskHandle, reason: str) -> None:
    import asyncio

    try:
        async with asyncio.timeout(CANCEL_SECONDS):
            await task.cancel(reason)
    except (AtlasError, TimeoutError):
        # What ended the wait is the error to report; this one only changes what there is to say beside it.
        output.aside(f"The platform does not answer: task {task.id} may go on.")
    else:
        output.aside(f"Asked task {task.id} to stop.")


async def _input(atlas: AsyncClient, wish: Wish) -> tuple[dict[str, object], bool]:
    """Return the whole input: the object that was given, with the single fields over it, and whether it was known what
    the skill takes where that mattered."""
    base = {} if wish.base is None else arguments.parse_object(given.text(wish.base), "--input")
    if not wish.pairs:
        return base, True
    agent = await explain.agent_seen(atlas, wish.agent)
    found = None if agent is None else explain.skill_of(agent, wish.skill)
    schema = None if found is None else found.input_schema
    return arguments.merged(base, arguments.parse_pairs(wish.pairs, schema, given.content)), agent is not None


def _print_output(info: TaskInfo, *, json: bool) -> None:
    if json:
        output.document(info)
    elif isinstance(info.output, str):
        output.result(info.output)
    else:
        output.result(output.as_json(info.output, indent=2))
