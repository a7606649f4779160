import base64 as standard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import base64url


@settings(max_examples=40, deadline=None)
@given(st.binary())
def test_bytes_survive_and_are_written_without_padding(data: bytes) -> None:
    text = base64url.encode(data)
    assert "=" not in text
    assert base64url.decode(text) == data
    assert standard.urlsafe_b64decode(text + "==") == data


@settings(max_examples=40, deadline=None)
@given(st.text(st.sampled_from("AQgw09azZ-_=+/ \n.é"), max_size=12))
def test_a_value_has_one_spelling_only(text: str) -> None:
    try:
        data = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(data) == text


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AA==", "AA\n", "AA AA", "AA+A", "AA/A", "AAAAA", "é", "\ud800"])
def test_every_other_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        base64url.decode(text)
