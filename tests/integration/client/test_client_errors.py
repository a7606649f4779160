from __future__ import annotations

import pytest

from agentic_atlas.errors import AtlasError, Busy, Conflict, InvalidInput, NotFound, Unavailable
from agentic_atlas.protocol.caller.values import ErrorInfo
from agentic_atlas.sdk.client.errors import (
    ERRORS,
    ConnectionCut,
    NotFinished,
    UnexpectedAnswer,
    from_answer,
    from_error,
)


@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_every_status_of_the_api_becomes_its_own_error(status: int, kind: type[AtlasError]) -> None:
    body = b'{"error": {"code": "some_code", "message": "what and why", "detail": {"at": 1}}}'
    error = from_answer(status, body, None)
    assert type(error) is kind
    assert (error.code, error.message, error.detail) == ("some_code", "what and why", {"at": 1})


@pytest.mark.parametrize(
    ("code", "kind"), [("conflict", Conflict), ("agent_not_found", NotFound), ("too_many_requests", Busy)]
)
def test_a_code_alone_says_the_error_where_there_is_no_status(code: str, kind: type[AtlasError]) -> None:
    assert type(from_error(ErrorInfo(code=code, message="…"))) is kind


def test_a_code_says_more_than_a_status() -> None:
    assert type(from_answer(400, b'{"error": {"code": "conflict", "message": "x"}}', None)) is Conflict


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), (None, 1.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 1.0), ("-3", 1.0), ("nan", 1.0)]
)
def test_retry_after_is_read_in_seconds(header: str | None, seconds: float) -> None:
    error = from_answer(429, b'{"error": {"code": "too_many_requests", "message": "x"}}', header)
    assert isinstance(error, Busy)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "kind"),
    [(502, ConnectionCut), (503, Unavailable), (429, Busy), (302, UnexpectedAnswer), (404, UnexpectedAnswer)],
)
def test_an_answer_of_something_else_than_the_api_is_told_apart(status: int, kind: type[AtlasError]) -> None:
    assert type(from_answer(status, b"<html>\xff nginx</html>", None)) is kind


def test_an_unknown_failure_of_the_server_is_an_error_all_the_same() -> None:
    error = from_answer(500, b'{"error": {"code": "internal", "message": "x"}}', None)
    assert type(error) is AtlasError
    assert not isinstance(error, InvalidInput)


def test_a_wait_that_is_over_is_a_timeout_to_python_too() -> None:
    assert isinstance(NotFinished("later", task_id="t1"), TimeoutError)
    assert NotFinished("later", task_id="t1").message == "later"
