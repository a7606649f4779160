"""What is made from the code is current, and nothing of it is missing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agentic_atlas.protocol import session, tasks
from agentic_atlas.protocol.messages import MESSAGES, NAMES
from tests.docs.pages import DOCS, ROOT, blocks, pages
from tests.docs.reference import codes, commands, http, life, settings, transcript, wire
from tests.docs.reference.parts import PARTS, names_in, renewed

REFERENCE = DOCS / "reference"
MADE = [page for page in pages() if names_in(page.read_text())]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", MADE, ids=name)
def test_a_page_is_as_the_code_makes_it(page: Path) -> None:
    text = page.read_text()
    assert renewed(text) == text, "run `make reference`"


def test_every_part_that_can_be_made_is_on_a_page() -> None:
    assert {part for page in MADE for part in names_in(page.read_text())} == set(PARTS)


def test_every_mark_has_its_end() -> None:
    for page in pages():
        text = page.read_text()
        begins, ends = (len(re.findall(form, text, re.MULTILINE)) for form in (r"^<!-- made from", r"^<!-- end -->$"))
        assert begins == len(names_in(text)) == ends, name(page)


def test_every_diagram_of_states_is_drawn_from_its_table() -> None:
    drawn = [
        block.text.rstrip()
        for page in pages()
        for block in blocks(page)
        if block.language == "mermaid" and block.text.startswith("stateDiagram")
    ]
    assert set(drawn) == {wire.drawn(), life.drawn()}


def test_the_diagrams_show_every_state_and_every_arrow() -> None:
    for state, arrows in session.TRANSITIONS.items():
        assert state in wire.drawn()
        assert all(NAMES[kind] in wire.drawn() for kind in arrows)
    lines = [line.strip() for line in life.drawn().splitlines()]
    for state, moves in tasks.TRANSITIONS.items():
        assert all(f"{state} --> {goal}: {trigger}" in lines for trigger, goal in moves.items())
        assert (f"{state} --> [*]" in lines) is (state in tasks.TERMINAL)


def test_every_error_code_is_in_the_reference() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", (REFERENCE / "error-codes.md").read_text(), re.MULTILINE))
    assert codes.codes() - listed == set()


def test_every_code_that_a_task_may_end_with_is_one_of_ours() -> None:
    table = (REFERENCE / "tasks.md").read_text().partition("## What a task may end with")[2].partition("Messages")[0]
    ends = set(re.findall(r"^\| `\w+` \| `(\w+)`", table, re.MULTILINE))
    assert ends - codes.codes() == set()
    assert {use.code for use in codes.uses() if use.of_task} - ends == {"internal", "too_many_calls"}


def test_every_variable_of_agents_and_commands_is_in_the_reference() -> None:
    listed = set(re.findall(r"^\| `([A-Z_]+)` \|", (REFERENCE / "settings.md").read_text(), re.MULTILINE))
    assert settings.agent_variables() - listed == set()
    for variable, default in settings.defaults_of_agents().items():
        assert f"| `{variable}` | `{default}` |" in (REFERENCE / "settings.md").read_text()


def test_every_command_that_is_spoken_of_exists() -> None:
    known = {found.command_path.removeprefix("atlas ") for found in commands.commands()}
    for page in pages():
        for words in re.findall(r"`atlas ([a-z]+(?: [a-z]+)?)", page.read_text()):
            assert words in known or words.split()[0] in known, f"{name(page)}: atlas {words}"


def test_every_setting_that_is_spoken_of_exists() -> None:
    known = set(re.findall(r"^\| `([A-Z_]+)` \|", (REFERENCE / "settings.md").read_text(), re.MULTILINE))
    for page in pages():
        spoken = set(re.findall(r"\b(ATLAS_[A-Z_]+[A-Z])\b", page.read_text()))
        assert spoken <= known, name(page)


def test_every_route_that_is_spoken_of_exists() -> None:
    known = {f"{method} {path}" for method, path, _ in http.operations()}
    for page in pages():
        spoken = set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /[^ `]*)`", page.read_text()))
        assert spoken <= known, name(page)


def test_every_kind_of_message_is_in_the_transcript() -> None:
    assert transcript.spoken() == set(MESSAGES)


def test_every_test_and_module_that_is_named_exists() -> None:
    for page in pages():
        for path in re.findall(r"`((?:tests|src|docs|examples)/[\w/.]+\w)`", page.read_text()):
            assert (ROOT / path).exists(), f"{name(page)}: {path}"
