"""What the shell is offered while a command is typed: names of commands and options, and what their values may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from agentic_atlas.cli.command.declared import Argument, Parameter, parameters
from agentic_atlas.cli.command.reading import HELP
from agentic_atlas.cli.command.tree import Command, Group
from agentic_atlas.errors import ConfigurationError


def offered(root: Group, words: Sequence[str]) -> list[str]:
    """Return how the last word may go on, or be; the ones before it stand as they are."""
    *before, incomplete = words or [""]
    node: Command | Group = root
    while isinstance(node, Group):
        named = next((word for word in before if not word.startswith("-")), None)
        if named is None:
            return _beginning(incomplete, [*node.commands, *HELP])
        if named not in node.commands:
            return []
        before = before[before.index(named) + 1 :]
        node = node.commands[named]
    try:
        takes = parameters(node.load())
    except ConfigurationError:
        return []  # Of the server, which is not installed here.
    return _of_command(takes, before, incomplete)


def _of_command(takes: Sequence[Parameter], before: Sequence[str], incomplete: str) -> list[str]:
    given = list(_arguments(takes, before))
    asking = _option(takes, before[-1]) if before else None
    if asking is not None and not asking.flag:
        return _values(asking, incomplete, given)
    if incomplete.startswith("-"):
        known = [name for one in takes for name in (*one.names, *one.denials)]
        return _beginning(incomplete, dict.fromkeys([*known, *HELP]))
    places = [one for one in takes if isinstance(one.said, Argument)]
    here = places[min(len(given), len(places) - 1)] if places else None
    if here is None or (len(given) >= len(places) and not here.many):
        return []
    return _values(here, incomplete, given)


def _values(one: Parameter, incomplete: str, given: Sequence[str]) -> list[str]:
    if one.said.choices:
        return _beginning(incomplete, one.said.choices)
    return list(one.said.completes(incomplete, given)) if one.said.completes else []


def _arguments(takes: Sequence[Parameter], words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are neither options nor their values."""
    left = iter(words)
    for word in left:
        one = _option(takes, word)
        if one is not None and not one.flag:
            next(left, None)
        elif one is None and not word.startswith("-"):
            yield word


def _option(takes: Sequence[Parameter], word: str) -> Parameter | None:
    return next((one for one in takes if word in (*one.names, *one.denials)), None)


def _beginning(incomplete: str, words: Sequence[str] | dict[str, None]) -> list[str]:
    return [word for word in words if word.startswith(incomplete)]
