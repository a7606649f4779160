"""Questions at a terminal: `atlas call` asks what the skill asks, and `atlas tasks answer` asks from elsewhere."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE, Platform, connected, python
from tests.e2e.test_questions import ASKING, asks, until


class Terminal:
    """A command with a person at its terminal; its output goes elsewhere."""

    def __init__(self, platform: Platform, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            python("-m", "agentic_atlas", *arguments),
            cwd=platform.folder,
            env=platform.environ | {"TERM": "dumb"},
            stdin=theirs,
            stderr=theirs,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.close(theirs)
        self.shown = ""

    def see(self, text: str) -> None:
        """Wait until this is on the screen, and clear it."""
        ends = time.monotonic() + PATIENCE
        while text not in self.shown:
            ready, _, _ = select.select([self._ours], [], [], max(0.0, ends - time.monotonic()))
            assert ready, f"did not show {text!r}: {self.shown}"
            self.shown += os.read(self._ours, 65_536).decode()
        self.shown = self.shown.partition(text)[2]

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for the end; return the exit code and what went to stdout."""
        printed, _ = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, printed

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        os.close(self._ours)


@contextmanager
def terminal(platform: Platform, *arguments: str) -> Iterator[Terminal]:
    shown = Terminal(platform, *arguments)
    try:
        yield shown
    finally:
        shown.close()


def test_a_call_asks_what_its_skill_asks_and_goes_on(platform: Platform) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        with terminal(platform, "call", "asking", "publish", "title=Atlas") as at:
            at.see("Which colour for Atlas? (one of: red, blue)")
            at.see("> ")
            at.type("green")
            at.see("does not fit question 1")
            at.see("> ")
            at.type("red")
            at.see("Which size? (a whole number)")
            at.type("large")
            at.see("the answer has to be a whole number")
            at.see("> ")
            at.type("42")
            assert at.end() == (0, "Atlas in red, 42\n")


def test_a_question_that_somebody_else_answers_is_asked_no_more(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        with terminal(platform, "call", "asking", "publish", "title=Atlas") as at:
            at.see("> ")
            (task,) = client.tasks.list(state="input_required")
            client.tasks.answer(task.id, "blue")
            at.see("Which size?")
            at.see("> ")
            at.type("1")
            assert at.end() == (0, "Atlas in blue, 1\n")


def test_an_interrupt_at_a_prompt_ends_the_command_and_its_task(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        with terminal(platform, "call", "asking", "blocking") as at:
            at.see("> ")
            at.interrupt()
            at.see("to stop")
            assert at.end()[0] == 130
        (task,) = client.tasks.list()
        assert until(client.tasks.get(task.id), lambda info: info.done).state == "canceled"


def test_an_answer_is_asked_for_at_the_terminal(platform: Platform, client: Client) -> None:
    with platform.agent("asking", ASKING) as agent:
        agent.wait_for(connected)
        task = client.submit("asking", "publish", title="Atlas")
        until(task, asks(1))
        listed = platform.atlas("tasks", "list", "--state", "input_required")
        assert task.id in listed
        with terminal(platform, "tasks", "answer", task.id) as at:
            at.see("Which colour for Atlas?")
            at.type("red")
            code, printed = at.end()
            assert (code, printed.startswith("Answered.")) == (0, True)
        until(task, asks(2))
        platform.atlas("tasks", "answer", task.id, "5")
        assert task.result(PATIENCE) == "Atlas in red, 5"
        watched = platform.atlas("tasks", "watch", task.id)
        assert "question  1: Which colour for Atlas? (one of: red, blue)" in watched
        assert 'answer    1: "red", by ' in watched
