"""Terminals that do what a page shows: its commands are run one after the other, and what they print is compared.

A block with a title is a terminal of that name, so a page can show several. A command that stays (`atlas up`, an agent)
stays until `^C` in its terminal, or until the end of the page. In what is shown, `…` stands for anything within a line,
and a line of it alone for any number of lines.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 20.0
"""Seconds for a command to end, or to say what is shown."""

_STAYS = {
    re.compile(r"atlas up\b(?!.*--help).*"): "Ctrl-C stops.",
    re.compile(r"(env \S+=\S+ )*(python|atlas run) \S*agents?\.py.*"): "ready as",
}
"""Commands that go on, and what they say when they are ready."""
_NEEDS_A_SHELL = frozenset("|;&<>~$*")
_KEPT = re.compile(r"(?P<name>\w+)=\$\((?P<command>.*)\)")
"""A command whose output is kept in a variable of the shell."""
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ROWS, _COLUMNS = 50, 160


@dataclass(frozen=True)
class Step:
    """A command of a block, or `^C`, and the lines shown under it."""

    command: str
    shown: tuple[str, ...]
    stopped: bool = False
    """It goes on until the `^C` that follows in the same block."""


def steps(text: str) -> Iterator[Step]:
    """Yield what a console block asks for."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ ").partition("  #")[0].strip(), []))
        elif line == "^C":
            found.append((line, []))
        else:
            assert found, f"a console block begins with `$ ` or ^C, not with {line!r}"
            found[-1][1].append(line.rstrip())
    following = [command for command, _ in found[1:]] + [""]
    for (command, lines), after in zip(found, following, strict=True):
        yield Step(command, tuple(lines), stopped=after == "^C")


def pattern(lines: tuple[str, ...], *, whole: bool) -> re.Pattern[str]:
    """Return what an output has to look like; not `whole`: more may follow."""
    parts = [r"(?:.*\n)*?" if line == "…" else f"{'.*?'.join(map(re.escape, line.split('…')))}\\n" for line in lines]
    return re.compile("".join(parts) + (r"\n*\Z" if whole else ""))


class Command:
    """A running command. Its standard output is a pseudo-terminal, so that it prints what it prints to a person.

    Standard error is a pipe, for what moves there (spinners) cannot be compared; it is told after the standard output.
    """

    def __init__(self, command: str, folder: Path, environ: dict[str, str]) -> None:
        self.command = command
        self._texts = ["", ""]
        self._skipped = [0, 0]
        self._open = 2
        self._news = threading.Condition()
        ours, theirs = pty.openpty()
        our_errors, their_errors = os.pipe()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        try:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", command] if _NEEDS_A_SHELL & set(command) else shlex.split(command),
                cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=theirs, stderr=their_errors,
                start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)
            os.close(their_errors)
        self._readers = [
            threading.Thread(target=self._read, args=(source, number), daemon=True)
            for number, source in enumerate((ours, our_errors))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def output(self) -> str:
        """What it has printed so far, or since `skip`, as plain text."""
        with self._news:
            texts = [text[start:] for text, start in zip(self._texts, self._skipped, strict=True)]
            texts = [text + "\n" if text and not text.endswith("\n") else text for text in texts]
            lines = _ANSI.sub("", "".join(texts)).replace("\r\n", "\n").split("\n")
        return "\n".join(line.rstrip().rpartition("\r")[2] for line in lines)

    @property
    def answer(self) -> str:
        """What it has printed to its standard output alone."""
        with self._news:
            return _ANSI.sub("", self._texts[0]).replace("\r\n", "\n")

    def skip(self) -> None:
        """Leave what was printed so far out of `output` from now on."""
        with self._news:
            self._skipped = [len(text) for text in self._texts]

    def wait_for(self, seen: Callable[[str], bool]) -> bool:
        """Wait until the output is as wanted; False when it is not in time, or the command ended without."""
        ends = time.monotonic() + PATIENCE
        with self._news:
            while not (found := seen(self.output)) and self._open and time.monotonic() < ends:
                self._news.wait(ends - time.monotonic())
        return found or seen(self.output)

    def wait(self) -> int:
        """Wait for its end; return the exit code."""
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"`{self.command}` did not end; it said:\n{self.output}") from None
        self._join()
        return code

    def interrupt(self) -> int:
        """Do what Ctrl-C does, and wait for the end."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self.wait()

    def kill(self) -> None:
        """End it, whatever it does."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(PATIENCE)
        self._join()

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(PATIENCE)

    def _read(self, source: int, number: int) -> None:
        with os.fdopen(source, "rb", buffering=0) as stream:
            while data := _chunk(stream.fileno()):
                with self._news:
                    self._texts[number] += data.decode(errors="replace")
                    self._news.notify_all()
        with self._news:
            self._open -= 1
            self._news.notify_all()


def _chunk(source: int) -> bytes:
    try:
        return os.read(source, 65_536)
    except OSError:  # the other end of a pseudo-terminal is closed
        return b""


class Terminal:
    """A person's terminal: a folder, and at most one command that goes on."""

    def __init__(self, folder: Path, environ: dict[str, str], said: Callable[[str], str]) -> None:
        """Open it; `said` turns an output into what the page would show."""
        self.folder = folder
        self._environ = environ
        self._said = said
        self._going_on: Command | None = None

    def do(self, step: Step) -> None:
        """Carry out a step, and compare what it prints where the page shows it."""
        if step.command == "^C":
            self._interrupt(step)
        elif step.command.startswith("cd "):
            self.folder = (self.folder / step.command.removeprefix("cd ")).resolve()
            assert self.folder.is_dir(), f"there is no folder {self.folder}"
        elif kept := _KEPT.fullmatch(step.command):
            command = Command(kept["command"], self.folder, self._environ)
            assert command.wait() == 0, command.output
            self._environ = self._environ | {kept["name"]: command.answer.strip()}
        else:
            assert self._going_on is None, f"`{step.command}` in a terminal where `{self._going_on}` goes on"
            self._run(step)

    def close(self) -> None:
        """End what goes on."""
        if self._going_on is not None:
            self._going_on.kill()

    def _run(self, step: Step) -> None:
        command = Command(step.command, self.folder, self._environ)
        ready = next((text for form, text in _STAYS.items() if form.fullmatch(step.command)), None)
        if step.stopped or (ready is not None and (not step.shown or any(ready in line for line in step.shown))):
            self._goes_on(command, step, ready or "")
            return
        code = command.wait()
        output = self._said(command.output)
        if step.shown:
            assert pattern(step.shown, whole=True).match(output), _difference(step, output)
        else:
            assert code == 0, f"`{step.command}` ended with {code}, and the page does not show it:\n{output}"

    def _goes_on(self, command: Command, step: Step, ready: str) -> None:
        """Wait until the command has said what is shown, or else that it is ready."""
        self._going_on = command
        form = pattern(step.shown or ("…", f"…{ready}…"), whole=False)
        seen = command.wait_for(lambda output: form.match(self._said(output)) is not None)
        assert seen, _difference(step, self._said(command.output))
        command.skip()

    def _interrupt(self, step: Step) -> None:
        assert self._going_on is not None, "^C where nothing goes on"
        command, self._going_on = self._going_on, None
        command.interrupt()
        output = self._said(command.output)
        if step.shown:
            assert pattern(step.shown, whole=True).match(output), _difference(step, output)


def _difference(step: Step, output: str) -> str:
    shown = "\n".join(step.shown)
    return f"`{step.command}` does not print what the page shows.\n--- shown\n{shown}\n--- printed\n{output}"
