"""Pages that look again by themselves, in a real browser on a real network: what is seen is what there is."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Route, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.looked_at import log_in, set_password, window

SHIFTS = """
window.shifted = [];
new PerformanceObserver((seen) => {
  for (const { value, sources } of seen.getEntries()) {
    for (const { node, previousRect: was, currentRect: is } of sources) {
      const place = ({ x, y, width, height }) => [x, y, width, height].join();
      window.shifted.push(`${node?.textContent ?? "what is gone"}: ${place(was)} -> ${place(is)} (${value})`);
    }
  }
}).observe({ type: "layout-shift", buffered: false });
"""
STREAMS = "performance.getEntriesByType('resource').filter((one) => one.name.includes('/events')).length"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def known(shared_platform: Platform) -> Platform:
    """A network whose administrator has a password, and an agent that never was there."""
    set_password(shared_platform)
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        atlas.agents.create("echo")
    return shared_platform


def workers(opened: Browser) -> int:
    session = opened.new_browser_cdp_session()
    targets = session.send("Target.getTargets")["targetInfos"]
    session.detach()
    return sum(one["type"] == "shared_worker" for one in targets)


def test_an_agent_connects_and_every_tab_shows_it_over_one_connection(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        first = one.go("/agents")
        second = one.context.new_page()
        second.goto(f"{one.url}/agents")
        for page in (first, second):
            expect(page.get_by_role("row", name="admin/echo").locator(".badge")).to_have_text("offline")
        first.bring_to_front()
        first.evaluate(SHIFTS)
        with known.agent("echo", ECHO) as agent:
            agent.wait_for(connected)
            expect(first.get_by_role("row", name="admin/echo").locator(".badge")).to_have_text("online")
            second.bring_to_front()
            expect(second.get_by_role("row", name="admin/echo").locator(".badge")).to_have_text("online")
            assert workers(opened) == 1
            assert [page.evaluate(STREAMS) for page in (first, second)] == [0, 0]
        first.bring_to_front()
        expect(first.get_by_role("row", name="admin/echo").locator(".badge")).to_have_text("offline")
        assert first.evaluate("window.shifted") == []
        assert one.violations() == []
        assert one.faults == []


def test_without_shared_workers_a_tab_has_a_stream_of_its_own(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one, Client(known.url, api_key=known.api_key) as atlas:
        one.context.add_init_script("delete self.SharedWorker")
        log_in(one)
        page = one.go("/agents")
        with page.expect_event("request", lambda request: "/events" in request.url):
            page.reload()
        atlas.agents.create("another")
        expect(page.get_by_role("row", name="admin/another")).to_be_visible()
        assert workers(opened) == 0
        assert one.faults == []


def test_what_is_older_never_takes_the_place_of_what_is_newer(known: Platform, opened: Browser) -> None:
    def older(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=re.sub(r'data-seq="\d+"', 'data-seq="1"', answer.text()))

    with window(opened, known) as one, Client(known.url, api_key=known.api_key) as atlas:
        log_in(one)
        page = one.go("/agents")
        page.route("**/agents", older)
        with page.expect_response("**/agents"):
            atlas.agents.create("first")
        expect(page.get_by_role("row", name="admin/first")).to_have_count(0)
        page.unroute("**/agents")
        atlas.agents.create("second")
        expect(page.get_by_role("row", name="admin/second")).to_be_visible()
        expect(page.get_by_role("row", name="admin/first")).to_be_visible()


def test_whoever_logs_out_in_one_tab_is_told_so_in_the_others(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        first = one.go("/agents")
        second = one.context.new_page()
        second.goto(f"{one.url}/tasks")
        second.get_by_role("button", name="Log out").click()
        link = first.get_by_role("link", name="Log in again")
        expect(link).to_be_visible()
        link.click()
        expect(first).to_have_url(f"{one.url}/login?next=%2Fagents")


def test_a_page_catches_up_with_a_server_that_was_away(platform: Platform, opened: Browser) -> None:
    set_password(platform)
    with window(opened, platform) as one:
        log_in(one)
        page = one.go("/agents")
        expect(page.get_by_text("No agents yet")).to_be_visible()
        platform.stop()
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as atlas:
            atlas.agents.create("later")
        expect(page.get_by_role("row", name="admin/later")).to_be_visible()


def test_under_load_every_task_is_shown_as_it_ended(known: Platform, opened: Browser) -> None:
    with (
        window(opened, known) as one,
        window(opened, known) as two,
        Client(known.url, api_key=known.api_key) as atlas,
    ):
        log_in(one)
        page = one.go("/tasks")
        log_in(two)
        overview = two.go("/overview")
        with known.agent("echo", ECHO) as agent:
            agent.wait_for(connected)
            for one_of in (page, overview):
                one_of.evaluate(SHIFTS)
            ends = time.monotonic() + 4
            asked = []
            while time.monotonic() < ends:
                asked += [atlas.submit("echo", "say", {"text": "hello"}) for _ in range(5)]
                asked[-1].result(timeout=30)
            for task in asked:
                task.result(timeout=30)
        shown = [task.id for task in reversed(asked[-50:])]
        assert len(shown) == 50
        expect(page.locator("tbody th code")).to_have_text(shown)
        expect(page.locator("tbody .badge")).to_have_text(["completed"] * 50)
        ended = atlas.statistics.read().total.completed
        assert ended >= len(asked)
        expect(overview.locator(".figure", has_text="Success rate")).to_contain_text(
            f"of {ended:,} tasks", timeout=15_000
        )
        expect(overview.locator(".figure", has_text="Queue")).to_contain_text("0 running")
        assert [one_of.evaluate("window.shifted") for one_of in (page, overview)] == [[], []]
        assert one.faults == two.faults == []
