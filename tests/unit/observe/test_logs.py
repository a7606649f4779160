import io
import json
import sys

import pytest

from agentic_atlas.observe import logs

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZ2VudCJ9.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Closed(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def write(self, text: str) -> int:
        raise self._error

    def flush(self) -> None:
        raise self._error


class Unspeakable:
    def __repr__(self) -> str:
        raise KeyError("no words")


def failing() -> Exception:
    try:
        password = "hunter" * 2
        raise ValueError(f"no {len(password)}")
    except ValueError as error:
        return error


def test_a_terminal_gets_lines_for_people_and_a_pipe_gets_json() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    logs.logger(stream=terminal).info("ready", skills=3)
    logs.logger(stream=pipe).bind(task="t1").info("ready", skills=3)
    assert "ready" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")
    line = json.loads(pipe.getvalue())
    assert (line["event"], line["level"], line["skills"], line["task"]) == ("ready", "info", 3, "t1")
    assert line["timestamp"].endswith("Z")


def test_the_style_can_be_chosen() -> None:
    stream = Terminal()
    logs.logger(style="json", stream=stream).info("ready")
    assert json.loads(stream.getvalue())["event"] == "ready"


def test_only_the_level_asked_for_and_above_is_written() -> None:
    stream = io.StringIO()
    log = logs.logger("warning", stream=stream)
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["c"]


@pytest.mark.parametrize("style", ["json", "console"])
def test_tokens_are_redacted_wherever_they_are(style: str) -> None:
    stream = io.StringIO()
    log = logs.logger(style=style, stream=stream)
    event = f"got {TOKEN}"
    log.info(event, header=f"Bearer {TOKEN}")
    log.error("failed", exc_info=ValueError(TOKEN))
    assert "eyJ" not in stream.getvalue()


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_where_and_no_local_variables(style: str) -> None:
    stream = io.StringIO()
    logs.logger(style=style, stream=stream).error("failed", exc_info=failing())
    assert "ValueError: no 12" in stream.getvalue()
    assert "in failing" in stream.getvalue()
    assert "hunterhunter" not in stream.getvalue()


@pytest.mark.parametrize("error", [BrokenPipeError(), RuntimeError("the window is closed"), AttributeError("write")])
def test_a_log_that_cannot_be_written_stops_nothing(error: Exception) -> None:
    log = logs.logger(stream=Closed(error))
    log.info("nobody reads this")
    log.info("half a pair \ud800")


def test_without_standard_error_it_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logs.logger().info("to nobody")


def test_a_stream_that_does_not_know_whether_it_is_a_terminal_is_none() -> None:
    stream = io.StringIO()
    stream.close()
    logs.logger(stream=stream).info("to nobody")


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_line_that_cannot_be_put_into_words_is_written_without_its_fields(style: str) -> None:
    stream = io.StringIO()
    logs.logger(style=style, stream=stream).info("ready", thing=Unspeakable())
    assert "ready" in stream.getvalue()
    assert "thing" in stream.getvalue()


def test_a_terminal_gets_colours_unless_it_wants_none() -> None:
    coloured, plain = Terminal(), Terminal()
    logs.logger(stream=coloured).info("ready")
    logs.logger(stream=plain, colours=False).info("ready")
    assert "\x1b" in coloured.getvalue()
    assert "\x1b" not in plain.getvalue()


def test_the_users_own_configuration_of_structlog_and_logging_stays_as_it_is() -> None:
    import logging

    import structlog

    handlers, configured = list(logging.getLogger().handlers), structlog.is_configured()
    logs.logger(stream=io.StringIO()).info("ready")
    assert logging.getLogger().handlers == handlers
    assert structlog.is_configured() == configured


def test_without_a_stream_it_is_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.logger(style="json", stream=sys.stderr).info("ready")
    logs.logger(style="json").info("ready again")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [json.loads(line)["event"] for line in captured.err.splitlines()] == ["ready", "ready again"]


def test_of_a_text_without_end_the_beginning_and_the_end_are_written() -> None:
    stream = io.StringIO()
    logs.logger(style="json", stream=stream).error("failed", exc_info=ValueError("a" + "b" * 1_000_000 + "c"))
    line = json.loads(stream.getvalue())["exception"]
    assert len(line) < logs.LONGEST + 100
    assert line.startswith("ValueError: ab")
    assert line.endswith("bc")
