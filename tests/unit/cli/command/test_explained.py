from __future__ import annotations

from collections.abc import Iterator

import pytest

from agentic_atlas.cli.app import ATLAS, help_of
from agentic_atlas.cli.command.declared import parameters
from agentic_atlas.cli.command.explained import listing
from agentic_atlas.cli.command.tree import Command, Found, Group


def every(group: Group, path: tuple[str, ...] = ()) -> Iterator[Found]:
    yield Found(path, group, ())
    for name, node in group.commands.items():
        if isinstance(node, Group):
            yield from every(node, (*path, name))
        else:
            yield Found((*path, name), node, ())


@pytest.mark.parametrize("found", list(every(ATLAS)), ids=lambda found: " ".join(("atlas", *found.path)))
def test_help_fits_80_columns_and_leaves_nothing_out(found: Found) -> None:
    wide, narrow = help_of(found, 10_000), help_of(found, 80)
    assert "".join(narrow.split()) == "".join(wide.split())
    usage, _, rest = narrow.partition("\n")
    assert usage.startswith(f"Usage: {' '.join(('atlas', *found.path))} [OPTIONS]")
    assert [line for line in rest.splitlines() if len(line) > 80] == []


def test_a_long_name_has_its_text_below() -> None:
    shown = listing([("-a", "one"), ("--a-name-that-is-longer-than-thirty", "two")], 40)
    assert shown.splitlines() == ["  -a  one", "  --a-name-that-is-longer-than-thirty", "      two"]


@pytest.mark.parametrize("found", list(every(ATLAS)), ids=lambda found: " ".join(("atlas", *found.path)))
def test_every_command_but_those_for_people_alone_speaks_json(found: Found) -> None:
    if isinstance(found.node, Command):
        takes = {name for one in parameters(found.node.load()) for name in one.names}
        assert ("--json" in takes) == (found.path not in {("demo",), ("completion",)})
