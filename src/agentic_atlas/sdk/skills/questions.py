"""The questions that one attempt asks people, and the reactions it waits for.

The k-th question of an attempt is question k of its task. When an earlier attempt got a reaction to that one, it is the
reaction now too, and nothing is asked: so a skill that runs again goes the same way as far as it had got. All of this
happens on the agent's loop.
"""

import asyncio
from typing import ClassVar

import msgspec
from msgspec import Raw

from agentic_atlas.errors import AtlasError, Busy, InvalidInput, PayloadTooLarge, TaskError
from agentic_atlas.protocol.messages import MOST_QUESTIONS, Event, EventKind, Fault, Limits, Question, Reaction, Task
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.sdk.ledger.attempts import fault_of
from agentic_atlas.sdk.skills.answers import AnswerForm
from agentic_atlas.sdk.skills.reports import AttemptReports
from agentic_atlas.sdk.skills.time_limit import TimeLimit


class NoAnswer(AtlasError, TimeoutError):
    """Nobody answered a question in time. That is not a refusal: the skill decides how to go on without an answer.

    Attributes:
        question: its number.
    """

    default_code: ClassVar[str] = "no_answer"

    def __init__(self, question: int) -> None:
        super().__init__(f"nobody answered question {question} in time")
        self.question = question


class Questions:
    """The questions of one attempt."""

    def __init__(self, task: Task, reports: AttemptReports, limits: Limits, limit: TimeLimit) -> None:
        self._task = task
        self._reports = reports
        self._limits = limits
        self._limit = limit
        self._reactions = {reaction.question: reaction for reaction in task.answers}
        self._waiting: dict[int, asyncio.Future[Reaction]] = {}
        self._asked = 0
        self._over = False

    async def ask(self, text: str, form: AnswerForm, timeout: float | None = None) -> object:
        """Ask, and return the answer; the wait ends with the attempt at the latest.

        Raises:
            NoAnswer: nobody answered within `timeout` seconds.
            InvalidInput, PayloadTooLarge: this can't be asked, or the answer does not fit (`invalid_answer`).
            Busy: there is no room for a question at the moment (`too_many_events`).
            TaskError: the attempt is to stop.
        """
        asked = self._question(text, form.schema, timeout)
        # First, whatever was answered before: what can't be asked takes no number, in no attempt.
        data = self._encoded(asked)
        reaction = self._reactions.get(asked.number)
        if reaction is None:
            self._say(data)
        self._asked = asked.number
        reaction = reaction or await self._wait(asked.number)
        if reaction.expired:
            raise NoAnswer(reaction.question)
        return form.read(reaction.data)

    def react(self, reaction: Reaction) -> None:
        """Take a reaction; one that is known already changes nothing."""
        if reaction.question not in self._reactions:
            self._reactions[reaction.question] = reaction
            waiting = self._waiting.get(reaction.question)
            if waiting is not None and not waiting.done():
                waiting.set_result(reaction)

    def refuse(self, question: int, fault: Fault) -> None:
        """The question could not be said to the router."""
        waiting = self._waiting.get(question)
        if waiting is not None and not waiting.done():
            waiting.set_exception(_error(fault))

    def end(self) -> None:
        """The attempt is over or is to stop: whoever still waits is told so."""
        self._over = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(_stopped())

    def _question(self, text: object, schema: Raw, timeout: float | None) -> Question:
        number = self._asked + 1
        if number > MOST_QUESTIONS:
            raise InvalidInput(f"a task can ask {MOST_QUESTIONS} questions", code="too_many_questions")
        given = {"number": number, "question": text, "schema": schema, "timeout": timeout}
        try:
            return msgspec.convert(given, Question)
        except msgspec.ValidationError as error:
            found = refusal(error, Question, given)
            raise InvalidInput(f"the question can't be asked: {found.sentence}", code="invalid_question") from None

    def _say(self, data: Raw) -> None:
        if self._over:
            raise _stopped()
        if not self._reports.question(data):
            most = self._limits.events_per_task
            raise Busy(f"an attempt can have {most} events, and has too many for a question", code="too_many_events")

    async def _wait(self, number: int) -> Reaction:
        waiting: asyncio.Future[Reaction] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            with self._limit.paused():
                return await waiting
        finally:
            del self._waiting[number]

    def _encoded(self, asked: Question) -> Raw:
        try:
            data = Raw(msgspec.json.encode(asked))
        except UnicodeEncodeError:
            raise InvalidInput(
                "the question is not Unicode (half of a surrogate pair)", code="invalid_question"
            ) from None
        fault = fault_of(Event(self._task.task, self._task.attempt, 1, EventKind.QUESTION, data), self._limits)
        if fault is not None:
            raise _error(fault)
        return data


def _error(fault: Fault) -> AtlasError:
    if fault.code == "payload_too_large":
        return PayloadTooLarge(f"the question can't be asked: {fault.message}")
    if fault.code == "too_many_events":
        return Busy(f"the question can't be asked: {fault.message}", code="too_many_events")
    return InvalidInput(f"the question can't be asked: {fault.message}", code="invalid_question")


def _stopped() -> TaskError:
    return TaskError("this task is to stop, nobody is asked any more", code="canceled", state="canceled")
