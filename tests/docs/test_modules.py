"""What the pages for contributors say stands somewhere does: a module that has moved is looked for where it was."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs" / "design").rglob("*.md"))]
PACKAGE = ROOT / "src" / "agentic_atlas"
NAMED = re.compile(r"`([\w./-]+(?:\.py|/))`")
SOURCE = re.compile(r"`([a-z_]+(?:/[a-z_]+)+)`")
"""A module or folder named without its end."""


def missing(page: str) -> list[str]:
    """Return what a page names and is not there. A name alone is beside one before it in its paragraph or row."""
    found: list[str] = []
    for line in re.split(r"\n(?=\n|\|)", page):
        beside = [PACKAGE]
        for name in NAMED.findall(line):
            places = [ROOT / name, PACKAGE / name, *(folder / name for folder in beside)]
            there = next((place for place in places if place.exists()), None)
            if there is None:
                found.append(name)
            else:
                beside.append(there if there.is_dir() else there.parent)
        found += [name for name in SOURCE.findall(line) if not _source(name)]
    return found


def _source(name: str) -> bool:
    places = (ROOT / name, PACKAGE / name)
    return any(place.exists() or place.with_suffix(".py").exists() for place in places)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_modules_where_they_are(page: Path) -> None:
    assert missing(page.read_text()) == []


def test_a_module_that_is_not_there_is_seen() -> None:
    assert missing("`router/hub.py`, `flow.py` and `protocol/caller`") == []
    assert missing("`router/hub.py`, `hubs.py`") == ["hubs.py"]
    assert missing("`router/hubs.py` and `protocol/callers`") == ["router/hubs.py", "protocol/callers"]
