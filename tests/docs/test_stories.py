"""What README and documentation show is done as they show it: files, programs, commands, and what these print."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.console import Step, pattern, steps
from tests.docs.pages import ROOT, pages
from tests.docs.story import NOT_RUN, World, commands, is_story, network, starts_a_network, told

STORIES = [page for page in pages() if is_story(page)]
AT_ONCE = 3


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[Path, str]:
    """What was wrong with each page that is asked for; they are told side by side, for most of it is waiting."""
    here = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    asked = [item.callspec.params["page"] for item in here]
    world = World(tmp_path_factory.mktemp("ada"))

    def tell(page: Path) -> str:
        own = starts_a_network(page)
        place = World(tmp_path_factory.mktemp("own") / "ada") if own else world
        try:
            told(place, place.home if own else place.home / page.stem, page)
        except (AssertionError, OSError) as error:
            return str(error)
        return ""

    pages = [page for page in STORIES if page in asked]
    # The long ones first, so that none of them is left alone at the end.
    pages.sort(key=lambda page: -len(list(commands(page))))
    with network(world), ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(pages, pool.map(tell, pages), strict=True))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", STORIES, ids=name)
def test_a_page_does_what_it_shows(page: Path, outcomes: dict[Path, str]) -> None:
    assert not outcomes[page], outcomes[page]


def test_every_exception_is_needed() -> None:
    shown = [step.command for page in pages() for step in commands(page)]
    assert [form for form in NOT_RUN if not any(re.fullmatch(form, command) for command in shown)] == []


def test_every_target_of_make_that_is_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = {step.command.split()[1] for page in pages() for step in commands(page) if step.command.startswith("make ")}
    assert shown <= targets


def test_a_block_is_commands_and_what_they_print() -> None:
    assert list(steps("$ a b  # why\none\ntwo\n^C\nthree\n")) == [
        Step("a b", ("one", "two"), stopped=True),
        Step("^C", ("three",)),
    ]


def test_dots_stand_for_anything_in_a_line_or_for_any_lines() -> None:
    form = pattern(("id …!", "…", "end"), whole=True)
    assert form.match("id 17!\nend\n")
    assert form.match("id !\nmore\nand more\nend\n")
    assert not form.match("id 17\nend\n")
    assert not form.match("id 17!\nend\nmore\n")
