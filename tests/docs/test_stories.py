"""What README and documentation show is done as they show it: files, programs, commands, and what these print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import Step, pattern, steps
from tests.docs.pages import ROOT, pages
from tests.docs.story import NOT_RUN, World, commands, is_story, network, starts_a_network, told

STORIES = [page for page in pages() if is_story(page)]
WITH_THEIR_OWN = [page for page in STORIES if starts_a_network(page)]
IN_ONE_THAT_IS_UP = [page for page in STORIES if not starts_a_network(page)]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="session")
def ada(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A home with a network up, for the pages that do not start one themselves."""
    world = World(tmp_path_factory.mktemp("ada"))
    with network(world):
        yield world


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WITH_THEIR_OWN, ids=name)
def test_a_page_that_starts_a_network_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    world = World(tmp_path / "ada")
    told(world, world.home, page)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", IN_ONE_THAT_IS_UP, ids=name)
def test_a_page_does_what_it_shows(page: Path, ada: World) -> None:
    credentials = ada.home / ".config" / "agentic-atlas" / "credentials.json"
    kept = credentials.read_bytes()
    try:
        told(ada, ada.home / page.stem, page)
    finally:
        # A page may log in as somebody else; the next one is the administrator's again.
        credentials.write_bytes(kept)


def test_no_two_pages_that_share_a_network_have_an_agent_of_the_same_name() -> None:
    made = re.compile(r"atlas (?:init|tokens create) ([a-z-]+)")
    names = [{name for step in commands(page) for name in made.findall(step.command)} for page in IN_ONE_THAT_IS_UP]
    assert sum(map(len, names)) == len(set[str]().union(*names))


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
