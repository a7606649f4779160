import math
from pathlib import Path

import msgspec
import pytest

from agentic_atlas.errors import InvalidInput, TaskError
from agentic_atlas.protocol.messages import Outcome
from agentic_atlas.sdk.forms.typed import InvalidOutput
from agentic_atlas.sdk.runner.failures import canceled, ending_of, failed, invalid_input, text_of
from agentic_atlas.sdk.skills.context import Rejected

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise KeyError("no text")


def test_a_token_in_an_error_does_not_leave_the_machine() -> None:
    error = ending_of(ValueError(f"Authorization: Bearer {TOKEN}")).error
    assert error is not None
    assert "eyJ" not in error.message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError(), "ValueError"),
        (Unspeakable(), "Unspeakable: <Unspeakable, whose text fails with KeyError>"),
        (ValueError("half \ud800"), "ValueError: half ?"),
        (ExceptionGroup("g", [KeyError(n) for n in range(5)]), "KeyError: 0; KeyError: 1; KeyError: 2; and 2 more"),
    ],
)
def test_an_error_is_told_by_type_and_message(error: BaseException, text: str) -> None:
    assert text_of(error) == text


def test_the_error_of_a_called_task_names_that_task() -> None:
    error = ending_of(TaskError("other.greet: no", code="agent_offline", task_id="t7")).error
    assert error is not None
    assert error.code == "handler_error"
    assert msgspec.json.decode(error.detail) == {"type": "TaskError", "code": "agent_offline", "task": "t7"}


def test_what_a_handler_puts_into_a_rejection_is_bounded() -> None:
    ending = ending_of(Rejected("no" * 5_000, code="c" * 100, detail=object()))
    assert ending.outcome is Outcome.REJECTED
    assert ending.error is not None
    assert len(ending.error.message) == 1_000
    assert len(ending.error.code) == 64
    assert "object has no JSON form" in msgspec.json.decode(ending.error.detail)


def test_a_rejection_without_a_code_has_one() -> None:
    error = ending_of(Rejected("no", code="")).error
    assert error is not None
    assert error.code == "rejected"


def test_each_end_has_its_code() -> None:
    endings = [
        canceled(""),
        failed("timeout", "too long"),
        invalid_input(InvalidInput("no", detail=[{"path": "/a", "message": "no"}])),
        ending_of(InvalidOutput("no")),
    ]
    codes = [ending.error.code for ending in endings if ending.error is not None]
    assert codes == ["canceled", "timeout", "invalid_input", "invalid_output"]


def test_a_detail_without_a_json_form_is_told_as_such_and_never_as_null() -> None:
    ending = ending_of(Rejected("no", detail={"ratio": math.nan}))
    assert ending.error is not None
    assert "/ratio: nan is no number of JSON" in msgspec.json.decode(ending.error.detail)
    ending = ending_of(Rejected("no", detail={"data": b"\xff", "where": Path("/tmp")}))
    assert ending.error is not None
    assert msgspec.json.decode(ending.error.detail) == {"data": "/w==", "where": "/tmp"}
