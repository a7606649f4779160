from __future__ import annotations

import click
import pytest

from tests.docs.reference.commands import commands

EVERY = [found.command_path for found in commands()]


def of(path: str, width: int = 80) -> click.Context:
    return next(found for found in commands(width) if found.command_path == path)


@pytest.mark.parametrize("path", EVERY)
def test_help_fits_80_columns_and_leaves_nothing_out(path: str) -> None:
    narrow, wide = of(path).get_help(), of(path, 10_000).get_help()
    assert "".join(narrow.split()) == "".join(wide.split())
    usage, _, rest = narrow.partition("\n")
    assert usage.startswith(f"Usage: {path} [OPTIONS]")
    assert [line for line in rest.splitlines() if len(line) > 80] == []


def test_what_is_indented_in_a_description_stays_as_it_is() -> None:
    assert "    text=-                      what comes through stdin\n    to.city=Paris" in of("atlas call").get_help()


@pytest.mark.parametrize("path", EVERY)
def test_every_command_but_those_for_people_alone_speaks_json(path: str) -> None:
    command = of(path).command
    if not isinstance(command, click.Group):
        takes = {name for one in command.params for name in one.opts}
        assert ("--json" in takes) == (path not in {"atlas demo", "atlas completion"})
