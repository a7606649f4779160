"""What an error names a command for is done on a page as well, and that is what people are told there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic_atlas import backend
from agentic_atlas.platform.page_actions import on_pages, place_of

COMMAND = re.compile(r"`atlas ([a-z][^`]*)")
NOT_HERE = {"login", "login URL --code"}
"""For who comes with a key of too little, or one that is over: whoever is at a page has a session."""


def commands() -> Iterator[str]:
    """Yield the commands that the backend's texts name, docstrings apart."""
    assert backend.__file__ is not None
    for path in Path(backend.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        texts = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
                yield from COMMAND.findall(node.value)


def test_every_command_that_an_error_names_has_its_place_on_a_page() -> None:
    found = {command.strip() for command in commands()}
    assert len(found) > 15
    assert {command for command in found - NOT_HERE if not place_of(command)} == set()


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no user 'x': `atlas users` lists them", "no user 'x': Settings > People lists them"),
        ("end those first (`atlas users totp --off`)", "end those first (Settings > Account)"),
        (
            "`atlas users password` changes your password (`PUT /api/v1/users/me/password`); when it is lost",
            "Settings > Account changes your password; when it is lost",
        ),
        ("withdraw one first with `atlas keys withdraw`", "withdraw one first with Settings > Signing keys"),
        ("`atlas keys create --scope` makes one", "Settings > API keys makes one"),
        ("nothing that is named here", "nothing that is named here"),
        ("`atlas login` gives you a key", "`atlas login` gives you a key"),
    ],
)
def test_a_page_names_its_own_place_instead(message: str, shown: str) -> None:
    assert on_pages(message) == shown
