"""The command line, as its own help says it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

from typer.main import get_command
from typer.testing import CliRunner

from agentic_atlas.cli.app import DEFERRED, app
from tests.docs.reference.markdown import anchor, fence, paragraphs, table

_SURROUNDINGS = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "TERM": "dumb", "NO_COLOR": "1"}


def commands() -> list[tuple[str, ...]]:
    """Return every command as its words after `atlas`."""
    return list(_below(get_command(app), ()))


def list_of_commands() -> str:
    rows = [(f"[`{_name(words)}`](#{anchor(_name(words))})", _summary(words)) for words in commands()]
    return table(("command", "does"), rows)


def details_of_commands() -> str:
    parts = [fence("text", _help(()))]
    for words in commands():
        parts += [f"## {_name(words)}", fence("text", _help(words))]
    return paragraphs(*parts)


def _name(words: tuple[str, ...]) -> str:
    return " ".join(("atlas", *words))


def _below(command: object, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, below in getattr(command, "commands", {}).items():
        yield (*words, name)
        yield from _below(below, (*words, name))


def _summary(words: tuple[str, ...]) -> str:
    if words[0] in DEFERRED:
        return DEFERRED[words[0]][1]
    lines = _help(words).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  "))
    text = " ".join(" ".join(lines[start:]).split("   ")[0].split())
    return text.partition(". ")[0].rstrip(".") + "."


def _help(words: tuple[str, ...]) -> str:
    with mock.patch.dict(os.environ, _SURROUNDINGS):
        shown = CliRunner().invoke(app, [*words, "--help"], prog_name="atlas", terminal_width=100)
    assert shown.exit_code == 0, shown.output
    return "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
