"""What administrators do in settings: keys that are used and revoked, signing keys, and a log that somebody changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from agentic_atlas.backend.archive.manifest import DATABASE
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.looked_at import log_in, set_password, window


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def asked_with(platform: Platform, key: str) -> int:
    with httpx.Client(base_url=platform.url, trust_env=False) as http:
        return http.get("/api/v1/whoami", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_is_made_for_some_things_used_and_revoked(platform: Platform, opened: Browser) -> None:
    set_password(platform)
    with window(opened, platform) as one:
        log_in(one)
        page = one.go("/settings/keys")
        page.get_by_role("link", name="New key").click()
        page.get_by_label("Name", exact=True).fill("<b>poet</b>")
        page.get_by_label("agents:read").check()
        page.get_by_label("Agents that it may ask for tasks").fill("admin/echo")
        page.get_by_role("button", name="Make the key").click()
        expect(page.get_by_text("Copy it now: it is not shown again.")).to_be_visible()
        env = page.locator(".once .code", has_text="ATLAS_API_KEY").text_content() or ""
        key = env.partition("ATLAS_API_KEY=")[2].split()[0]
        assert one.violations() == []
        expect(page).to_have_url(f"{one.url}/settings/keys")
        assert asked_with(platform, key) == 200

        page.reload()
        expect(page.get_by_text(key)).to_have_count(0)
        row = page.get_by_role("row", name="<b>poet</b>")
        expect(row).to_contain_text("tasks:call:admin/echo")
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Revoke it").click()
        expect(page.get_by_role("status").filter(has_text="worthless")).to_contain_text("<b>poet</b> is worthless now.")
        assert asked_with(platform, key) == 401
        expect(page.get_by_text("1 key that ended")).to_be_visible()
        assert page.locator("main b").count() == 0
        assert one.faults == []


def test_a_signing_key_is_replaced_and_withdrawn_once_it_was_said_what_ends(
    platform: Platform, opened: Browser
) -> None:
    set_password(platform)
    with window(opened, platform) as one, Client(platform.url, api_key=platform.api_key) as atlas:
        atlas.agents.create("echo")
        token = atlas.tokens.create("echo").token
        log_in(one)
        with platform.agent("echo", ECHO, token=token) as agent:
            agent.wait_for(connected)
            page = one.go("/settings/signing-keys")
            page.get_by_role("button", name="Rotate").first.click()
            page.get_by_role("button", name="Rotate").last.click()
            expect(page.get_by_role("status").filter(has_text="are signed with")).to_be_visible()
            page.get_by_role("link", name="Withdraw").click()
            expect(page.get_by_role("heading", name="What ends at once")).to_contain_text("1 token, and 1 instance")
            expect(page.get_by_text("Tokens of admin/echo end.")).to_be_visible()
            assert one.violations() == []
            page.get_by_label("End all that rests on it").check()
            page.get_by_role("button", name="Withdraw this key").click()
            expect(page.get_by_text("1 key that was withdrawn")).to_be_visible()
            agent.wait_for("key_withdrawn")
        page.get_by_text("1 key that was withdrawn").click()
        expect(page.get_by_role("table").last).to_contain_text("ended 1 token, closed 1 connection")
        assert one.faults == []


def changed(database: Path) -> None:
    """Say something else in a row, as whoever can write in the database may."""
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER audit_unchanged")
        connection.execute("UPDATE audit SET who_name = 'somebody else' WHERE seq = 2")


def test_the_log_is_found_sound_and_once_somebody_changed_a_row_it_is_not(platform: Platform, opened: Browser) -> None:
    set_password(platform)
    with window(opened, platform, accept_downloads=True) as one:
        log_in(one)
        page = one.go("/settings/audit")
        page.get_by_role("button", name="Verify").click()
        expect(page.get_by_role("heading", name="Every row is as it was written")).to_be_visible()
        assert one.violations() == []
        changed(platform.folder / "data" / DATABASE)
        page.get_by_role("button", name="Verify again").click()
        expect(page.get_by_role("heading", name="The log is not as it was written")).to_be_visible()
        expect(page.get_by_text("The first that is not: row 2, changed")).to_be_visible()
        assert one.violations() == []

        page.get_by_role("link", name="Audit log").first.click()
        expect(page.get_by_text("The last check found it changed")).to_be_visible()
        page.get_by_label("Did").select_option("invitations")
        page.get_by_label("From", exact=True).fill("127.0.0.1")
        page.get_by_role("button", name="Search").click()
        accepted = page.locator("summary", has_text="invitations.accept")
        accepted.click()
        expect(page.locator("details[open]")).to_contain_text("Hash")
        assert one.violations() == []
        with page.expect_download() as begun:
            page.get_by_role("button", name="Export").click()
        lines = begun.value.path().read_text().splitlines()
        assert json.loads(lines[1])["who"]["name"] == "somebody else"
        assert "signature" in json.loads(lines[-1])
        assert one.faults == []
