from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime

import pytest

from agentic_atlas.cli import output
from tests.integration.cli.commands import Screen


def on_screen(show: Callable[[], object]) -> str:
    """Return what a terminal gets."""
    screen = Screen()
    with redirect_stdout(screen), redirect_stderr(screen):
        show()
    return screen.getvalue()


NASTY = "\x1b]0;title\x07\x1b[2Jred\r\u009b31m\u202e\u200b\u2028\U000e0041"
OBEYED = ("\x07", "\r", "\x9b", "\x1b", "\u202e", "\u200b", "\u2028", "\U000e0041")
SHOWN = (
    lambda: output.say(NASTY),
    lambda: output.aside(NASTY),
    lambda: output.prompt(NASTY),
    lambda: output.page(NASTY),
    lambda: output.fields([("name", NASTY)]),
    lambda: output.table(["name"], [[NASTY]]),
    lambda: output.document({"name": NASTY}),
    lambda: output.record({"name": NASTY}),
)


@pytest.mark.parametrize("show", SHOWN)
def test_nothing_that_a_terminal_obeys_is_printed_anywhere(
    show: Callable[[], object], capsys: pytest.CaptureFixture[str]
) -> None:
    show()
    piped = capsys.readouterr()
    for shown in (on_screen(show), piped.out + piped.err):
        assert "red" in shown
        assert not [character for character in OBEYED if character in shown]


def test_the_output_of_a_task_goes_into_a_pipe_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    output.result(NASTY)
    assert capsys.readouterr().out == f"{NASTY}\n"
    assert not [character for character in OBEYED if character in on_screen(lambda: output.result(NASTY))]


def test_a_text_ends_with_one_line_break_whether_it_brings_it_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("a line\n", "a line", "", "two\n\n"):
        output.result(text)
    output.result("a piece", whole=False)
    assert capsys.readouterr().out == "a line\na line\n\ntwo\n\na piece"


FORGED = "x\nstate   completed\r\nerror   none"


@pytest.mark.parametrize(
    ("show", "shown"),
    [
        (lambda: output.say(FORGED), "x\n  state   completed\n  error   none\n"),
        (lambda: output.aside(FORGED), "x\n  state   completed\n  error   none\n"),
        (
            lambda: output.fields([("state", FORGED), ("note", "y")]),
            "state  x\n       state   completed\n       error   none\nnote   y\n",
        ),
        (lambda: output.table(["state"], [[FORGED]]), "STATE\nx state completed error none\n"),
        (lambda: output.prompt(FORGED), "x state completed error none "),
    ],
)
def test_no_text_has_a_line_that_begins_as_ours_do(show: Callable[[], object], shown: str) -> None:
    assert on_screen(show) == shown


def test_a_table_in_a_pipe_is_padded_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("agent", "status"), [("a-long-name", "online"), ("b", "")], shrinks=("agent",))
    assert capsys.readouterr().out == "AGENT        STATUS\na-long-name  online\nb\n"


def test_a_row_is_one_line_however_narrow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("tsk_01m8n4m8q2ab", "administrator/document-search", "search", "input_required", "59 min ago")]
    columns = ("task", "agent", "skill", "state", "created")
    for columns_there in (120, 80, 60):
        monkeypatch.setenv("COLUMNS", str(columns_there))
        lines = on_screen(lambda: output.table(columns, rows, shrinks=("agent", "skill"))).splitlines()
        assert len(lines) == 2
        assert max(map(len, lines)) <= columns_there


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


class Gone(io.StringIO):
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_an_answer_that_nothing_takes_says_so_and_a_closed_pipe_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        number = errno.ENOSPC

        def flush(self) -> None:
            raise OSError(self.number, os.strerror(self.number))

    full = Full()
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(OSError, match='No space left on device: "what was printed can\'t be written"'):
        output.say("hello")
    full.number = errno.EPIPE
    with pytest.raises(BrokenPipeError):
        output.say("hello")


def test_that_nobody_reads_what_is_said_beside_the_answer_does_not_end_a_command() -> None:
    with redirect_stderr(Gone()):
        output.aside("a hint")
    with redirect_stdout(Gone()), pytest.raises(BrokenPipeError):
        output.say("the answer")
