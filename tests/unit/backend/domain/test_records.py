"""Payloads: what one says is read once, and let go of."""

import pytest

from agentic_atlas.backend.domain.records import Payload
from agentic_atlas.errors import InvalidInput


def test_what_was_read_is_kept_until_it_is_let_go_of() -> None:
    payload = Payload(b'{"name":["Ada"]}')
    said = payload.read()
    assert said == {"name": ["Ada"]}
    assert payload.read() is said
    payload.forget()
    assert payload.read() == said
    assert payload.read() is not said


def test_a_payload_that_says_nothing_is_read_as_well() -> None:
    payload = Payload(b"null")
    assert (payload.read(), payload.read()) == (None, None)


@pytest.mark.parametrize("text", [b'{"n":1e999}', b"{", b'"\xff"', b"[" * 5_000 + b"]" * 5_000])
def test_what_no_reader_takes_is_told(text: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"^this is not JSON: "):
        Payload(text).read()
