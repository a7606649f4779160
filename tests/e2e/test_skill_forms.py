"""Skills are run from forms that are made of their schemas, and what is sent is what the form shows."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.platform.forms.draft import begun, continued
from agentic_atlas.platform.forms.filling import fill
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.test_live_pages import SHIFTS
from tests.form_zoo import SAMPLES
from tests.looked_at import DESKTOP, PASSWORD, PHONE, Window, log_in, set_password, window

STREAMS = """
import asyncio
from collections.abc import AsyncIterator

from agentic_atlas import Agent, Context

agent = Agent("streams")

@agent.skill
async def count(ctx: Context, to: int, wait: bool = False) -> AsyncIterator[str]:
    for number in range(to):
        await ctx.progress((number + 1) / to, f"at {number}")
        await asyncio.sleep(0.4 if wait else 0)
        yield f"<b>{number}</b> "
    if wait:
        await asyncio.Event().wait()

@agent.skill
async def breaks(ctx: Context) -> AsyncIterator[str]:
    await asyncio.sleep(0.5)
    for number in range(20):
        await ctx.progress(number / 20, f"at {number}")
        yield f"line {number}\\n"
    await ctx.ask("Which colour?")
    raise ValueError("it broke\\n" * 9)

if __name__ == "__main__":
    agent.run()
"""
ZOO = Path(__file__).parents[1] / "form_zoo.py"
EXAMPLES = sorted(path.parent for path in (Path(__file__).parents[2] / "examples").glob("*/agent.py"))


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def furnished(shared_platform: Platform) -> Iterator[Platform]:
    """A network with an agent that has a skill for each kind of parameter, and one that streams."""
    set_password(shared_platform)
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        for name in ("zoo", "streams"):
            atlas.agents.create(name)
    with shared_platform.agent("zoo", ZOO.read_text()) as zoo, shared_platform.agent("streams", STREAMS) as streams:
        zoo.wait_for(connected)
        streams.wait_for(connected)
        yield shared_platform


@pytest.fixture
def one(furnished: Platform, opened: Browser) -> Iterator[Window]:
    with window(opened, furnished, reduced_motion="reduce") as one:
        log_in(one)
        yield one
        assert one.faults == []


def input_of(platform: Platform, url: str) -> Any:
    with Client(platform.url, api_key=platform.api_key) as atlas:
        return atlas.tasks.get(re.findall(r"task=(\w+)", url)[0]).info.input


def ran(one: Window) -> None:
    one.page.get_by_role("button", name="Run").click()
    expect(one.page.get_by_role("heading", name="Run completed")).to_be_visible()


def test_every_kind_of_parameter_is_run_from_its_form(furnished: Platform) -> None:
    with (
        httpx.Client(base_url=furnished.url, trust_env=False, headers={"Origin": furnished.url}) as http,
        Client(furnished.url, api_key=furnished.api_key) as atlas,
    ):
        assert http.post("/api/v1/session", json={"name": "admin", "password": PASSWORD}).is_success
        schemas = {skill.name: skill.input_schema for skill in atlas.agents.get("zoo").skills}
        for name, value in [(skill, value) for skill, values in SAMPLES.items() for value in values]:
            path = f"/agents/admin/zoo/skills/{name}"
            answer = http.post(path, data={**fill(schemas[name], value), "do": "run"})
            assert answer.status_code == 303, (name, value, answer.text)
            task = atlas.tasks.get(re.findall(r"task=(\w+)", answer.headers["location"])[0]).wait()
            assert (task.state, task.input) == ("completed", value), name
            shown = http.get(answer.headers["location"])
            assert (shown.status_code, "Run " in shown.text) == (200, True)


def test_a_nested_input_is_filled_in_and_run_by_hand(furnished: Platform, one: Window) -> None:
    page = one.go("/agents/admin/zoo/skills/people")
    page.get_by_role("button", name="Add to people").click()
    page.get_by_label("name", exact=True).fill("Ada")
    page.get_by_label("street").fill("1 Way\nBehind")
    page.get_by_role("button", name="Add to former").click()
    page.get_by_label("street").nth(1).fill("old")
    page.get_by_role("button", name="Add to people").click()
    expect(page.get_by_label("name", exact=True)).to_have_count(2)
    page.get_by_label("name", exact=True).nth(1).fill("Bob")
    page.get_by_role("button", name="Remove people 1").click()
    # What names several elements fails at once, however long it may wait.
    expect(page.get_by_label("name", exact=True)).to_have_count(1, timeout=15_000)
    expect(page.get_by_label("name", exact=True)).to_have_value("Bob", timeout=15_000)
    page.get_by_label("street").fill("2")
    expect(page.locator("#calls")).to_contain_text('{"people": [{"name": "Bob", "address": {"street": "2"}}]}')
    assert one.violations() == []
    ran(one)
    assert input_of(furnished, page.url) == {"people": [{"name": "Bob", "address": {"street": "2"}}]}


def test_a_union_is_chosen_and_recursion_opens_level_by_level(furnished: Platform, one: Window) -> None:
    page = one.go("/agents/admin/zoo/skills/expression")
    page.get_by_label("What of is").select_option(label="Sum")
    page.get_by_label("What left is").select_option(label="Sum")
    expect(page.get_by_label("left", exact=True)).to_have_count(2)
    page.get_by_label("What left is").first.select_option(label="Constant")
    expect(page.get_by_label("left", exact=True)).to_have_count(1)
    page.get_by_label("value").first.fill("1.50")
    page.get_by_label("value").nth(1).fill("2")
    expect(page.locator("#calls")).to_contain_text('"value": 1.50')
    ran(one)
    left, right = {"op": "constant", "value": 1.5}, {"op": "constant", "value": 2}
    assert input_of(furnished, page.url) == {"of": {"op": "sum", "left": left, "right": right}}
    expect(page.get_by_label("value").first).to_have_value("1.50")


def test_what_is_wrong_stands_beside_the_field_and_nothing_is_lost(one: Window) -> None:
    page = one.go("/agents/admin/zoo/skills/bounded")
    page.get_by_label("count").fill("7")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_label("count")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".made .fault")).to_contain_text("7 is not a multiple of 5")
    expect(page.get_by_label("count")).to_have_value("7")
    assert one.violations() == []
    one.faults[:] = [fault for fault in one.faults if "422" not in fault]
    page.get_by_label("count").fill("10")
    ran(one)


def test_form_and_json_show_the_same_input(furnished: Platform, one: Window) -> None:
    page = one.go("/agents/admin/zoo/skills/mapping")
    page.get_by_role("button", name="Add to counts").click()
    page.get_by_label("Name of part 1").fill("a/b")
    page.get_by_label("part 1", exact=True).fill("12")
    page.get_by_role("button", name="JSON", exact=True).click()
    text = page.get_by_label("Input as JSON")
    assert json.loads(text.input_value()) == {"counts": {"a/b": 12}}
    text.fill('{"counts": {"a/b": 12, "c": 0}}')
    page.get_by_role("button", name="Form", exact=True).click()
    expect(page.get_by_label("Name of c")).to_have_value("c")
    ran(one)
    assert input_of(furnished, page.url) == {"counts": {"a/b": 12, "c": 0}}


def test_files_dates_and_choices_are_picked(furnished: Platform, one: Window) -> None:
    page = one.go("/agents/admin/zoo/skills/file")
    page.locator("input[type=file]").set_input_files({"name": "a.bin", "mimeType": "x/y", "buffer": bytes(range(256))})
    expect(page.get_by_label("data", exact=True)).to_have_value(re.compile("^AAECAw"))
    ran(one)
    assert base64.b64decode(input_of(furnished, page.url)["data"]) == bytes(range(256))
    page = one.go("/agents/admin/zoo/skills/moment")
    page.get_by_label("at", exact=True).fill("2026-11-30T18:05:00")
    page.get_by_label("Zone of at").select_option("+05:45")
    ran(one)
    assert input_of(furnished, page.url) == {"at": "2026-11-30T18:05:00+05:45"}
    page = one.go("/agents/admin/zoo/skills/nullable")
    page.get_by_label("If count is empty").select_option("null")
    ran(one)
    assert input_of(furnished, page.url) == {"count": None}
    page = one.go("/agents/admin/zoo/skills/truth_by_default")
    page.get_by_label("yes").select_option(label="Yes")
    ran(one)
    assert input_of(furnished, page.url) == {"yes": True}


def test_output_is_seen_while_it_comes_and_a_run_is_canceled(one: Window) -> None:
    page = one.go("/agents/admin/streams/skills/count")
    pieces = []
    page.on("request", lambda request: pieces.append(request.url) if "/output?after=" in request.url else None)
    page.get_by_label("to", exact=True).fill("3")
    page.get_by_label("wait").select_option(label="Yes")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#run")).to_contain_text("<b>0</b> <b>1</b> <b>2</b>")
    expect(page.locator("#run")).to_contain_text("100 % at 2")
    assert pieces, "nothing was shown before the page was looked at again"
    assert one.violations() == []
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Run canceled")).to_be_visible()
    assert page.locator("#run b").count() == 0


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_nothing_moves_while_a_run_gives_lines_asks_and_fails(
    furnished: Platform, opened: Browser, size: tuple[int, int]
) -> None:
    with (
        window(opened, furnished, size=size) as one,
        Client(furnished.url, api_key=furnished.api_key) as atlas,
    ):
        log_in(one)
        page = one.go("/agents/admin/streams/skills/breaks")
        page.get_by_role("button", name="Run", exact=True).last.click()
        expect(page.locator("#run")).to_be_attached()
        page.evaluate(SHIFTS)
        expect(page.locator("#run")).to_contain_text("line 19")
        expect(page.locator("#run")).to_contain_text("It asks: Which colour?")
        atlas.tasks.answer(re.findall(r"task=(\w+)", page.url)[0], "blue")
        expect(page.get_by_role("heading", name="Run failed")).to_be_visible()
        expect(page.locator("#run")).to_contain_text("it broke")
        assert page.evaluate("window.shifted") == []
        assert one.faults == []


DECLARED = (
    "import json, agent; print(json.dumps({n: bytes(s.input_schema).decode() for n, s in agent.agent.skills.items()}))"
)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda folder: str(folder.name))
def test_every_skill_of_the_examples_has_a_form_of_its_own_fields(example: Path) -> None:
    told = subprocess.run([sys.executable, "-c", DECLARED], cwd=example, capture_output=True, text=True, timeout=60)
    assert told.returncode == 0, told.stderr
    for name, text in json.loads(told.stdout).items():
        schema = json.loads(text)
        form = begun(schema).form(schema, {})
        assert form is not None, name
        assert [part.label for part in form.parts] == list(schema.get("properties", {})), name
        assert [part.name for part in form.parts if part.kind == "json"] == [], name
        needed = {part.name: "Which?" for part in form.parts if not part.optional}
        filled = continued(schema, needed, "run")
        assert filled.faults == {}, name
        assert Validator(text.encode()).fits(filled.value), name


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_forms_can_be_used_by_everybody(furnished: Platform, opened: Browser, size: tuple[int, int]) -> None:
    with window(opened, furnished, size=size, color_scheme="dark", reduced_motion="reduce") as one:
        log_in(one)
        for name in ("defaults", "some_pets", "moment", "optional_file", "tuples", "anything", "nothing"):
            one.go(f"/agents/admin/zoo/skills/{name}")
            assert (name, one.violations(), one.too_wide() <= 0) == (name, [], True)
        assert one.faults == []


def test_a_form_is_filled_in_and_run_without_scripts(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished, java_script_enabled=False) as one:
        log_in(one)
        page = one.go("/agents/admin/zoo/skills/texts")
        page.get_by_role("button", name="Add to words").click()
        page.get_by_label("words 1", exact=True).fill("one")
        page.get_by_role("button", name="Add to words").click()
        page.get_by_label("words 2", exact=True).fill("two")
        page.get_by_role("button", name="Run").click()
        expect(page.get_by_label("words 2", exact=True)).to_have_value("two")
        assert input_of(furnished, page.url) == {"words": ["one", "two"]}
        page = one.go("/agents/admin/zoo/skills/some_pets")
        page.get_by_label("pet", exact=True).select_option(label="Dog")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_label("born", exact=True)).to_be_visible()


def test_a_run_is_changed_and_run_again(furnished: Platform, one: Window) -> None:
    with Client(furnished.url, api_key=furnished.api_key) as atlas:
        task = atlas.submit("zoo", "pair", {"pair": ["a", 1]})
        task.wait()
    one.go(f"/tasks/{task.id}").get_by_role("link", name="Change the input").click()
    page = one.page
    expect(page.get_by_label("pair 1", exact=True)).to_have_value("a")
    expect(page.locator("#run")).to_have_count(0)
    page.get_by_label("pair 2", exact=True).fill("2")
    ran(one)
    assert input_of(furnished, page.url) == {"pair": ["a", 2]}
