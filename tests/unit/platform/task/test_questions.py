"""What a task asks people, as a form, and what becomes of what they say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.task.questions import answered_with, asking, settled
from agentic_atlas.protocol.caller.tasks import QuestionInfo

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)


def question(schema: object = None, **more: Any) -> QuestionInfo:
    given: dict[str, Any] = {
        "number": 1, "question": "Which?", "state": "open", "schema": Raw(msgspec.json.encode(schema)), "asked_at": AT,
        "expires_at": None, "answer": Raw(b"null"), "settled_at": None, "answered_by": None,
    }  # fmt: skip
    return QuestionInfo(**(given | more))


@pytest.mark.parametrize(
    ("schema", "kind", "values"),
    [
        (None, "json", []),
        ({"type": "string"}, "text", []),
        ({"type": "boolean"}, "choice", ["true", "false"]),
        ({"enum": ["red", 1, None]}, "choice", ['"red"', "1", "null"]),
        ({"enum": list(range(100))}, "json", []),
        ({"type": "integer"}, "json", []),
    ],
)
def test_a_form_fits_what_may_be_answered(schema: object, kind: str, values: list[str]) -> None:
    form = asking(question(schema))
    assert (form.kind, [one.value for one in form.choices]) == (kind, values)
    assert bool(form.schema) == (kind == "json" and schema is not None)


def test_an_answer_is_a_text_or_json() -> None:
    assert answered_with("one\r\ntwo", None) == b'"one\\ntwo"'
    assert answered_with(None, '{"a": 1}') == b'{"a": 1}'
    for wrong in (None, "", "red", "[" * 100_000):
        with pytest.raises(InvalidInput, match="quotation marks"):
            answered_with(None, wrong)


def test_what_was_answered_is_told_with_who_did() -> None:
    answered = question(state="answered", answer=Raw(b'"r\\u202eed"'), settled_at=AT, answered_by="ada")
    expired = question(state="expired", settled_at=AT)
    assert [(one.state, one.answer, one.by) for one in settled([answered, expired, question()])] == [
        ("answered", "r\\u202eed", "ada"), ("expired", "", ""),
    ]  # fmt: skip
