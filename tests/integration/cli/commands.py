"""Commands, run in this process as `atlas` runs them."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from click.shell_completion import CompletionItem, ShellComplete

from agentic_atlas.cli.app import ATLAS, run
from agentic_atlas.cli.shell import ASKED, PROGRAM


class Screen(io.StringIO):
    """A terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Result:
    """What a command printed, and its exit code."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def atlas(*words: str, input: str | None = None, screen: bool = False) -> Result:
    """Run a command with its output in a pipe, or on a terminal; it has what is typed, if anything, on stdin."""
    out, err = (Screen(), Screen()) if screen else (io.StringIO(), io.StringIO())
    stdin = io.TextIOWrapper(io.BytesIO((input or "").encode()), encoding="utf-8")
    with mock.patch.object(sys, "stdin", stdin), redirect_stdout(out), redirect_stderr(err):
        try:
            code = run(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return Result(code, out.getvalue(), err.getvalue())


def printed(result: Result, code: int = 0) -> str:
    """Return what a command printed, having ended so."""
    assert result.exit_code == code, result.output
    return result.stdout


def complained(result: Result, code: int = 1) -> str:
    """Return what a command said on stderr, having printed nothing and failed so."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    return result.stderr.strip()


def items(line: str) -> list[CompletionItem[str]]:
    """Return what a shell is told when what follows `atlas` is to go on."""
    *before, incomplete = line.split(" ")
    return ShellComplete(ATLAS, {}, PROGRAM, ASKED).get_completions(before, incomplete)


def offered(line: str) -> list[str]:
    """Return how a shell offers to go on with what follows `atlas`."""
    return [item.value for item in items(line)]
