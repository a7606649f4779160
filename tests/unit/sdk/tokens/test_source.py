"""Which token is used: the configured one, what came in its place, or another in `.env`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentic_atlas.sdk.tokens.renewed import RenewedTokens
from agentic_atlas.sdk.tokens.source import TokenSource
from tests.unit.sdk.memory_log import MemoryLog
from tests.unit.sdk.unsigned import token

NOW = 1_000.0


FIRST, PASTED = token("tok_1"), token("tok_9")
SECOND, THIRD = (token(jti, lineage="tok_1") for jti in ("tok_2", "tok_3"))


class Home:
    """A folder with a `.env` and one for renewed tokens; each `start` is a process."""

    def __init__(self, folder: Path) -> None:
        self.env = folder / ".env"
        self.state = folder / "state" / "tokens"
        self.log = MemoryLog()

    def write(self, text: str) -> None:
        self.env.write_text(f"AGENT_JWT_TOKEN={text}\nOTHER=1\n")

    def has(self) -> str:
        return self.env.read_text().splitlines()[0].removeprefix("AGENT_JWT_TOKEN=")

    def _in_file(self) -> tuple[str, Path] | None:
        return (self.has(), self.env) if self.env.exists() else None

    def start(self, environ: str | None = None) -> TokenSource:
        return TokenSource(
            environ or self.has(),
            log=self.log,
            from_file=environ is None,
            in_file=self._in_file,
            kept=RenewedTokens(self.state),
            wall=lambda: NOW,
        )


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_renewed_token_is_used_from_the_next_connection_on_and_by_the_next_process(home: Home) -> None:
    tokens = home.start(FIRST)
    tokens.renew(FIRST, SECOND)
    assert tokens.current() == SECOND
    tokens.renew(SECOND, THIRD)
    assert home.start(FIRST).current() == THIRD
    assert home.start(SECOND).current() == THIRD


def test_it_is_for_its_owners_eyes(home: Home) -> None:
    home.start(FIRST).renew(FIRST, SECOND)
    (file,) = home.state.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert home.state.stat().st_mode & 0o777 == 0o700
    assert "tok_1" in file.name


def test_it_takes_the_place_of_the_configured_one_in_the_file(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.renew(FIRST, SECOND)
    assert home.env.read_text() == f"AGENT_JWT_TOKEN={SECOND}\nOTHER=1\n"
    assert tokens.current() == SECOND
    assert home.start().current() == SECOND
    assert home.log.lines == []


def test_another_token_in_the_file_stays_there_and_wins(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.renew(FIRST, SECOND)
    home.write(PASTED)
    tokens.renew(SECOND, THIRD)
    assert home.has() == PASTED
    assert tokens.current() == PASTED
    assert home.start().current() == PASTED


def test_a_process_stays_with_what_it_showed_until_that_is_refused(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.show(FIRST)
    home.write(PASTED)
    assert (tokens.current(), tokens.newest()) == (FIRST, PASTED)
    tokens.renew(FIRST, SECOND)
    assert (tokens.current(), tokens.newest(), home.has()) == (SECOND, PASTED, PASTED)
    tokens.refuse(SECOND)
    assert tokens.current() == FIRST
    tokens.refuse(FIRST)
    assert tokens.current() == PASTED
    assert home.start().current() == PASTED


def test_what_was_rotated_from_what_a_process_showed_wins_at_once(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.show(FIRST)
    home.write(THIRD)
    assert tokens.current() == tokens.newest() == THIRD


def test_while_the_seat_is_anothers_the_other_token_is_tried_first(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.show(FIRST)
    tokens.in_use(FIRST)
    assert tokens.current() == FIRST, "there is no other"
    home.write(PASTED)
    assert tokens.current() == PASTED
    tokens.show(PASTED)
    tokens.in_use(PASTED)
    assert tokens.current() == FIRST, "and that before the other again"
    tokens.show(FIRST)
    tokens.let_in()
    assert tokens.current() == FIRST


def test_an_older_one_that_is_put_back_leads_to_the_newest(home: Home) -> None:
    home.write(FIRST)
    tokens = home.start()
    tokens.renew(FIRST, SECOND)
    tokens.renew(SECOND, THIRD)
    home.write(FIRST)
    assert home.start().current() == THIRD


def test_a_file_that_cannot_be_replaced_is_left_with_one_line_and_the_state_file_counts(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write(FIRST)
    tokens = home.start()

    def rename(draft: Path, target: Path) -> None:
        if target == home.env:
            raise OSError(16, "Device or resource busy")  # what a bind-mounted file answers
        os.rename(draft, target)  # noqa: PTH104 - what it stands for is patched

    monkeypatch.setattr(Path, "replace", rename)
    tokens.renew(FIRST, SECOND)
    tokens.renew(SECOND, THIRD)
    assert home.has() == FIRST
    assert tokens.current() == home.start().current() == THIRD
    (line,) = home.log.at("info")
    assert "Device or resource busy" in line
    assert SECOND not in line


def test_without_a_disk_it_is_kept_in_memory_and_said_once(home: Home) -> None:
    home.state.parent.write_text("a file in the way")
    tokens = home.start(FIRST)
    tokens.renew(FIRST, SECOND)
    tokens.renew(SECOND, THIRD)
    assert tokens.current() == THIRD
    assert home.start(FIRST).current() == FIRST
    assert len(home.log.at("info")) == 1


def test_what_was_refused_is_not_used_again_while_there_is_another(home: Home) -> None:
    tokens = home.start(FIRST)
    tokens.renew(FIRST, SECOND)
    tokens.refuse(SECOND)
    assert (tokens.current(), tokens.usable) == (FIRST, True)
    tokens.refuse(FIRST)
    assert not tokens.usable
    home.write(PASTED)
    assert (tokens.current(), tokens.usable) == (PASTED, True)


def test_a_token_in_the_file_is_no_matter_while_the_one_from_elsewhere_is_good(home: Home) -> None:
    home.write(PASTED)
    assert home.start(FIRST).current() == FIRST


def test_what_has_expired_is_swept_away(home: Home) -> None:
    home.start(FIRST).renew(FIRST, token("tok_2", exp=999))
    home.start(PASTED).renew(PASTED, THIRD)
    assert [file.name for file in home.state.iterdir()] == ["tok_9.token"]


@pytest.mark.parametrize("content", [b"", b"\xff", b"no token", b"a.b." + b"x" * 5_000])
def test_a_state_file_that_holds_no_token_is_none(home: Home, content: bytes) -> None:
    home.state.mkdir(parents=True)
    (home.state / "tok_1.token").write_bytes(content)
    assert home.start(FIRST).current() == FIRST


def test_a_link_in_the_place_of_a_state_file_is_not_followed(home: Home, tmp_path: Path) -> None:
    home.state.mkdir(parents=True)
    (tmp_path / "elsewhere").write_text(SECOND)
    (home.state / "tok_1.token").symlink_to(tmp_path / "elsewhere")
    assert home.start(FIRST).current() == FIRST
