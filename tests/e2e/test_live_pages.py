"""Pages that look again by themselves, in a real browser on a real network: what is seen is what there is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

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
