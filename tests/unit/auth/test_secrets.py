import hashlib
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import digest, new_secret
from agentic_atlas.errors import ConfigurationError

SECRET = new_secret("atlas_", lambda size: hashlib.sha512(b"seed").digest()[:size])


def test_a_secret_is_its_prefix_and_256_bits() -> None:
    asked: list[int] = []
    secret = new_secret("atlas_key_", lambda size: asked.append(size) or bytes(size))
    assert asked == [32]
    assert secret == "atlas_key_" + "A" * 43


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_source_that_gives_another_amount_is_refused(size: int) -> None:
    with pytest.raises(ConfigurationError):
        new_secret("atlas_", lambda _: bytes(size))


@pytest.mark.parametrize("prefix", ["", "key_", "atlas", "atlas_key", "atlas_KEY_", "atlas_a_b_", "atlas_\n"])
def test_a_prefix_that_logs_would_not_hide_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigurationError):
        new_secret(prefix, secrets.token_bytes)


def test_only_the_secret_itself_has_its_digest() -> None:
    stored = digest(SECRET)
    assert stored == hashlib.sha256(SECRET.encode()).digest()
    assert digest(SECRET[:-1]) != stored
    assert digest("") != stored


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters()))
def test_any_text_has_a_digest(text: str) -> None:
    assert len(digest(text)) == 32
