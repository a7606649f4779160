"""Templates use what views have, views have what templates use, and nothing that comes from data is put in as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from jinja2 import DictLoader, Environment, UndefinedError, meta, nodes

from agentic_atlas.platform import app, refused
from agentic_atlas.platform.app import PAGES
from agentic_atlas.platform.page import Frame, View, WebPage
from agentic_atlas.platform.templating import FOLDER, environment
from tests.unit.platform.seen import Uses, used

PACKAGE = FOLDER.parent
ENVIRONMENT = environment()
REFUSALS = [WebPage("GET", "", name, [refused.RefusedView]) for name in ("refused.html", "notice.html")]
ALL = [(page, view) for page in [*PAGES, *REFUSALS] for view in page.views]
NAMED = [f"{page.method} {page.path or page.template} {view.__name__}" for page, view in ALL]


def uses_of(page: WebPage, view: type[View]) -> Uses:
    return used(ENVIRONMENT, page.template, view=view, frame=Frame)


@pytest.mark.parametrize(("page", "view"), ALL, ids=NAMED)
def test_a_template_uses_only_what_its_view_has(page: WebPage, view: type[View]) -> None:
    assert uses_of(page, view).wrong == []


@pytest.mark.parametrize(("page", "view"), ALL, ids=NAMED)
def test_a_view_has_only_what_a_template_uses(page: WebPage, view: type[View]) -> None:
    of_view = {name for one, _ in ALL if view in one.views for name in uses_of(one, view).fields.get(view, set())}
    assert set(view.__struct_fields__) - of_view == set()


def test_every_page_says_what_it_shows() -> None:
    assert app.ROUTES
    assert [page for page in PAGES if not page.views] == []
    assert [view.__name__ for _, view in ALL if not view.__doc__] == []


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.html")))
def test_a_template_asks_for_nothing_but_its_view_and_the_frame(name: str) -> None:
    tree = ENVIRONMENT.parse((FOLDER / name).read_text())
    components = {name for one in tree.find_all(nodes.FromImport) for name in one.names}
    assert meta.find_undeclared_variables(tree) - components - {"view", "frame", "self", "asset"} == set()
    ENVIRONMENT.get_template(name)


def test_every_icon_that_is_named_is_there() -> None:
    named = {name for path in FOLDER.glob("*.html") for name in re.findall(r'icon\("([^"]+)"\)', path.read_text())}
    assert named - {path.stem for path in (FOLDER / "icons").glob("*.svg")} == set()


def test_nothing_is_said_to_be_safe_that_is_not_escaped() -> None:
    written = [*PACKAGE.rglob("*.py"), *FOLDER.rglob("*.html")]
    said = re.compile(r"\|\s*safe\b|Markup\(|autoescape false|select_autoescape|\btojson\b")
    assert [path.name for path in written if said.search(path.read_text())] == []


def test_no_template_has_a_script_or_a_style_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|hx-on|javascript:|js:", re.IGNORECASE)
    assert [path.name for path in FOLDER.rglob("*") if path.is_file() and inline.search(path.read_text())] == []


def test_no_template_names_another_host() -> None:
    elsewhere = re.compile(r"""(?:src|href|action|hx-\w+)=["'](?:https?:)?//""")
    assert [path.name for path in FOLDER.rglob("*.html") if elsewhere.search(path.read_text())] == []
    css = [path.name for path in (PACKAGE / "static").rglob("*.css") if re.search(r"url\(|@import", path.read_text())]
    assert css == []


class Part(View, frozen=True):
    """One of several."""

    name: str
    parts: Sequence[Part] = ()


class Whole(View, frozen=True):
    """What the templates below are given."""

    parts: Sequence[Part]
    first: Part | None = None


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{{ view.parts }}{{ view.first.name }}", []),
        ("{{ view.part }}", ["Whole has no part"]),
        ("{% for one in view.parts %}{{ one.nome }}{% endfor %}", ["Part has no nome"]),
        ("{% for one in view.parts %}{% for two in one.parts %}{{ two.x }}{% endfor %}{% endfor %}", ["Part has no x"]),
        ("{% if view.first is not none and view.first.y %}{% endif %}", ["Part has no y"]),
        ("{% set one = view.parts[0] %}{{ one.z }}", ["Part has no z"]),
        ("{% for one in view.parts | sort %}{{ one.w }}{% endfor %}", ["Part has no w"]),
        ("{% include 'included' %}", ["Whole has no included"]),
        (
            "{% extends 'included' %}{% block x %}{{ view.v }}{% endblock %}",
            ["Whole has no included", "Whole has no v"],
        ),
        ("{% macro m(a=view.u) %}{{ a }}{% endmacro %}", ["Whole has no u"]),
    ],
)
def test_what_a_template_uses_is_found(template: str, wrong: list[str]) -> None:
    made = Environment(loader=DictLoader({"it": template, "included": "{{ view.included }}"}), autoescape=True)
    found = used(made, "it", view=Whole).wrong
    assert [one.rpartition(": ")[2] for one in found] == wrong


def test_what_is_not_there_is_an_error_and_what_is_there_is_escaped(tmp_path: Path) -> None:
    made = environment()
    assert made.from_string("{{ view.name }}").render(view=Part(name="<b>&\"'")) == "&lt;b&gt;&amp;&#34;&#39;"
    with pytest.raises(UndefinedError):
        made.from_string("{{ view.nothing }}").render(view=Part(name=""))


@pytest.mark.parametrize("name", ["agents.html", "agent.html", "skill.html"])
def test_of_what_an_agent_says_of_itself_lists_show_the_beginning(name: str) -> None:
    """A description may have 16,384 characters, and a page a hundred of them."""
    said = re.findall(r"\{\{ [\w.]+\.description \|[^}]*", (FOLDER / name).read_text())
    assert said
    assert all("| truncate(" in one for one in said)
