"""`atlas run`: run an agent's file as `python FILE` would, and say what is missing when it is not one."""

from __future__ import annotations

import ast
import runpy
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Annotated

import click

from agentic_atlas.cli import output
from agentic_atlas.cli.command.declared import Argument
from agentic_atlas.cli.options import Json
from agentic_atlas.errors import AtlasError, ConfigurationError

_STARTERS = frozenset({"run", "serve"})
_RELOAD = "hot reload comes in a later release; until then: watchfiles 'python {file}'"


def run(
    *,
    file: Annotated[Path, Argument(help="The agent's file, for instance agent.py.")],
    words: Annotated[tuple[str, ...], Argument(metavar="[ARGUMENT]...", help="For the file itself.")] = (),
    json: Json = False,
) -> None:
    """Run an agent's file, as `python FILE` does.

    Arguments for the file itself follow `--`: `atlas run agent.py -- --port 1`.
    """
    del json  # Read where errors are reported; the file's own output is its own.
    path = _file(file)
    arguments = _arguments(file, list(words))
    starts = _starts(path)
    names = _execute(path, arguments)
    if not starts:
        raise ConfigurationError(_never_ran(file, names))


def _file(path: Path) -> Path:
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder: name the file in it, for instance {path / 'agent.py'}")
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path} here")
    return path


def _arguments(file: Path, given: list[str]) -> list[str]:
    """Return what the file gets: all words, and options only after `--`, for else a mistyped one would do nothing."""
    own = given.index("--") if "--" in given else len(given)
    option = next((word for word in given[:own] if word.startswith("-") and word != "-"), None)
    if option is not None:
        passed = f"what is for {file} itself follows --: atlas run {file} -- {option}"
        hint = _RELOAD.format(file=file) if option.partition("=")[0] == "--reload" else passed
        raise click.UsageError(f"no such option: {option} ({hint})")
    return given[:own] + given[own + 1 :]


def _starts(path: Path) -> bool:
    """Tell whether the file has a call like `agent.run()`, `agent.serve()` or `run(agent)` anywhere."""
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise ConfigurationError(f"{path}{line}: {reason}") from error
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(_name(called) in _STARTERS for called in calls)


def _name(called: ast.expr) -> str | None:
    if isinstance(called, ast.Attribute):
        return called.attr
    return called.id if isinstance(called, ast.Name) else None


def _execute(path: Path, arguments: list[str]) -> dict[str, object]:
    """Run the file as the main module, with the arguments and the import path it would have had."""
    sys.argv = [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        return runpy.run_path(str(path), run_name="__main__")
    except AtlasError:
        raise
    except Exception as error:  # noqa: BLE001  # the user's own code: shown as Python itself would show it
        told = traceback.format_exception(type(error), error, _own(error.__traceback__, path))
        output.page("".join(told).rstrip(), beside=True)
        raise SystemExit(1) from None


def _own(trace: TracebackType | None, path: Path) -> TracebackType | None:
    """Return the part of a traceback that begins in the user's file."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename != str(path):
        found = found.tb_next
    return found or trace


def _never_ran(path: Path, names: dict[str, object]) -> str:
    from agentic_atlas.sdk.agent import Agent

    agent = next((name for name, value in names.items() if isinstance(value, Agent)), None)
    if agent is None:
        return f"{path} has no agent in it: `atlas init NAME` makes one to begin with"
    return f'{path} declares an agent but never runs it: end it with `if __name__ == "__main__": {agent}.run()`'
