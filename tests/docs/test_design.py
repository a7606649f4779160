"""The pages of the design, and what contributors are told, speak of what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT
from tests.docs.reference.source import PACKAGE

DESIGN = [ROOT / "CONTRIBUTING.md", *sorted((DOCS / "design").rglob("*.md"))]
RESERVED = {"platform", "interop", "integrations"}
"""Named in the import contract, for what is to come."""

_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w.-]+(/[\w.-]+)*(\.py|/)")


def paths(text: str) -> list[str]:
    """Return the files and folders that a page names; of several in a row, the later ones may be beside the first."""
    found: list[str] = []
    for line in text.splitlines():
        beside = ""
        for code in _CODE.findall(line):
            if _PATH.fullmatch(code) and "*" not in code:
                found.append(code if "/" in code or not beside else f"{beside}/{code}")
                beside = found[-1].rpartition("/")[0]
    return found


def there(path: str) -> bool:
    return any((place / path).exists() for place in (PACKAGE, ROOT)) or path.strip("/") in RESERVED


@pytest.mark.parametrize("page", DESIGN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_of_the_design_names_is_there(page: Path) -> None:
    assert [path for path in paths(page.read_text()) if not there(path)] == []


def test_a_path_that_leads_nowhere_is_found() -> None:
    assert paths("| `router/hub.py`, `presence.py`; `sdk/` | `Hub`, `a.b` |") == [
        "router/hub.py",
        "router/presence.py",
        "sdk/",
    ]
    assert not there("router/census.py")
