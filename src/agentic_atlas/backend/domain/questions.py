"""What a task asks people: which of its questions are open, what became of the others, and how long it waited.

Questions are numbered for the task, 1, 2, …, in the order in which an attempt asks. Those with a reaction stay for
good: a later attempt gets their reactions instead of asking again. Those without one end with their attempt.
"""

from typing import Final

import msgspec
from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.messages import NULL, Reaction

MOST_ASKED: Final = 512 * 1024
"""Bytes of all texts of a task's questions, and of the schemas of those that are open: its row is written whole."""

_OVERHEAD = 64
"""Bytes counted for a reaction besides its answer."""


class TaskQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """One question, and what became of it."""

    number: int
    text: str
    asked_at: float
    schema: Raw = NULL
    """JSON Schema of the answer; null when any will do, and when there is a reaction: it has done its work then."""
    expires_at: float | None = None
    answer: Raw = NULL
    """Any JSON value; null while there is none."""
    expired: bool = False
    """Nobody answered in time."""
    settled_at: float | None = None
    """When it was answered or expired."""
    answered_by: str = ""

    @property
    def open(self) -> bool:
        """True while there is no reaction."""
        return self.settled_at is None

    @property
    def state(self) -> str:
        """`open`, `answered` or `expired`."""
        return "open" if self.open else "expired" if self.expired else "answered"

    def shifted(self, seconds: float) -> "TaskQuestion":
        """The clock was set by so many seconds."""
        expires_at = None if self.expires_at is None else self.expires_at + seconds
        return msgspec.structs.replace(self, asked_at=self.asked_at + seconds, expires_at=expires_at)

    @property
    def reaction(self) -> Reaction:
        """What its attempt is told."""
        return Reaction(self.number, self.answer, self.expired)


class Dialogue(msgspec.Struct, frozen=True, omit_defaults=True):
    """All questions of a task, by number."""

    questions: tuple[TaskQuestion, ...] = ()
    asked_at: float | None = None
    """Since when at least one is open."""
    waited: float = 0.0
    """Seconds of the current attempt in which at least one was open, as far as they are over."""

    @property
    def open(self) -> tuple[TaskQuestion, ...]:
        """Those without a reaction, the oldest first."""
        return tuple(question for question in self.questions if question.open)

    @property
    def reactions(self) -> list[Reaction]:
        """The reactions there are, by number."""
        return [question.reaction for question in self.questions if not question.open]

    @property
    def asked_bytes(self) -> int:
        """Bytes of what was asked, as `MOST_ASKED` counts them."""
        return sum(size_of(question.text, question.schema) for question in self.questions)

    @property
    def answered_bytes(self) -> int:
        """Bytes of the reactions."""
        return sum(memoryview(reaction.data).nbytes + _OVERHEAD for reaction in self.reactions)

    def find(self, number: int) -> TaskQuestion | None:
        """Return the question with this number."""
        return next((question for question in self.questions if question.number == number), None)

    def expiry(self) -> float | None:
        """Return when the first open question expires."""
        return min((one.expires_at for one in self.open if one.expires_at is not None), default=None)

    def ask(self, asked: messages.Question, now: float) -> "Dialogue":
        """Add a question."""
        expires_at = None if asked.timeout is None else now + asked.timeout
        question = TaskQuestion(asked.number, asked.question, now, asked.schema, expires_at)
        questions = sorted((*self.questions, question), key=lambda one: one.number)
        return Dialogue(tuple(questions), now if self.asked_at is None else self.asked_at, self.waited)

    def settle(self, number: int, now: float, *, answer: Raw = NULL, expired: bool = False, by: str = "") -> "Dialogue":
        """Answer the open question with this number, or let it expire; with the last open one the wait is over."""
        questions = tuple(
            msgspec.structs.replace(one, schema=NULL, answer=answer, expired=expired, settled_at=now, answered_by=by)
            if one.number == number
            else one
            for one in self.questions
        )
        settled = Dialogue(questions, self.asked_at, self.waited)
        return settled if settled.open else settled._went_on(now)

    def closed(self, now: float) -> "Dialogue":
        """The attempt is over: what nobody reacted to is of no account any more."""
        return Dialogue(tuple(one for one in self.questions if not one.open), self.asked_at, self.waited)._went_on(now)

    def shifted(self, seconds: float) -> "Dialogue":
        """The clock was set: what is open moves by so many seconds."""
        return Dialogue(
            tuple(one.shifted(seconds) if one.open else one for one in self.questions),
            None if self.asked_at is None else self.asked_at + seconds,
            self.waited,
        )

    def resumed(self) -> "Dialogue":
        """A new attempt begins; it has not waited yet."""
        return Dialogue(self.questions)

    def _went_on(self, now: float) -> "Dialogue":
        waited = 0.0 if self.asked_at is None else max(0.0, now - self.asked_at)
        return Dialogue(self.questions, None, self.waited + waited) if self.questions else SILENCE


SILENCE: Final = Dialogue()
"""Nothing was asked."""


def size_of(text: str, schema: Raw) -> int:
    """Return the bytes that a question counts."""
    return len(text.encode()) + memoryview(schema).nbytes


def read_question(data: Raw | bytes) -> messages.Question:
    """Return what a `question` event asks.

    Raises:
        InvalidInput: its data has another form (`invalid_question`).
    """
    try:
        return msgspec.json.decode(data, type=messages.Question)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"a question has another form than it should: {error}", code="invalid_question") from None
