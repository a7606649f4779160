"""What a program logs and prints is taken in, and its configuration stays as it is."""

from __future__ import annotations

import io
import logging
import logging.config
import multiprocessing
import os
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import QueueHandler
from typing import Any

import msgspec
import pytest

from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.lines import capture
from agentic_atlas.sdk.lines.capture import Wanted, captured
from agentic_atlas.sdk.lines.origin import CURRENT
from agentic_atlas.sdk.lines.outlet import Outlet
from tests.unit.sdk.lines.test_printed import attempt, within

FRAME = 1024 * 1024


def lines(outlet: Outlet) -> list[LogLine]:
    """Return what was told since the last look."""
    found: list[LogLine] = []
    while (logs := outlet.ring.next(FRAME)) is not None:
        found += logs.lines
        outlet.ring.kept(logs.first + len(logs.lines) - 1)
    return found


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of a library's, which nothing else in these tests has."""
    one = logging.getLogger("some.library")
    one.setLevel(logging.DEBUG)
    yield one
    one.setLevel(logging.NOTSET)
    one.handlers.clear()
    one.propagate = True


@contextmanager
def hearing(level: int | None = logging.DEBUG, *, output: bool = False) -> Iterator[Outlet]:
    outlet = Outlet()
    with captured(outlet, Wanted(level, output)):
        yield outlet


def test_a_record_is_told_with_its_logger_level_fields_and_traceback(logger: logging.Logger) -> None:
    with hearing() as outlet:
        logger.info("read %s rows", 3, extra={"table": "words"})
        try:
            raise ValueError("no such row")
        except ValueError:
            logger.exception("failed")
        logger.log(5, "below debug")
        logger.setLevel(1)
        logger.log(5, "very quiet")
    read, failed = lines(outlet)
    assert (read.message, read.level, read.source, read.logger) == ("read 3 rows", "info", "logging", "some.library")
    assert msgspec.json.decode(read.fields) == {"table": "words"}
    assert (read.task, read.attempt, read.exception) == ("", 0, "")
    assert (failed.level, failed.message) == ("error", "failed")
    assert failed.exception.endswith("ValueError: no such row")


def test_the_levels_of_the_loggers_and_of_the_agent_both_count(logger: logging.Logger) -> None:
    with hearing(logging.WARNING) as outlet:
        logger.info("not important enough")
        logger.warning("told")
        logger.setLevel(logging.ERROR)
        logger.warning("its logger leaves it out")
    assert [line.message for line in lines(outlet)] == ["told"]
    with hearing(None) as outlet:
        logger.critical("nobody listens")
    assert lines(outlet) == []
    logger.critical("after the end")
    assert lines(outlet) == []


def test_the_configuration_of_logging_stays_as_it_is(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    with hearing() as outlet:
        assert (root.handlers, root.level) == (before, level)
        logger.propagate = False
        logger.info("it goes nowhere, as it is told to")
        logger.propagate = True
        root.handlers[:] = []
        try:
            logger.warning("printed, for there is no handler")
            logging.basicConfig(stream=sys.stderr, format="configured: %(message)s")
            logger.warning("once more")
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
            logger.warning("and told still")
        finally:
            root.handlers[:] = before
    printed = capsys.readouterr().err
    assert "printed, for there is no handler\n" in printed
    assert "configured: once more\n" in printed
    assert [line.message for line in lines(outlet)] == [
        "printed, for there is no handler",
        "once more",
        "and told still",
    ]


def test_a_record_that_cannot_be_put_into_words_is_told_as_far_as_it_goes(
    logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    with hearing() as outlet:
        logger.info("two %s and %s", "one")
        logger.info(object)
    assert [line.message for line in lines(outlet)] == ["two %s and %s", "<class 'object'>"]


def test_what_an_attempt_logs_is_its_own_until_it_has_ended(logger: logging.Logger) -> None:
    with hearing() as outlet:
        origin = attempt("t1")
        origin.outlet = outlet
        context = within(origin)
        context.run(logger.info, "in it")
        thread = threading.Thread(target=logger.info, args=("in a thread of its own",))
        context.run(thread.start)
        thread.join()
        origin.over = True
        context.run(logger.info, "after it")
    told = [(line.message, line.task, line.attempt) for line in lines(outlet)]
    assert told == [("in it", "t1", 1), ("in a thread of its own", "", 0), ("after it", "", 0)]


def test_a_record_that_is_handled_in_another_place_than_it_was_made_is_nobodys(logger: logging.Logger) -> None:
    records: queue.Queue[Any] = queue.Queue()
    with hearing() as outlet:
        first, second = attempt("t1"), attempt("t2")
        first.outlet = second.outlet = outlet
        handler = QueueHandler(records)
        logger.addHandler(handler)
        logger.propagate = False
        within(first).run(logger.info, "of the first")
        logger.removeHandler(handler)
        logger.propagate = True
        record = records.get()
        thread = threading.Thread(target=within(second).run, args=(logger.handle, record))
        thread.start()
        thread.join()
        record.process = os.getpid() + 1
        record.thread = threading.get_ident()
        within(second).run(logger.handle, record)
    assert [(line.message, line.task) for line in lines(outlet)] == [("of the first", ""), ("of the first", "")]


def test_of_two_agents_in_a_process_each_hears_its_own_attempts_and_both_what_is_nobodys(
    logger: logging.Logger,
) -> None:
    with hearing() as first, hearing() as second:
        origin = attempt("t1")
        origin.outlet = first
        within(origin).run(logger.info, "of the first's")
        logger.info("of the process")
        stranger = attempt("t2")
        within(stranger).run(logger.info, "of an agent that tells nothing")
    assert [line.message for line in lines(first)] == ["of the first's", "of the process"]
    assert [line.message for line in lines(second)] == ["of the process"]


def test_what_is_printed_is_told_and_what_logging_prints_is_told_once(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    with hearing(output=True) as outlet:
        origin = attempt("t1")
        origin.outlet = outlet
        within(origin).run(print, "hello")
        print("oh", file=sys.stderr)
        handler = logging.StreamHandler()
        logger.addHandler(handler)
        logger.warning("logged")
        logger.removeHandler(handler)
        assert capture.unwrapped(sys.stdout) is not sys.stdout
        print("no end", end="")
    told = [(line.message, line.source, line.level, line.task) for line in lines(outlet)]
    assert told == [
        ("hello", "stdout", "info", "t1"),
        ("oh", "stderr", "warning", ""),
        ("logged", "logging", "warning", ""),
        ("no end", "stdout", "info", ""),
    ]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("hello\nno end", "oh\nlogged\n")
    print("not any more")
    assert lines(outlet) == []


def test_a_stream_that_the_program_puts_in_its_place_stays(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    own = io.StringIO()
    try:
        with hearing(output=True):
            sys.stdout = own
        assert sys.stdout is own
    finally:
        sys.stdout = before


def test_an_error_that_nobody_catches_is_told_and_shown_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    with hearing():
        pass
    monkeypatch.setattr(threading, "excepthook", capture.partial(capture._of_thread, shown.append))
    with hearing() as outlet:
        thread = threading.Thread(target=lambda: 1 // 0, name="worker")
        thread.start()
        thread.join()
        quiet = threading.Thread(target=sys.exit)
        quiet.start()
        quiet.join()
    (line,) = lines(outlet)
    assert (line.level, line.source) == ("critical", "agent")
    assert "worker" in line.message
    assert line.exception.endswith("ZeroDivisionError: integer division or modulo by zero")
    assert [one.exc_type for one in shown] == [ZeroDivisionError, SystemExit]


def test_an_error_that_ends_the_program_is_told_too() -> None:
    with hearing() as outlet:
        error = KeyError("gone")
        capture._of_program(lambda *_: None, KeyError, error, None)
    (line,) = lines(outlet)
    assert (line.level, line.exception) == ("critical", "KeyError: 'gone'")


def _log_in_a_copy(outlet_lines: Any, name: str) -> None:
    logging.getLogger("some.library").warning("in a copy")
    print("printed in a copy")
    outlet_lines.put(CURRENT.get() is not None)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # from 3.12 on, in a process with threads
def test_what_a_copy_of_the_process_logs_comes_to_nobody(logger: logging.Logger) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with hearing(output=True) as outlet:
        origin = attempt("t1")
        origin.outlet = outlet
        process = context.Process(target=_log_in_a_copy, args=(answers, "t1"))
        within(origin).run(process.start)
        process.join(20)
        assert process.exitcode == 0
        assert answers.get() is True
    assert lines(outlet) == []
