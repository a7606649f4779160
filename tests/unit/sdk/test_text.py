import secrets

import pytest

from agentic_atlas.auth import new_secret
from agentic_atlas.sdk.text import describe, presentable, redact

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


class Unspeakable:
    def __str__(self) -> str:
        raise KeyError("no text")


@pytest.mark.parametrize(
    "text", [TOKEN, f"Bearer {TOKEN}", f"{{'AGENT_JWT_TOKEN': '{TOKEN}'}}", TOKEN.rpartition(".")[0]]
)
def test_what_looks_like_a_token_is_redacted(text: str) -> None:
    shown = redact(text)
    assert "eyJ" not in shown
    assert "[redacted]" in shown


@pytest.mark.parametrize("prefix", ["atlas_", "atlas_key_"])
def test_an_api_key_is_redacted(prefix: str) -> None:
    key = new_secret(prefix, secrets.token_bytes)
    assert describe({"Authorization": f"Bearer {key}"}) == "{'Authorization': 'Bearer [redacted]'}"
    assert redact("atlas_open_tasks") == "atlas_open_tasks"


def test_a_token_across_the_cut_does_not_show_its_head() -> None:
    assert "eyJ" not in presentable("x" * 990 + TOKEN, 1_000)


def test_text_is_cut_to_its_limit_and_shows_that_it_was() -> None:
    assert presentable("a" * 11, 10) == "a" * 9 + "…"
    assert presentable("a" * 10, 10) == "a" * 10


def test_half_a_surrogate_pair_becomes_something_that_utf_8_has() -> None:
    assert presentable("a\ud800b") == "a?b"


def test_a_value_that_cannot_describe_itself_is_described() -> None:
    assert describe(Unspeakable()) == "<Unspeakable, whose text fails with KeyError>"
