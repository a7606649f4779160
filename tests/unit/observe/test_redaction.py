import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.auth import mint, new_secret
from agentic_atlas.observe.redaction import _SUSPECT, redact, shortened
from tests.unit.auth.forge import CLAIMS, RING

SECRET = new_secret("atlas_", lambda size: hashlib.sha512(b"seed").digest()[:size])
TOKEN = mint(RING, CLAIMS)


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=8), st.text(max_size=8), st.sampled_from([SECRET, TOKEN]))
def test_a_secret_never_survives_whatever_stands_around_it(before: str, after: str, secret: str) -> None:
    redacted = redact(before + secret + after)
    assert secret not in redacted
    assert secret[-20:] not in redacted


@pytest.mark.parametrize(
    "before", ["", "x", "atlas_", "eyJ", "eyJ_", "token=", "%22", "atlas_tasks.", "a.b.", "\x1b[31m"]
)
@pytest.mark.parametrize("secret", [SECRET, TOKEN, TOKEN[:-30], TOKEN.rpartition(".")[0], f"{TOKEN}.{SECRET}"])
def test_a_secret_glued_to_other_words_is_hidden(before: str, secret: str) -> None:
    redacted = redact(f"{before}{secret} end")
    assert "[redacted]" in redacted
    assert not any(secret[at : at + 12] in redacted for at in range(len(secret) - 11))
    assert redacted.endswith(" end")


def test_what_stands_beside_a_secret_stays() -> None:
    assert redact(f"Authorization: Bearer {TOKEN}, key={SECRET}.") == (
        "Authorization: Bearer [redacted], key=[redacted]."
    )


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.sampled_from(["atlas_", "atlas_key_", "atlas_login_"]))
def test_every_secret_is_recognised(random: bytes, prefix: str) -> None:
    # One in ten thousand million million has neither capital nor digit.
    assert redact(new_secret(prefix, lambda _: random)) == "[redacted]"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing secret here",
        "atlas_http_request_duration_seconds_bucket",
        "atlas_up and atlas_",
        "keyJob.id of KeyJsonReader.read",
        "eyJ",
        "https://example.org/atlas_logo.svg",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert redact(text) == text


PIECES = ["eyJ", "eyJ.", "atlas_", "atlas_a", "atlas_A", "eyJatlas_", ".", "a", "eyJ-", "atlas_."]


@pytest.mark.parametrize("piece", PIECES)
def test_no_character_is_read_in_vain_whatever_is_repeated(piece: str) -> None:
    # What begins like a secret is one run, to its end: whoever looked for an end that is not there would come back to
    # the next beginning within it, and the time would grow with the square of the length.
    text = f"{piece * 50} "
    for beginning in re.finditer("eyJ|atlas_", text):
        assert _SUSPECT.match(text, beginning.start()), beginning


def test_of_a_run_no_more_is_read_at_each_place_than_one_secret_is_long() -> None:
    # The letters before the capital that makes a secret of a name: as many as in one secret, and no more.
    assert redact(f"atlas_{'a' * 42}A{'b' * 20}") == "[redacted]"
    name = f"atlas_{'a' * 43}A{'b' * 20}"
    assert redact(name) == name


@settings(max_examples=100, deadline=None)
@given(
    before=st.integers(0, 12_000),
    after=st.integers(0, 12_000),
    secret=st.sampled_from([SECRET, TOKEN]),
    between=st.sampled_from([" ", ""]),
    filling=st.sampled_from([". ", "q"]),
)
def test_a_secret_where_a_long_text_is_cut_leaves_no_piece_of_itself(
    before: int, after: int, secret: str, between: str, filling: str
) -> None:
    text = f"{filling * (before // len(filling))}{between}{secret}{between}{filling * (after // len(filling))}"
    told = shortened(text, 2_000)
    assert not any(secret[start : start + 20] in told for start in range(7, len(secret) - 20))
