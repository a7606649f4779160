"""Questions of tasks, put to whoever sits at the terminal; where nobody does, it is told how to answer them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from agentic_atlas.cli import output
from agentic_atlas.cli.arguments import parse_value
from agentic_atlas.cli.wording import expected
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput

if TYPE_CHECKING:
    import asyncio

    from agentic_atlas.protocol.caller.tasks import EventInfo, QuestionInfo, TaskInfo
    from agentic_atlas.sdk.client.task import TaskHandle


def somebody_there() -> bool:
    """Tell whether a person can be asked here."""
    return output.terminal(sys.stdin) and output.terminal(sys.stderr)


def open_question(info: TaskInfo, number: int | None = None) -> QuestionInfo:
    """Return the open question of this number, or the oldest one.

    Raises:
        Conflict: there is none (`no_open_question`).
    """
    found = next((one for one in info.questions if one.open and number in (None, one.number)), None)
    if found is None:
        which = "no question" if number is None else f"no question {number}"
        raise Conflict(f"{which} of task {info.id} is open; it {standing(info.state)}", code="no_open_question")
    return found


def standing(state: str) -> str:
    """Return the state of a task as the rest of a sentence."""
    verb = {"completed": "has", "failed": "has", "canceled": "was", "rejected": "was"}.get(state, "is")
    return f"{verb} {'cancelled' if state == 'canceled' else state}"


def text(question: QuestionInfo) -> str:
    """Return a question with what its answer has to be."""
    wanted = expected(question.schema)
    return f"{question.question} ({wanted})" if wanted else question.question


def tell(info: TaskInfo, question: QuestionInfo) -> None:
    """Say beside the output what is asked, and how to answer it from elsewhere."""
    output.aside(f"The task asks: {text(question)}")
    output.aside(f"Answer it: {_answering(info, question)}")


def unanswered(info: TaskInfo, question: QuestionInfo) -> AtlasError:
    """Return the error for a question that nobody can be asked here, and that would be waited for without an end."""
    return AtlasError(
        f"task {info.id} asks, and nobody is at a terminal here: {text(question)}; answer it with "
        f"`{_answering(info, question)}`, or wait for an answer with --wait, with --timeout SECONDS for so long",
        code="input_required",
        detail={"task_id": info.id, "question": question.number},
    )


def _answering(info: TaskInfo, question: QuestionInfo) -> str:
    return f"atlas tasks answer {info.id} VALUE --question {question.number}"


async def put(task: TaskHandle, question: QuestionInfo) -> TaskInfo | None:
    """Ask at the terminal until an answer is taken; None when nothing more can be typed.

    Raises:
        Conflict: somebody else was faster, or it is too late.
    """
    output.aside(text(question))
    while (line := await _line(">")) is not None:
        try:
            value = parse_value(line, question.schema, "the answer")
            return await task.answer(value, question=question.number)
        except InvalidInput as error:
            output.aside(error.message)
    return None


class Prompter:
    """Puts the questions of one task to the terminal as they come, one at a time, or tells how to answer them."""

    def __init__(self, task: TaskHandle, group: asyncio.TaskGroup, *, prompts: bool, patient: bool) -> None:
        """Prepare.

        Args:
            task: whose questions they are.
            group: owns the prompts, and fails with what they fail with.
            prompts: there is somebody to ask here.
            patient: where there is nobody, answers from elsewhere are waited for, however long that takes.
        """
        import asyncio

        self.busy = False
        """True while something is asked at the terminal."""
        self.began: Callable[[], None] = _nothing
        """Called when the terminal is needed."""
        self._task = task
        self._group = group
        self._prompts = prompts
        self._patient = patient or prompts
        self._turn = asyncio.Lock()
        self._asking: dict[object, asyncio.Task[None]] = {}

    def see(self, event: EventInfo) -> None:
        """Take an event of the task: a question is asked, and not any more once it is settled."""
        number = event.data.get("number") if event.kind == "question" else event.data.get("question")
        asking = self._asking.pop(number, None)
        if asking is not None:
            asking.cancel()
        if event.kind == "question":
            self._asking[number] = self._group.create_task(self._ask(number))

    def stop(self) -> None:
        """The task has ended: ask no more."""
        for asking in self._asking.values():
            asking.cancel()

    async def _ask(self, number: Any) -> None:
        async with self._turn:
            info = await self._task.refresh()
            try:
                question = open_question(info, number)
                if self._prompts and await self._at_terminal(question):
                    return
                if not self._patient and question.expires_at is None:
                    raise unanswered(info, question)
                tell(info, question)
            except Conflict as error:
                # A question of the past, or one that was settled elsewhere in this moment.
                if self._prompts and info.question is not None:
                    output.aside(error.message)

    async def _at_terminal(self, question: QuestionInfo) -> bool:
        import asyncio

        self.busy = True
        self.began()
        try:
            return await put(self._task, question) is not None
        except asyncio.CancelledError:
            # Somebody else answered, or the task has ended: what follows does not belong behind the prompt.
            output.aside("")
            raise
        finally:
            self.busy = False


async def _line(prompt: str) -> str | None:
    """Return the next line that is typed; None at the end of the input.

    No thread reads it: one that waits for a person who types nothing would keep an interrupted command from ending.
    """
    import asyncio

    output.prompt(prompt)
    loop, typed, stdin = asyncio.get_running_loop(), asyncio.Event(), sys.stdin.fileno()
    try:
        loop.add_reader(stdin, typed.set)
    except NotImplementedError:
        pass  # Windows: nothing else goes on while the person thinks
    else:
        try:
            await typed.wait()
        finally:
            loop.remove_reader(stdin)
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


def _nothing() -> None:
    pass
