"""People in the settings, in a real browser: invited, come in, make their account safer, and are managed."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyotp
import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform
from tests.looked_at import PASSWORD, log_in, set_password, window

ANOTHER = "small birds on a wire"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def peopled(shared_platform: Platform) -> Platform:
    """A network with people and groups, whose administrator has a password."""
    set_password(shared_platform)
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        atlas.people.invite("ada")
        for name in ("readers", "empty"):
            atlas.groups.create(name)
        atlas.groups.add("readers", "ada")
        atlas.agents.create("books")
        atlas.agents.share("books", "group:readers")
    return shared_platform


def test_somebody_is_invited_comes_in_and_makes_their_account_safer(platform: Platform, opened: Browser) -> None:
    set_password(platform)
    with window(opened, platform) as root, window(opened, platform) as ada, window(opened, platform) as elsewhere:
        log_in(root)
        page = root.go("/settings/people")
        page.get_by_role("textbox", name="Name").fill("ada")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("heading", name="Link for ada")).to_be_visible()
        # Loading the page again makes no other link, and does not show this one.
        expect(page).to_have_url(re.compile(r"/settings/people$"))
        link = page.locator(".once code").text_content() or ""
        page.reload()
        expect(page.locator(".once")).to_have_count(0)
        expect(page.get_by_role("row", name="ada").first).to_contain_text("invited")

        hers = ada.page
        hers.goto(link)
        hers.get_by_label("The same again").fill(PASSWORD)
        hers.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        hers.get_by_role("button", name="Set the password and log in").click()
        expect(hers).to_have_url(f"{ada.url}/overview")
        ada.go("/settings")
        parts = hers.get_by_role("navigation", name="Settings")
        expect(parts.get_by_role("link", name="Account")).to_have_attribute("aria-current", "page")
        expect(parts.get_by_role("link", name="People")).to_have_count(0)

        # Another password ends what is open elsewhere.
        log_in(elsewhere, "ada")
        hers.get_by_label("Password until now").fill(PASSWORD)
        hers.get_by_label("New password").fill(ANOTHER)
        hers.get_by_label("The same again").fill(ANOTHER)
        hers.get_by_role("button", name="Change the password").click()
        expect(hers.get_by_role("status")).to_contain_text(["You have another password. 1 other session ended."])
        elsewhere.go("/settings")
        expect(elsewhere.page).to_have_url(f"{ada.url}/login?next=/settings")

        # One-time passwords, by the secret that is behind the picture.
        hers.get_by_label("Your password").fill(ANOTHER)
        hers.get_by_role("button", name="Set up one-time passwords").click()
        expect(hers.get_by_role("img", name="QR code of the secret")).to_be_visible()
        assert ada.violations() == []
        hers.get_by_text("Or type the secret").click()
        secret = hers.locator("details code").first.text_content() or ""
        hers.get_by_label("Code of six digits").fill(pyotp.TOTP(secret).now())
        hers.get_by_role("button", name="Confirm").click()
        codes = hers.locator(".once code")
        expect(codes).to_contain_text(re.compile(r"^([a-z2-7]{4}-){3}[a-z2-7]{4}"))
        recovery = (codes.text_content() or "").split()
        assert len(recovery) == 10
        assert ada.violations() == []

        # Coming in again needs a code now; then the other session is ended from here.
        there = elsewhere.page
        there.get_by_label("Name").fill("ada")
        there.get_by_role("textbox", name="Password", exact=True).fill(ANOTHER)
        there.get_by_role("button", name="Log in").click()
        there.get_by_label("One-time password, or a recovery code").fill(recovery[0])
        there.get_by_role("button", name="Log in").click()
        expect(there).to_have_url(f"{ada.url}/settings")
        parts.get_by_role("link", name="Sessions").click()
        sessions = hers.get_by_role("region", name="Your sessions").get_by_role("row")
        expect(sessions).to_have_count(3)
        hers.get_by_role("button", name="End all others").click()
        expect(hers.get_by_role("dialog", name="End all your other sessions?")).to_be_visible()
        assert ada.violations() == []
        hers.get_by_role("button", name="End 1 session").click()
        expect(sessions).to_have_count(2)
        elsewhere.go("/settings")
        expect(there).to_have_url(f"{ada.url}/login?next=/settings")
        assert ada.faults == []

        page = root.go("/settings/people/ada")
        expect(page.get_by_text("one-time passwords since")).to_be_visible()
        page.get_by_role("button", name="Reset the second factor").click()
        page.get_by_role("dialog").get_by_role("button", name="Reset").click()
        expect(page.get_by_role("status")).to_contain_text(["need no one-time password any more"])
        assert root.faults == []


def test_people_and_groups_are_managed_without_a_script(peopled: Platform, opened: Browser) -> None:
    with window(opened, peopled, java_script_enabled=False) as one:
        log_in(one)
        page = one.go("/settings/groups/readers")
        page.get_by_role("button", name="Delete readers").click()
        asked = page.get_by_role("dialog", name="Delete readers?")
        expect(asked).to_contain_text("These shares end: admin/books (call).")
        asked.get_by_role("button", name="Cancel").click()
        expect(asked).to_be_hidden()
        page.get_by_label("Name of a user").fill("admin")
        page.get_by_role("button", name="Add").click()
        expect(page.get_by_role("status")).to_contain_text(["admin is in it."])
        one.go("/settings/people")
        page.get_by_role("textbox", name="Name").fill("Not A Name")
        page.get_by_role("button", name="Make the link").click()
        expect(page.get_by_role("alert")).to_contain_text("Not A Name")
        page.get_by_role("link", name="admin", exact=True).click()
        expect(page.get_by_text("Nobody takes their own rights away")).to_be_visible()
        assert [fault for fault in one.faults if "422" not in fault] == []


def test_settings_keep_up_with_what_is_done_elsewhere(peopled: Platform, opened: Browser) -> None:
    with (
        window(opened, peopled) as one,
        window(opened, peopled) as elsewhere,
        Client(peopled.url, api_key=peopled.api_key) as atlas,
    ):
        log_in(one)
        page = one.go("/settings/sessions")
        rows = page.get_by_role("region", name="Your sessions").locator("tbody tr")
        expect(rows.filter(has_text="this one")).to_have_count(1)
        before = rows.count()
        log_in(elsewhere)
        expect(rows).to_have_count(before + 1)
        elsewhere.go("/settings/sessions").get_by_role("button", name="Log out").click()
        expect(rows).to_have_count(before)

        page = one.go("/settings/keys")
        made = atlas.keys.create("nightly")
        row = page.get_by_role("row", name="nightly")
        expect(row).to_be_visible()
        # What is asked stays open while something else changes.
        row.get_by_role("button", name="Revoke").click()
        other = atlas.keys.create("hourly")
        expect(page.get_by_role("row", name="hourly")).to_be_visible()
        expect(page.get_by_role("dialog", name="Revoke nightly?")).to_be_visible()
        page.get_by_role("button", name="Cancel").locator("visible=true").click()
        for key in (made, other):
            atlas.keys.revoke(key.id)
        expect(page.get_by_role("region", name="API keys", exact=True).get_by_text("nightly")).to_have_count(0)

        page = one.go("/settings/people")
        atlas.people.invite("zoe")
        expect(page.get_by_role("row", name="zoe").first).to_contain_text("invited")
        expect(page.get_by_role("button", name="Withdraw the link for zoe")).to_be_visible()
        page.get_by_role("search").get_by_label("Who").fill("ZO")
        page.get_by_role("button", name="Search").click()
        expect(page.get_by_role("region", name="Users by name").locator("tbody tr")).to_have_count(1)
        atlas.people.update("zoe", disabled=True)
        expect(page.get_by_role("row", name="zoe").first).to_contain_text("disabled")

        page = one.go("/settings/audit")
        first = page.locator(".log li").first
        seq = first.get_attribute("id")
        first.locator("summary").click()
        atlas.people.update("zoe", disabled=False)
        expect(page.locator(".log li").first.locator("summary")).to_contain_text("zoe")
        expect(page.locator(".log li").first).not_to_have_attribute("id", seq or "")
        expect(page.locator(f"#{seq} details")).to_have_attribute("open", "")
        assert one.violations() == []
        assert one.faults == []
