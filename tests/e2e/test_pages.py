"""The pages, in a real browser on a real network: people come in, see what there is, and nothing goes wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.looked_at import PASSWORD, PHONE, log_in, set_password, window

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script> {{ 7 * 7 }} \u202e\u0000 </th>"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def furnished(shared_platform: Platform) -> Platform:
    """A network with an agent and a task."""
    set_password(shared_platform)
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        atlas.agents.create("hostile", description=HOSTILE)
        with shared_platform.agent("echo", ECHO) as agent:
            agent.wait_for(connected)
            atlas.call("echo", "say", text="hello")
    return shared_platform


def test_people_come_in_by_the_first_link_and_go_out_again(platform: Platform, opened: Browser) -> None:
    assert platform.process is not None
    with window(opened, platform) as one:
        page = one.go("/agents")
        expect(page).to_have_url(f"{one.url}/login?next=/agents")
        link = next(line for line in platform.process.lines if "first_login" in line).split('"first_login":"')[1]
        page.goto(link.partition('"')[0])
        expect(page.get_by_role("heading", name="Set up your account", exact=True)).to_be_visible()
        expect(page).to_have_title("Set up your account · Agentic Atlas")
        # This one is shown by the page's script, in the place of the log-in, whose password is called the same.
        page.get_by_label("The same again").fill(PASSWORD)
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Set the password and log in").click()
        expect(page).to_have_url(f"{one.url}/overview")
        page.get_by_role("link", name="Local Agents").click()
        expect(page.get_by_role("link", name="Local Agents")).to_have_attribute("aria-current", "page")
        expect(page.get_by_text("No agents yet")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{one.url}/login")
        page.go_back()
        expect(page).to_have_url(f"{one.url}/login?next=/agents")
        page.get_by_label("Name").fill("admin")
        page.get_by_role("textbox", name="Password", exact=True).fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("the name or the password is wrong")
        refused = [fault for fault in one.faults if "401" not in fault]
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{one.url}/agents")
        assert refused == []
        one.go("/login")
        expect(page.get_by_text("You are admin.")).to_be_visible()
        page.get_by_role("link", name="Go on").click()
        expect(page).to_have_url(f"{one.url}/overview")


def test_the_overview_shows_how_the_network_is_and_keeps_up(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished) as one:
        log_in(one)
        page = one.go("/overview")
        expect(page.get_by_text("of 1 task", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="admin/echo: offline")).to_have_attribute("href", "/agents/admin/echo")
        with furnished.agent("echo", ECHO) as agent:
            agent.wait_for(connected)
            expect(page.get_by_role("link", name="admin/echo, online")).to_contain_text("slot")
        page.get_by_text("Who asked whom").click()
        expect(page.get_by_role("row", name="admin/echo")).to_contain_text("admin user")
        assert one.violations() == []
        assert one.faults == []


def test_what_agents_say_of_themselves_is_shown_and_does_nothing(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished) as one:
        log_in(one)
        page = one.go("/agents")
        row = page.get_by_role("row", name="admin/hostile")
        expect(row).to_contain_text("<img src=x onerror=alert(1)><script>alert(1)</script> {{ 7 * 7 }}")
        assert page.locator("main img, main script").count() == 0
        assert one.faults == []


def test_pages_can_be_read_without_scripts(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished, java_script_enabled=False) as one:
        log_in(one)
        page = one.go("/agents")
        expect(page.get_by_role("row", name="admin/echo")).to_contain_text("UTC")
        page.get_by_role("link", name="Tasks").click()
        expect(page.get_by_role("row", name="admin/echo")).to_contain_text("completed")
        assert one.faults == []


def test_a_table_that_is_too_wide_shows_that_it_goes_on_and_is_moved_by_keys(
    furnished: Platform, opened: Browser
) -> None:
    with window(opened, furnished, size=PHONE) as one:
        log_in(one)
        table = one.go("/agents").get_by_role("region", name=re.compile("agents", re.IGNORECASE)).first
        expect(table).to_have_css("background-image", re.compile("linear-gradient"))
        table.focus()
        one.page.keyboard.press("ArrowRight")
        # Asked by no `wait_for_function`: the policy of the page lets nothing be evaluated again and again.
        table.evaluate("(one) => one.scrollLeft > 0 || new Promise((done) => { one.onscroll = () => done(true); })")


@pytest.mark.parametrize("scripts", [True, False])
def test_why_single_sign_on_did_not_let_in_is_told(furnished: Platform, opened: Browser, scripts: bool) -> None:
    with window(opened, furnished, java_script_enabled=scripts) as one:
        page = one.go("/login#failed=not_invited")
        expect(page.get_by_role("heading", name="Log in", exact=True)).to_be_visible()
        expect(page.locator(".fault:visible")).to_have_count(1)
        expect(page.locator(".fault:visible")).to_contain_text("Nobody here is linked to this log-in")
        assert one.faults == []


def test_times_are_told_in_the_zone_of_whoever_reads(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished, timezone_id="Asia/Kathmandu", locale="de-DE") as one:
        log_in(one)
        at = one.go("/tasks").locator("tbody time").first
        expect(at).to_contain_text("vor")
        minutes = int((at.get_attribute("datetime") or "")[14:16])
        assert f":{(minutes + 45) % 60:02}:" in (at.get_attribute("title") or "")


def test_what_is_to_be_copied_is_copied(platform: Platform, opened: Browser) -> None:
    set_password(platform)
    with window(opened, platform, permissions=["clipboard-read", "clipboard-write"]) as one:
        log_in(one)
        page = one.go("/agents")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == "atlas init hello"
        # The way of pages that are neither on this machine nor loaded over TLS.
        page.reload()
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.get_by_role("button", name="Copy").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()


def test_where_there_is_nothing_a_page_says_so(furnished: Platform, opened: Browser) -> None:
    with window(opened, furnished) as one:
        log_in(one)
        page = one.go("/nothing")
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        assert one.violations() == []
        page.get_by_role("link", name="Go to the overview").click()
        expect(page).to_have_url(f"{one.url}/overview")
