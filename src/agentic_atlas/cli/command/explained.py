"""The help of commands, as text of a given width. Pure."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from agentic_atlas.cli.command.declared import Argument, Option, Parameter
from agentic_atlas.cli.command.tree import Group

_HELP = ("-h, --help", "Show this help.")
_WIDEST = 30
"""Columns for names, at most: what is longer has its text below."""


def of_command(name: str, function: Callable[..., Any], parameters: Sequence[Parameter], width: int) -> str:
    """Return the help of a command."""
    places = [one for one in parameters if isinstance(one.said, Argument)]
    options = [one for one in parameters if isinstance(one.said, Option)]
    usage = " ".join([f"Usage: {name} [OPTIONS]", *map(_place, places)])
    parts = [usage, _text(inspect.getdoc(function) or "", width)]
    if named := [(one.metavar, one.said.help) for one in places if one.said.help]:
        parts.append("Arguments:\n" + listing(named, width))
    rows = [_option(one) for one in options]
    if not any("--help" in one.names for one in options):
        rows.append(_HELP)
    parts.append("Options:\n" + listing(rows, width))
    return "\n\n".join(parts)


def of_group(name: str, group: Group, options: Sequence[tuple[str, str]], width: int) -> str:
    """Return the help of a word that several commands have in common."""
    alone = f" Alone: the same as `{group.default}`." if group.default else ""
    commands = [(word, node.summary) for word, node in group.commands.items()]
    return "\n\n".join(
        [
            f"Usage: {name} [OPTIONS] COMMAND …",
            _text(group.summary + alone, width),
            "Options:\n" + listing([*options, _HELP], width),
            "Commands:\n" + listing(commands, width),
        ]
    )


def listing(rows: Sequence[tuple[str, str]], width: int) -> str:
    """Return names and what they are, as many lines each as it takes."""
    column = max((len(name) for name, _ in rows if len(name) <= _WIDEST), default=0)
    return "\n".join(line for name, text in rows for line in _row(name, text, column, width))


def _row(name: str, text: str, column: int, width: int) -> Iterator[str]:
    indent = " " * (column + 4)
    lines = textwrap.wrap(text, max(20, width - len(indent)), break_on_hyphens=False) or [""]
    if len(name) > column:
        yield f"  {name}"
    else:
        yield f"  {name.ljust(column)}  {lines.pop(0)}".rstrip()
    yield from (indent + line for line in lines)


def _text(text: str, width: int) -> str:
    """Return paragraphs as wide as there is room; lines that are indented stay as they are."""
    return "\n\n".join(_paragraph(part, width) for part in text.split("\n\n"))


def _paragraph(text: str, width: int) -> str:
    if text.startswith(" "):
        return textwrap.indent(text, "  ")
    lines = textwrap.wrap(text, max(20, width - 2), break_on_hyphens=False, break_long_words=False)
    return textwrap.indent("\n".join(lines), "  ")


def _place(one: Parameter) -> str:
    shown = f"{one.metavar}…" if one.many else one.metavar
    return shown if one.required else f"[{shown}]"


def _option(one: Parameter) -> tuple[str, str]:
    names = ", ".join(one.names)
    if one.denials:
        names += f"/{', '.join(one.denials)}"
    if one.metavar:
        names += f" {one.metavar}"
    facts = ", ".join(_facts(one))
    return names, f"{one.said.help} [{facts}]" if facts else one.said.help


def _facts(one: Parameter) -> Iterator[str]:
    said = one.said
    assert isinstance(said, Option)
    if said.min is not None:
        yield f"from {said.min:g}" if said.max is None else f"{said.min:g} to {said.max:g}"
    if one.many:
        yield "may be given several times"
    if not one.flag and not one.many and one.default:
        yield f"{one.default} without it"
