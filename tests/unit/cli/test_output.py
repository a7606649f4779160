from __future__ import annotations

import io
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime

import pytest

from agentic_atlas.cli import output


class Screen(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def on_screen(show: Callable[[], object]) -> str:
    """Return what a terminal gets."""
    screen = Screen()
    with redirect_stdout(screen), redirect_stderr(screen):
        show()
    return screen.getvalue()


NASTY = "\x1b]0;title\x07\x1b[2Jred\r\u009b31m"


def test_a_pipe_gets_text_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    output.say(NASTY)
    assert capsys.readouterr().out == f"{NASTY}\n"


def test_a_terminal_gets_no_control_characters() -> None:
    for shown in (
        on_screen(lambda: output.say(NASTY)),
        on_screen(lambda: output.aside(NASTY)),
        on_screen(lambda: output.fields([("name", NASTY)])),
        on_screen(lambda: output.table(["name"], [[NASTY]])),
    ):
        assert "red" in shown
        assert not any(character in shown for character in ("\x07", "\r", "\x9b", "\x1b]", "\x1b[2J"))


def test_stderr_and_tables_get_no_control_characters_even_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    output.aside(NASTY)
    output.table(["name"], [[NASTY]])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.err + shown.out


def test_markup_in_a_table_is_text() -> None:
    text = "[bold]not bold[/bold]"
    assert text in on_screen(lambda: output.table(["name"], [[text]]))


def test_a_table_in_a_pipe_is_padded_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("agent", "status"), [("a-long-name", "online"), ("b", "")])
    assert capsys.readouterr().out == "AGENT        STATUS\na-long-name  online\nb\n"


def test_a_document_is_one_line_for_programs_and_indented_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    output.document({"a": [1], "at": datetime(2026, 1, 1, tzinfo=UTC)})
    assert capsys.readouterr().out == '{"a":[1],"at":"2026-01-01T00:00:00Z"}\n'
    assert on_screen(lambda: output.document({"a": 1})) == '{\n  "a": 1\n}\n'


def test_a_character_the_terminal_lacks_is_shown_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    output.say("caf\u00e9")
    assert raw.getvalue() == b"caf\\xe9\n"


def test_fields_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.fields([("name", "x"), ("note", ""), ("longest", "y")])
    assert capsys.readouterr().out == "name     x\nlongest  y\n"


def test_progress_says_nothing_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("working") as show:
        show("half way")
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_progress_is_shown_on_a_terminal() -> None:
    def work() -> None:
        with output.progress("working") as show:
            show("half way\x1b[2J")

    assert "\x1b[2J" not in on_screen(work)
