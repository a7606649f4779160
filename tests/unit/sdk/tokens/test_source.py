"""Which token is used: the configured one, or another in `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentic_atlas.sdk.tokens.source import TokenSource


class EnvFile:
    """A `.env`, and a token from it or from elsewhere."""

    def __init__(self) -> None:
        self.has: str | None = None

    def look(self) -> tuple[str, Path] | None:
        return None if self.has is None else (self.has, Path(".env"))


@pytest.fixture
def env() -> EnvFile:
    return EnvFile()


def test_a_new_one_in_the_file_takes_the_place_of_one_that_was_there(env: EnvFile) -> None:
    tokens = TokenSource("first", from_file=True, in_file=env.look)
    assert tokens.current() == "first"
    env.has = "second"
    assert tokens.current() == "second"
    env.has = None
    assert tokens.current() == "second"


def test_a_token_in_the_file_is_no_matter_while_the_one_from_elsewhere_is_good(env: EnvFile) -> None:
    tokens = TokenSource("first", in_file=env.look)
    env.has = "second"
    assert tokens.current() == "first"


@pytest.mark.parametrize("from_file", [True, False])
def test_what_was_refused_is_not_used_again_when_there_is_another(env: EnvFile, *, from_file: bool) -> None:
    tokens = TokenSource("first", from_file=from_file, in_file=env.look)
    tokens.refuse("first")
    assert not tokens.usable
    env.has = "second"
    assert (tokens.current(), tokens.usable) == ("second", True)
