"""What a task asks people, as a form that fits what may be answered; and what was answered before."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.page import View
from agentic_atlas.platform.task.json_parts import indented
from agentic_atlas.platform.wording import visible
from agentic_atlas.protocol.caller.tasks import QuestionInfo

_MOST_CHOICES = 20
_MOST_LABEL = 200
_MOST_ANSWER = 2_000


class AnswerChoice(View, frozen=True):
    """One answer of a few.

    Attributes:
        value: as JSON.
        label: for people.
    """

    value: str
    label: str


class Asking(View, frozen=True):
    """A question that waits for an answer.

    Attributes:
        number: its.
        text: what is asked.
        asked_at: since when.
        expires_at: until when it may be answered; None: for as long as the task runs.
        kind: `choice`, `text` or `json`.
        choices: what may be answered, when it is one of a few.
        schema: JSON Schema of the answer, for `json`; empty: any value will do.
    """

    number: int
    text: str
    asked_at: datetime
    expires_at: datetime | None
    kind: str
    choices: Sequence[AnswerChoice]
    schema: str


class SettledRow(View, frozen=True):
    """A question that waits no more.

    Attributes:
        number: its.
        text: what was asked.
        state: `answered` or `expired`.
        answer: as text.
        by: who answered; empty: nobody did.
        at: when.
    """

    number: int
    text: str
    state: str
    answer: str
    by: str
    at: datetime | None


def asking(question: QuestionInfo) -> Asking:
    """Return a question as a form."""
    schema = msgspec.json.decode(question.schema)
    of = schema if isinstance(schema, dict) else {}
    choices = list(_choices(of))
    kind = "choice" if choices else "text" if of.get("type") == "string" else "json"
    return Asking(
        number=question.number,
        text=visible(question.question, lines=True),
        asked_at=question.asked_at,
        expires_at=question.expires_at,
        kind=kind,
        choices=choices,
        schema=indented(bytes(question.schema)) if of and kind == "json" else "",
    )


def settled(questions: Iterable[QuestionInfo]) -> list[SettledRow]:
    """Return the questions that wait no more, in their order."""
    return [
        SettledRow(
            number=one.number,
            text=visible(one.question, lines=True),
            state=one.state,
            answer="" if one.state != "answered" else _told(msgspec.json.decode(one.answer)),
            by=visible(one.answered_by or ""),
            at=one.settled_at,
        )
        for one in questions
        if not one.open
    ]


def answered_with(text: str | None, said: str | None) -> bytes:
    """Return an answer as JSON; raises InvalidInput."""
    if text is not None:
        return msgspec.json.encode(text.replace("\r\n", "\n"))
    try:
        json.loads(said or "")
    except (ValueError, RecursionError):
        raise InvalidInput("the answer is no JSON: a text needs quotation marks around it") from None
    return (said or "").encode()


def _choices(schema: Mapping[str, Any]) -> Iterable[AnswerChoice]:
    if schema.get("type") == "boolean":
        return (AnswerChoice(value="true", label="Yes"), AnswerChoice(value="false", label="No"))
    values = schema.get("enum")
    if not isinstance(values, list) or not 0 < len(values) <= _MOST_CHOICES:
        return ()
    return [AnswerChoice(value=msgspec.json.encode(one).decode(), label=_told(one)[:_MOST_LABEL]) for one in values]


def _told(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return visible(text[:_MOST_ANSWER], lines=True)
