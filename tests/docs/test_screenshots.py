"""Pictures of the pages: there is one of each page, and those that are shown in README and docs say what is in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agentic_atlas.platform.app import PAGES
from tests.docs.pages import README, ROOT, pages, prose, without_code
from tests.docs.screenshots import FOLDER, LOOKS, names

MOST_BYTES = 3_500_000
MOST_OF_ONE = 80 * 1024
IN_MARKDOWN = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<target>[^)\s]+)\)")
SHORTEST_ALT = 20


class Pictures(HTMLParser):
    """Collects what a page shows: the addresses of pictures, and the words in the place of each."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.alts: list[str] = []
        text = without_code(prose(page))
        self.feed(text)
        for found in IN_MARKDOWN.finditer(text):
            self.sources.append(found["target"])
            self.alts.append(found["alt"])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "img":
            self.sources.append(given["src"] or "")
            self.alts.append(given.get("alt") or "")
        if tag == "source":
            self.sources.append(given["srcset"] or "")


SHOWING = [page for page in pages() if Pictures(page).sources]


def test_each_page_has_its_pictures() -> None:
    assert {page.template for page in PAGES} - {template for template, _ in LOOKS.values()} == set()
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(names())


def test_pictures_are_small_and_are_what_their_names_say() -> None:
    sizes = {}
    for path in FOLDER.iterdir():
        begins = path.read_bytes()[:12]
        assert (begins[:4], begins[8:]) == (b"RIFF", b"WEBP"), path.name
        sizes[path.name] = path.stat().st_size
    assert sum(sizes.values()) <= MOST_BYTES
    assert [name for name, size in sizes.items() if size > MOST_OF_ONE] == []


@pytest.mark.parametrize("page", SHOWING, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_a_page_shows_is_there_in_light_and_dark_and_is_told_in_words(page: Path) -> None:
    shown = Pictures(page)
    for source in shown.sources:
        assert (page.parent / source).is_file(), source
    ours = {source for source in shown.sources if "screenshots/" in source}
    assert {source.replace("-light.", "-dark.") for source in ours} <= ours
    assert [alt for alt in shown.alts if len(alt) < SHORTEST_ALT] == []


def test_readme_and_docs_show_pictures() -> None:
    assert README in SHOWING
    assert len(SHOWING) >= 6
