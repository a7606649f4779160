"""Pages of tasks, in a real browser: what a task did, waits for, and what people do about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from itertools import product

import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.test_live_pages import SHIFTS
from tests.faults.proxy import Proxy
from tests.looked_at import DESKTOP, PHONE, SCHEMES, log_in, set_password, window

TALL = (1280, 3_000)
HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script> {{ 7 * 7 }} \u202e\u0007"
DESK = """
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from agentic_atlas import Agent, Context, FilePart, InvalidInput, TaskError

agent = Agent("desk", concurrency=4)

@agent.skill(retries=2)
async def plan(ctx: Context, city: str, days: int = 3) -> dict[str, object]:
    await ctx.progress(0.2, f"reading about {city}")
    ctx.log.info("begun", city=city, days=days)
    if ctx.attempt == 1:
        await asyncio.sleep(1)
        raise TaskError("the map is not there yet", code="no_map")
    texts = [await ctx.call("desk", "describe", text=f"{city} {day}") for day in range(days)]
    Path("map.txt").write_text(city)
    await ctx.artifact("map.txt")
    colour = await ctx.ask("Which colour?", Literal["red", "blue"])
    ctx.log.warning("nearly done", colour=colour)
    return {"city": city, "colour": colour, "texts": texts, "notes": "one\\ntwo", "large": 12345678901234567890123}

@agent.skill
async def describe(text: str) -> str:
    await asyncio.sleep(0.1)
    return text * 3

@agent.skill
async def talk(ctx: Context, times: int) -> AsyncIterator[str]:
    for number in range(times):
        await asyncio.sleep(0.3)
        await ctx.progress(number / times, f"at {number}")
        ctx.log.info("said", number=number)
        yield f"{number} "

@agent.skill
async def many(ctx: Context, times: int) -> str:
    for number in range(times):
        ctx.log.info("said", number=number)
    return "done"

@agent.skill
async def files(ctx: Context) -> list[FilePart]:
    Path("large.bin").write_bytes(b"x" * 3_400_000)
    await ctx.artifact("large.bin")
    return [FilePart(name="<b>.html", media_type="text/html", content=b"<script>alert(1)</script>")]

@agent.skill
async def fails(ctx: Context) -> str:
    await ctx.ask("When?")
    raise InvalidInput("the map is not there yet\\n" * 30)

@agent.skill
async def endless(ctx: Context) -> str:
    await asyncio.sleep(3600)
    return ""

if __name__ == "__main__":
    agent.run()
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def desk(shared_platform: Platform) -> Iterator[Platform]:
    """A network with an agent that calls itself, asks people, and fails at first."""
    set_password(shared_platform)
    with shared_platform.agent("desk", DESK) as agent:
        agent.wait_for(connected)
        yield shared_platform


def test_a_task_is_followed_from_its_question_to_its_end(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        task = atlas.submit("desk", "plan", city=HOSTILE)
        page = one.go("/tasks")
        page.get_by_role("link", name=task.id).click()
        expect(page.get_by_role("heading", name="It asks a person")).to_be_visible()
        expect(page.get_by_role("img", name="admin/desk plan:")).to_be_visible()
        assert page.locator(".timeline-row .bar-run").count() >= 3
        expect(page.get_by_role("region", name="Attempts")).to_contain_text(
            "handler_error: TaskError: the map is not there yet"
        )
        expect(page.get_by_role("region", name="Input", exact=True)).to_contain_text(
            "<img src=x onerror=alert(1)><script>alert(1)</script> {{ 7 * 7 }} \\u202e\\u0007"
        )
        page.get_by_role("button", name="blue").click()
        expect(page.locator("h1")).to_contain_text("completed")
        output = page.get_by_role("region", name="Output", exact=True)
        expect(output).to_contain_text("12345678901234567890123")
        expect(page.locator("#task")).to_contain_text("Which colour?")
        expect(page.locator(".events")).to_contain_text("nearly done colour=blue")
        page.get_by_role("button", name="Run again").click()
        expect(page.get_by_role("heading", name="It asks a person")).to_be_visible()
        expect(page.locator("#task")).to_contain_text(task.id)
        page.get_by_role("link", name="Compare").click()
        expect(page.get_by_role("region", name="Both tasks")).to_contain_text("completed")
        expect(page.get_by_role("region", name="Output: differences")).to_contain_text("$.colour")
        assert one.violations() == []
        page.go_back()
        page.get_by_role("link", name="Change the input").click()
        expect(page.locator("#main")).to_contain_text("city")
        assert page.locator("main img:not([role]), main script").count() == 0
        assert one.faults == []


def test_a_cut_connection_is_seen_while_it_lasts_and_told_afterwards(desk: Platform, opened: Browser) -> None:
    with (
        window(opened, desk) as one,
        Client(desk.url, api_key=desk.api_key) as atlas,
        Proxy(int(desk.environ["ATLAS_ROUTER_PORT"])) as proxy,
        desk.agent("cut", DESK.replace('"desk"', '"cut"'), ROUTER_WS_URL=proxy.url) as agent,
    ):
        agent.wait_for(connected)
        log_in(one)
        task = atlas.submit("cut", "endless")
        page = one.go(f"/tasks/{task.id}")
        expect(page.locator(".events")).to_contain_text("runs, attempt 1")
        proxy.refuse(True)
        proxy.reset()
        expect(page.locator(".timeline-row .bar-cut")).to_have_count(1)
        expect(page.get_by_role("region", name="Attempts")).to_contain_text("so far")
        expect(page.locator(".event-connection.tone-warn")).to_contain_text("it was cut, or the process was killed")
        proxy.refuse(False)
        expect(page.locator(".events")).to_contain_text("resumed after")
        expect(page.get_by_role("region", name="Attempts")).to_contain_text(", resumed")
        task.cancel()
        expect(page.locator("h1")).to_contain_text("canceled")
        assert one.violations() == []
        assert one.faults == []


def test_nothing_moves_on_the_page_of_a_task_while_it_runs(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        task = atlas.submit("desk", "talk", times=8)
        page = one.go(f"/tasks/{task.id}")
        page.evaluate(SHIFTS)
        expect(page.locator("h1")).to_contain_text("completed")
        expect(page.locator(".events")).to_contain_text("said number=7")
        assert page.evaluate("window.shifted") == []
        assert one.faults == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE, TALL])
def test_nothing_moves_when_a_task_is_tried_again_calls_others_makes_a_file_asks_and_fails(
    desk: Platform, opened: Browser, size: tuple[int, int]
) -> None:
    with window(opened, desk, size=size) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        task = atlas.submit("desk", "plan", city="Lisbon")
        page = one.go(f"/tasks/{task.id}")
        page.evaluate(SHIFTS)
        now = page.get_by_role("region", name="How it stands")
        expect(now).to_contain_text("It asks a person")
        expect(page.locator(".attempts tbody tr")).to_have_count(2)
        expect(page.locator(".timeline-row .bar-run")).to_have_count(5)
        expect(page.get_by_role("region", name="Files that it made")).to_contain_text("map.txt")
        atlas.tasks.answer(task.id, "blue")
        expect(page.get_by_role("region", name="Questions that it asked")).to_contain_text("blue")
        expect(page.locator("h1")).to_contain_text("completed")
        assert page.evaluate("window.shifted") == []
        failing = atlas.submit("desk", "fails")
        one.go(f"/tasks/{failing.id}")
        page.evaluate(SHIFTS)
        expect(now).to_contain_text("It asks a person")
        atlas.tasks.answer(failing.id, "now")
        expect(now).to_contain_text("the map is not there yet")
        expect(page.get_by_role("region", name="Detail of the error")).to_contain_text("InvalidInput")
        assert page.evaluate("window.shifted") == []
        assert one.faults == []


def test_files_of_a_task_are_listed_and_those_in_its_output_are_saved(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        task = atlas.submit("desk", "files")
        task.result()
        page = one.go(f"/tasks/{task.id}")
        listed = page.get_by_role("region", name="Files that it made")
        expect(listed.get_by_role("row", name="large.bin")).to_contain_text("3.4 MB")
        expect(listed.get_by_role("row", name="large.bin")).to_contain_text("stays on")
        assert one.violations() == []
        with page.expect_download() as saving:
            listed.get_by_role("link", name="<b>.html").click()
        assert saving.value.path().read_bytes() == b"<script>alert(1)</script>"
        answer = one.context.request.get(f"{one.url}/tasks/{task.id}/files/1")
        assert answer.headers["content-disposition"].endswith("filename*=UTF-8''%3Cb%3E.html")
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert one.context.request.get(f"{one.url}/tasks/{task.id}/files/2").status == 404
        assert one.faults == []


def test_events_of_a_long_task_are_shown_further_back_on_demand(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        task = atlas.submit("desk", "many", times=130)
        task.result()
        page = one.go(f"/tasks/{task.id}")
        expect(page.locator(".event")).to_have_count(100)
        expect(page.locator("#events")).to_contain_text("earlier events are not shown")
        page.get_by_role("link", name="show more").click()
        expect(page.locator(".event")).to_have_count(task.refresh().last_seq)
        expect(page.locator(".event").first).to_contain_text("submitted")
        expect(page.locator("#events")).not_to_contain_text("not shown")
        assert one.faults == []


def test_tasks_are_looked_for_between_times_of_whoever_looks(desk: Platform, opened: Browser) -> None:
    with (
        window(opened, desk, timezone_id="Asia/Tokyo") as one,
        Client(desk.url, api_key=desk.api_key) as atlas,
    ):
        log_in(one)
        task = atlas.submit("desk", "many", times=1)
        task.result()
        made = task.info.created_at.astimezone(timezone(timedelta(hours=9)))
        page = one.go("/tasks?skill=many")
        until = f"{made + timedelta(minutes=5):%Y-%m-%dT%H:%M}"
        page.get_by_label("From").fill(f"{made - timedelta(minutes=5):%Y-%m-%dT%H:%M}")
        page.get_by_label("Until").fill(until)
        page.get_by_role("button", name="Search").click()
        expect(page.locator("tbody tr").first).to_contain_text(task.id)
        assert f"until={made.astimezone(UTC) + timedelta(minutes=5):%Y-%m-%dT%H%%3A%MZ}" in page.url
        expect(page.get_by_label("Until")).to_have_value(until)
        page.get_by_label("From").fill(until)
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("heading", name="No task fits")).to_be_visible()
        assert one.violations() == []
        page.get_by_label("Until").fill(f"{made - timedelta(days=1):%Y-%m-%dT%H:%M}")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_text("the end is before the beginning").first).to_be_visible()
        assert one.violations() == []
        assert one.faults == []


def test_tasks_are_searched_and_a_list_that_is_searched_keeps_up(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        described = atlas.submit("desk", "describe", text="first")
        described.result()
        rows = one.go("/tasks").locator("tbody tr")
        one.page.get_by_label("Skill").fill("endless")
        one.page.get_by_label("State").select_option("open")
        one.page.get_by_role("button", name="Search").click()
        expect(one.page.get_by_role("heading", name="No task fits")).to_be_visible()
        task = atlas.submit("desk", "endless")
        expect(rows).to_contain_text([task.id])
        task.cancel()
        expect(rows).to_have_count(0)
        one.go(f"/tasks?prefix={described.id}&agent=desk&caller=admin&period=hour&error=")
        expect(rows).to_contain_text(["completed"])
        one.go("/tasks?agent=nobody")
        expect(one.page.get_by_role("textbox", name="Agent")).to_have_attribute("aria-invalid", "true")
        assert one.violations() == []
        one.page.get_by_role("link", name="Clear").click()
        expect(rows.first).to_be_visible()
        assert one.faults == []


def test_a_task_that_runs_is_canceled_and_the_page_says_so(desk: Platform, opened: Browser) -> None:
    with window(opened, desk) as one, Client(desk.url, api_key=desk.api_key) as atlas:
        log_in(one)
        page = one.go(f"/tasks/{atlas.submit('desk', 'endless').id}")
        expect(page.locator("h1")).to_contain_text("working")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("h1")).to_contain_text("canceled")
        expect(page.get_by_role("button", name="Run again")).to_be_visible()
        assert one.faults == []


@pytest.mark.parametrize(("scheme", "size"), list(product(SCHEMES, (DESKTOP, PHONE))))
def test_the_page_of_a_task_can_be_used_by_everybody(
    desk: Platform, opened: Browser, scheme: str, size: tuple[int, int]
) -> None:
    with (
        window(opened, desk, size=size, color_scheme=scheme, reduced_motion="reduce") as one,
        Client(desk.url, api_key=desk.api_key) as atlas,
    ):
        log_in(one)
        task = atlas.submit("desk", "plan", city="Lisbon")
        page = one.go(f"/tasks/{task.id}")
        expect(page.get_by_role("heading", name="It asks a person")).to_be_visible()
        assert one.violations() == []
        assert (one.too_wide() <= 0, one.unfit()) == (True, [])
        page.get_by_role("button", name="red").click()
        expect(page.locator("h1")).to_contain_text("completed")
        assert one.violations() == []
        assert (one.too_wide() <= 0, one.unfit()) == (True, [])
        assert one.faults == []
