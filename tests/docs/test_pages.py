"""Pages are whole: links lead somewhere, blocks can be read, each begins and ends as pages do."""

from __future__ import annotations

import ast
import json
import re
import runpy
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # mkdocs brings it, without types

from agentic_atlas import Agent, ConfigurationError
from tests.docs.pages import DOCS, README, ROOT, Block, blocks, pages, prose, without_code
from tests.docs.reference.markdown import anchor

LANGUAGES = {"console", "python", "json", "mermaid", "text", "toml", "yaml", "ini", "nginx", "caddyfile"}
"""Those of proxies are run by tests/e2e/test_proxies.py."""
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
BLOCKS = [block for page in pages() for block in blocks(page)]
GUIDES = [page for page in sorted(DOCS.rglob("*.md")) if page != DOCS / "index.md" and "decisions" not in page.parts]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def of(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


@pytest.mark.parametrize("page", pages(), ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.finditer(without_code(prose(page))):
        target, _, part = link["target"].partition("#")
        if target.startswith(("https://", "http://")):
            continue
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), f"{name(page)}: {link['target']}"
        if part:
            assert part in anchors(there), f"{name(page)}: {link['target']}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings; the second of two equal ones has `_1` after it."""
    found: set[str] = set()
    for heading in _HEADING.finditer(prose(page)):
        made = anchor(heading["text"].replace("`", ""))
        found.add(next(each for each in (made, *(f"{made}_{n}" for n in range(1, 99))) if each not in found))
    return found


def test_every_block_is_of_a_language_that_is_checked() -> None:
    assert [block.place for block in BLOCKS if block.language not in LANGUAGES] == []


def test_data_can_be_read() -> None:
    for block in of("json"):
        json.loads(block.text)
    for block in of("toml"):
        tomllib.loads(block.text)
    for block in of("yaml"):
        yaml.safe_load(block.text)


@pytest.mark.parametrize("block", of("python"), ids=lambda block: block.place)
def test_a_program_says_what_it_needs_and_an_agent_declares_skills(block: Block, tmp_path: Path) -> None:
    calls = [node.value for node in ast.parse(block.text).body if isinstance(node, ast.Assign)]
    if not any(isinstance(call, ast.Call) and ast.unparse(call.func) == "Agent" for call in calls):
        return
    path = tmp_path / "agent.py"
    path.write_text(block.text)
    if block.title.startswith("broken"):
        with pytest.raises(ConfigurationError):
            runpy.run_path(str(path))
    else:
        declared = runpy.run_path(str(path))["agent"]
        assert isinstance(declared, Agent)
        assert declared.skills


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_a_page_says_first_what_it_is_for_and_last_where_to_go(page: Path) -> None:
    paragraphs = page.read_text().strip().split("\n\n")
    assert paragraphs[0].startswith("# ")
    assert paragraphs[1].startswith("After this page ")
    assert paragraphs[-1].startswith("Next: ")
    assert len(_LINK.findall(paragraphs[-1])) == 1


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = re.findall(r"[\w/.-]+\.md", navigation)
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))


def test_who_follows_each_page_to_the_next_reads_them_all_in_the_order_of_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    listed = [(DOCS / page).resolve() for page in re.findall(r"[\w/.-]+\.md", navigation)]
    led = {page.resolve(): (page.parent / _led_to(page)).resolve() for page in GUIDES}
    followed = [page for page in listed if page in led]
    assert {page.name: led[page].name for page in followed} == {
        page.name: listed[place + 1].name for place, page in enumerate(listed) if page in led
    }
    assert len(followed) == len(led) > 30


def _led_to(page: Path) -> str:
    (link,) = _LINK.findall(page.read_text().strip().split("\n\n")[-1])
    return str(link).partition("#")[0]


def test_the_first_answer_of_an_agent_is_within_thirty_lines_of_the_readme() -> None:
    lines = README.read_text().splitlines()
    assert 90 <= len(lines) <= 150
    assert lines.index("Hello, Ada!") < 30


def test_nothing_is_loaded_from_elsewhere() -> None:
    for page in pages():
        text = page.read_text()
        assert not re.search(r"<(script|link|iframe)\b|!\[[^\]]*\]\(http", text), name(page)
        assert not re.search(r"\b(src|srcset)=[\"']?(https?:|//)", text), name(page)


def test_what_is_on_no_package_index_is_installed_from_a_clone_or_a_wheel() -> None:
    shown = [*pages(), *(path for path in (ROOT / "src").rglob("*") if path.suffix in (".html", ".txt", ".py"))]
    by_name = re.compile(r"pip install (?:--upgrade )?agentic-atlas\b")
    assert [path for path in shown if by_name.search(path.read_text())] == []
    in_pages = re.compile(r"pip install [^`\n]*agentic-atlas\[")
    assert [path for path in pages() if in_pages.search(path.read_text())] == []
