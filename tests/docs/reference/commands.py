"""The command line, as its own help says it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from agentic_atlas.cli.app import ATLAS
from agentic_atlas.cli.shell import PROGRAM
from tests.docs.reference.markdown import anchor, fence, paragraphs, table

WIDTH = 100


def commands(width: int = WIDTH) -> list[click.Context]:
    """Return every command and group of commands as they are called for their help, the program itself first."""
    return list(_from(ATLAS.make_context(PROGRAM, [], resilient_parsing=True, terminal_width=width)))


def list_of_commands() -> str:
    rows = [
        (f"[`{found.command_path}`](#{anchor(found.command_path)})", found.command.get_short_help_str())
        for found in commands()[1:]
    ]
    return table(("command", "does"), rows)


def details_of_commands() -> str:
    program, *others = commands()
    parts = [fence("text", program.get_help())]
    for found in others:
        parts += [f"## {found.command_path}", fence("text", found.get_help())]
    return paragraphs(*parts)


def _from(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _from(command.make_context(name, [], parent=context, resilient_parsing=True))
