"""The command line, as its own help says it."""

from __future__ import annotations

from collections.abc import Iterator

from agentic_atlas.cli.app import ATLAS, help_of
from agentic_atlas.cli.command.tree import Found, Group, Node, find
from tests.docs.reference.markdown import anchor, fence, paragraphs, table

WIDTH = 100


def commands() -> list[Found]:
    """Return every command and group of commands."""
    return [Found(path, node, ()) for path, node in _below(ATLAS, ())]


def list_of_commands() -> str:
    rows = [(f"[`{_name(found)}`](#{anchor(_name(found))})", found.node.summary) for found in commands()]
    return table(("command", "does"), rows)


def details_of_commands() -> str:
    parts = [fence("text", help_of(find(ATLAS, ["--help"]), WIDTH))]
    for found in commands():
        parts += [f"## {_name(found)}", fence("text", help_of(found, WIDTH))]
    return paragraphs(*parts)


def _name(found: Found) -> str:
    return " ".join(("atlas", *found.path))


def _below(group: Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Node]]:
    for name, node in group.commands.items():
        yield (*path, name), node
        if isinstance(node, Group):
            yield from _below(node, (*path, name))
