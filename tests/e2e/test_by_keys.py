"""People find their way by keys alone, come in without a script, and are still at home where something went wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform
from tests.looked_at import PASSWORD, PHONE, log_in, set_password, window


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def known(shared_platform: Platform) -> Platform:
    """A network with agents, whose administrator has a password."""
    set_password(shared_platform)
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        for name in ("mailer", "maker", "reader"):
            atlas.agents.create(name)
    return shared_platform


def test_the_palette_leads_by_keys_alone_to_what_is_typed(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        page = one.go("/overview")
        page.keyboard.press("Control+k")
        palette = page.get_by_role("dialog", name="Go to")
        typed = palette.get_by_role("combobox")
        expect(typed).to_be_focused()
        for name in ("Overview", "Settings: Account", "admin/reader"):
            expect(palette.get_by_role("option").filter(has_text=name)).to_be_visible()
        assert one.violations() == []
        typed.fill("ma")
        expect(palette.get_by_role("option")).to_have_count(2)
        page.keyboard.press("ArrowDown")
        expect(palette.get_by_role("option", selected=True)).to_contain_text("admin/maker")
        page.keyboard.press("ArrowUp")
        expect(palette.get_by_role("option", selected=True)).to_contain_text("admin/mailer")
        typed.fill("no such thing")
        expect(palette.get_by_text("Nothing is called so.")).to_be_visible()
        page.keyboard.press("Escape")
        expect(palette).to_be_hidden()
        page.get_by_role("button", name="Go to").click()
        typed.fill("settings: acc")
        expect(palette.get_by_role("option")).to_have_count(1)
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{one.url}/settings")
        assert one.faults == []


def test_a_letter_alone_leads_nowhere_however_new_the_page_is(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        page = one.go("/overview")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.keyboard.press("s")
        page.evaluate("fetch('/healthz').then((answer) => answer.status)")
        assert [url for url in asked if url.endswith("/settings")] == []


def test_keys_are_listed_and_lead_to_each_section_but_not_from_a_field(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        page = one.go("/overview")
        page.keyboard.press("?")
        keys = page.get_by_role("dialog", name="Keys")
        expect(keys).to_be_visible()
        assert one.violations() == []
        page.keyboard.press("Escape")
        expect(keys).to_be_hidden()
        page.keyboard.press("g")
        page.keyboard.press("t")
        expect(page).to_have_url(f"{one.url}/tasks")
        page.keyboard.press("Control+k")
        page.keyboard.type("g?")
        expect(page.get_by_role("combobox", name="A page, an agent or a task")).to_have_value("g?")
        expect(keys).to_be_hidden()
        page.keyboard.press("Escape")
        expect(page.get_by_role("combobox", name="A page, an agent or a task")).to_be_hidden()
        page.keyboard.press("?")
        expect(keys).to_be_visible()
        page.reload()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_be_focused()
        assert one.faults == []


def test_people_come_in_without_a_script_and_to_where_they_were_going(known: Platform, opened: Browser) -> None:
    with window(opened, known, size=PHONE, java_script_enabled=False) as one:
        page = one.go("/tasks")
        page.get_by_label("Name").fill("admin")
        page.get_by_role("textbox", name="Password", exact=True).fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_contain_text("the name or the password is wrong")
        expect(page.get_by_label("Name")).to_have_value("admin")
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{one.url}/tasks")
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(f"{one.url}/login")


def test_where_there_is_nothing_whoever_is_logged_in_is_still_at_home(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        page = one.go("/nothing")
        expect(page.get_by_role("navigation", name="Main")).to_have_count(0)
        log_in(one)
        one.go("/nothing")
        expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Tasks").click()
        expect(page).to_have_url(f"{one.url}/tasks")
