"""What is refused is not told its secrets again: programs log why they were refused."""

from __future__ import annotations

from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.http import errors

KEY = "atlas_key_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF"
TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ3RfMSJ9.c2lnbmF0dXJlc2lnbmF0dXJlc2lnbmF0dXJl"


def test_a_key_or_token_that_was_said_in_the_wrong_place_is_not_said_again() -> None:
    for secret in (KEY, TOKEN):
        told = errors.answer(InvalidInput(f"there is no {secret}", detail=[{"path": "/", "message": f"no {secret}"}]))
        assert b"[redacted]" in told.body
        assert secret.encode() not in told.body


def test_what_is_no_secret_is_told_as_it_is() -> None:
    assert b"no agent 'atlas_worker'" in errors.answer(NotFound("there is no agent 'atlas_worker'")).body
