"""Questions of tasks to people, answered."""

from functools import partial

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.questions import TaskQuestion
from agentic_atlas.backend.domain.records import CallerRef, Payload, Task
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.errors import Conflict, InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.codec import ProtocolError, check_nesting, numbers_fit
from agentic_atlas.protocol.messages import NULL

ANSWERS = 4
"""The answers of one task may have a quarter of the bytes that an input may have: both travel in one message."""
_AROUND = 3
"""Levels of nesting that the message adds in which an answer travels."""


async def answer(engine: Engine, task: Task, value: bytes, number: int | None, *, by: CallerRef) -> Task:
    """Answer a question of a task for `by`: the one with this number, or the oldest that is open.

    The same answer to the same question again changes nothing, so a request may be repeated.

    Raises:
        Conflict: no such question is open (`no_open_question`).
        InvalidInput: the answer does not fit the question's schema; the question stays open.
        PayloadTooLarge: the answers of the task would be too large.
    """
    question = _chosen(task, number)
    if question is None or not question.open:
        if question is not None and _same(question, value):
            return task
        raise _none_open(task, number)
    await _check(engine, task, question, value, by)
    decide = partial(lifecycle.answer, question=question, value=value, by=by.name, now=engine.clock())
    changed = await engine.dispatcher.change(task.id, decide)
    if not changed.changed or changed.task is None:
        raise _none_open(changed.task or task, number)
    return changed.task


def _chosen(task: Task, number: int | None) -> TaskQuestion | None:
    return next(iter(task.dialogue.open), None) if number is None else task.dialogue.find(number)


def _same(question: TaskQuestion, value: bytes) -> bool:
    return not question.expired and bytes(question.answer) == value


def _none_open(task: Task, number: int | None) -> Conflict:
    which = "no question of this task is open" if number is None else f"question {number} of this task is not open"
    return Conflict(f"{which}: `atlas tasks show {task.id}` shows what it asks", code="no_open_question")


async def _check(engine: Engine, task: Task, question: TaskQuestion, value: bytes, by: CallerRef) -> None:
    most = engine.limits.payload_bytes // ANSWERS
    if task.dialogue.answered_bytes + len(value) > most:
        raise PayloadTooLarge(
            f"the answers of a task have more than the {most} bytes allowed together: send less, or a link to it"
        )
    try:
        check_nesting(value, engine.limits.depth - _AROUND)
        msgspec.json.decode(value, type=Raw)
    except ProtocolError as error:
        raise InvalidInput(f"the answer is not acceptable: {error.message}") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidInput(f"the answer is not JSON: {error}") from None
    if not numbers_fit(value):
        raise InvalidInput("the answer is not JSON: it holds a number that no reader could take")
    if question.schema != NULL:
        schema, name = bytes(question.schema), f"question {question.number}"
        await engine.schemas.check(schema, Payload(value), what="the answer", name=name, whose=by.user_id)
