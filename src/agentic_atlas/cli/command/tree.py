"""The commands, by name. A command's module is loaded when it is called: listing them costs nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeAlias

from agentic_atlas.cli.command.usage import Usage, nearest
from agentic_atlas.errors import ConfigurationError


@dataclass(frozen=True)
class Command:
    """A function that is called with what was typed."""

    place: str
    """`module:function` below `agentic_atlas.cli`."""
    summary: str
    """Its line in the list of commands."""
    needs: str = ""
    """The extra of the distribution without which it does not work."""

    def load(self) -> Callable[..., Any]:
        """Return the function.

        Raises:
            ConfigurationError: what it needs is not installed.
        """
        module, _, function = self.place.partition(":")
        try:
            return getattr(import_module(f"agentic_atlas.cli.{module}"), function)  # type: ignore[no-any-return]
        except ModuleNotFoundError as error:
            raise self.missing(error) from error

    def missing(self, error: ModuleNotFoundError) -> Exception:
        """Return what to say about a module that is not there: what to install, when it is known."""
        if not self.needs or (error.name or "").partition(".")[0] == "agentic_atlas":
            return error
        what = f'this command needs the {self.needs}: pip install "agentic-atlas[{self.needs}]"'
        return ConfigurationError(f"{what} (`{error.name}` is missing)")


@dataclass(frozen=True)
class Group:
    """Commands under a common word."""

    summary: str
    commands: Mapping[str, Command | Group]
    default: str = ""
    """The command that the common word alone stands for; without one it shows the list."""


Node: TypeAlias = Command | Group


@dataclass(frozen=True)
class Found:
    """A command, or a group of them, and the words that led there."""

    path: tuple[str, ...]
    node: Node
    rest: tuple[str, ...]
    """The words behind."""


def find(root: Group, words: Sequence[str]) -> Found:
    """Follow the words as far as they name commands.

    Raises:
        Usage: one of them names none.
    """
    node: Node = root
    path: list[str] = []
    rest = list(words)
    while isinstance(node, Group):
        if rest and not rest[0].startswith("-"):
            path.append(rest.pop(0))
            node = _below(node, path)
        elif node.default and not {"-h", "--help"} & set(rest):
            # The default command's options may stand where its name is left out.
            node = node.commands[node.default]
        else:
            break
    return Found(tuple(path), node, tuple(rest))


def _below(group: Group, path: list[str]) -> Node:
    word = path[-1]
    found = group.commands.get(word)
    if found is None:
        above = " ".join(("atlas", *path[:-1]))
        raise Usage(f"there is no command `{above} {word}`{nearest(word, group.commands)}; see `{above} --help`")
    return found
