"""What ends a command from outside: signals, and streams that are closed or that nobody reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest

from agentic_atlas.cli import asking
from tests.integration.cli.commands import atlas
from tests.integration.cli.platform_server import GREET, Platform, event
from tests.integration.client.client_server import Answer, Asked

CALL = ("call", "hello", "greet", "name=Ada")


@pytest.fixture(autouse=True)
def hello(platform: Platform) -> None:
    platform.add_agent("hello", GREET)


@contextmanager
def command(*words: str, **more: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "agentic_atlas", *words],
        **({"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | more),  # type: ignore[call-overload]
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def reached(platform: Platform, method: str, path: str) -> threading.Event:
    """Return what is set when a request arrives."""
    seen = threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.method == method and asked.path.endswith(path):
            seen.set()
        return platform.answer(asked)

    platform.server.answer = answer
    return seen


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_a_signal_asks_the_task_to_stop_and_is_told_by_the_exit_code(
    platform: Platform, number: signal.Signals
) -> None:
    platform.task = {"state": "working"}
    waiting = reached(platform, "GET", "/tasks/t1")
    with command(*CALL) as process:
        assert waiting.wait(20)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (128 + number, "", "Asked task t1 to stop.\n")
    assert platform.server.paths()[-1] == "POST /api/v1/tasks/t1/cancel"


def test_a_signal_to_a_command_that_only_looks_leaves_the_task_alone(platform: Platform) -> None:
    seen = reached(platform, "GET", "/tasks/t1/events")
    platform.beginning = event(1, "progress", fraction=0.5)
    platform.task = {"state": "working"}
    with command("tasks", "watch", "t1") as process:
        assert seen.wait(20)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (143, "")
    assert [asked.method for asked in platform.server.asked if asked.method != "GET"] == []


def test_a_signal_that_is_ignored_stays_so(platform: Platform) -> None:
    platform.task = {"state": "working"}
    waiting = reached(platform, "GET", "/tasks/t1")
    code = f"import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.argv[1:] = {list(CALL)!r}"
    program = f"{code}; from agentic_atlas.cli.app import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert waiting.wait(20)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, err) == (128 + signal.SIGTERM, "Asked task t1 to stop.\n")


def test_a_task_that_is_submitted_in_the_moment_of_a_signal_is_stopped_too(platform: Platform) -> None:
    platform.task = {"state": "working"}
    arrived, go_on = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Answer:
        if (asked.method, asked.path) == ("POST", "/api/v1/tasks"):
            arrived.set()
            assert go_on.wait(20)
        return platform.answer(asked)

    platform.server.answer = answer
    with command(*CALL) as process:
        assert arrived.wait(20)
        process.send_signal(signal.SIGTERM)
        go_on.set()
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (143, "Asked task t1 to stop.\n")


def test_a_reader_that_leaves_stops_the_task(platform: Platform) -> None:
    platform.task = {"state": "working"}
    platform.stream = event(1, "chunk", value="Hel")
    ours, theirs = os.pipe()
    os.close(ours)
    with command(*CALL, "--stream", stdout=theirs) as process:
        os.close(theirs)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (141, "Asked task t1 to stop.\n")
    assert platform.server.paths()[-1] == "POST /api/v1/tasks/t1/cancel"


@pytest.mark.parametrize(
    "words",
    [("agents",), ("agents", "show", "hello"), ("tasks", "list"), ("tasks", "show", "t1"), ("tokens", "list", "hello"),
     ("whoami", "--json"), ("version",), ("--help",), ("call", "--help"), ("completion", "bash"), CALL],
    ids=" ".join,
)  # fmt: skip
def test_a_reader_that_has_left_is_an_exit_code_and_no_complaint(words: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    with command(*words, stdout=theirs) as process:
        os.close(theirs)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_as_good_as_the_null_device(closed: str) -> None:
    shell = f"{sys.executable} -m agentic_atlas {' '.join(CALL)} {closed}"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("" if ">&-" in closed.replace("2>&-", "") else "Hello, Ada!\n")


def test_an_error_that_nobody_can_read_is_an_exit_code() -> None:
    shell = f"{sys.executable} -m agentic_atlas agents show nobody 2>&-"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_an_interrupt_at_a_prompt_ends_with_130(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(prompt: str, stream: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("getpass.getpass", interrupted)
    monkeypatch.setattr("agentic_atlas.cli.login.output.terminal", lambda stream=None: True)
    result = atlas("login", platform.server.url)
    assert (result.exit_code, result.stdout, result.stderr.splitlines()[1:]) == (130, "", [""])


def test_the_end_of_the_input_at_a_prompt_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(prompt: str, stream: object) -> str:
        raise EOFError

    monkeypatch.setattr("getpass.getpass", ended)
    with pytest.raises(click.Abort):
        asking.secret("API key")
