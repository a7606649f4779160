"""Somebody logs in at a real identity provider as they would: with a browser, from the page and back to ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser import browser
from tests.e2e.processes import Platform
from tests.identity_provider import CLIENT, SECRET, identity_provider

PASSWORD = "tall trees by the sea"
ENTERED = "ada-lovelace"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    running = Platform(tmp_path_factory.mktemp("network"), oidc_client_id=CLIENT, oidc_client_secret=SECRET)
    with identity_provider(f"http://127.0.0.1:{running.environ['ATLAS_HTTP_PORT']}/login/oidc/callback") as issuer:
        running.environ |= {"ATLAS_OIDC_ISSUER": issuer, "ATLAS_OIDC_CREATE": "1", "ATLAS_OIDC_DOMAINS": "example.org"}
        running.start()
        yield running
        running.kill()


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@contextmanager
def login_page(opened: Browser, platform: Platform) -> Iterator[tuple[Page, list[str]]]:
    """Give the page of log-ins in a browser that nobody has used, and what our pages complain of in its console."""
    context = opened.new_context()
    try:
        page, faults = context.new_page(), list[str]()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda said: faults.append(said.text) if platform.url in said.location["url"] else None)
        page.goto(f"{platform.url}/login")
        yield page, faults
    finally:
        context.close()


def signed_in(page: Page, name: str) -> None:
    """Go to the provider, and log in there under this name."""
    page.get_by_role("link", name="Log in with your organisation").click()
    at_provider(page, name)


def at_provider(page: Page, name: str) -> None:
    """Log in at the provider under this name, and let this network know."""
    page.locator("input[name=login]").fill(name)
    page.locator("input[name=password]").fill("anything")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_who_logs_in_at_the_provider_is_back_and_logged_in(platform: Platform, opened: Browser) -> None:
    with login_page(opened, platform) as (page, faults):
        signed_in(page, "ada.lovelace@example.org")
        page.get_by_text(ENTERED, exact=True).wait_for()
        assert page.url == f"{platform.url}/overview"
        assert {one["name"] for one in page.context.cookies(platform.url)} >= {"atlas_session", "atlas_device"}
        page.reload()
        page.get_by_text(ENTERED, exact=True).wait_for()
        expect(page.locator("#login")).to_be_hidden()
        page.get_by_role("button", name="Log out").click()
        page.locator("#login").wait_for()
        page.reload()
        page.locator("#login").wait_for()
        expect(page.locator("#inside")).to_be_hidden()
        # The provider knows them still.
        page.get_by_role("link", name="Log in with your organisation").click()
        page.get_by_text(ENTERED, exact=True).wait_for()
        assert faults == []
    (known,) = json.loads(platform.atlas("users", "identities", "--user", "ada-lovelace", "--json"))["items"]
    assert (known["user"], known["subject"]) == ("ada-lovelace", "ada.lovelace@example.org")
    assert known["id"] in platform.atlas("users", "identities", "--user", "ada-lovelace")
    told = platform.atlas("audit", "list", "--action", "single_sign_on.finish")
    assert f"with identity {known['id']}" in told


def test_who_was_going_somewhere_comes_back_there_from_the_provider(platform: Platform, opened: Browser) -> None:
    with login_page(opened, platform) as (page, faults):
        page.goto(f"{platform.url}/settings?from=there")
        signed_in(page, "next@example.org")
        page.locator(".who").get_by_text("next", exact=True).wait_for()
        assert page.url == f"{platform.url}/settings?from=there"
        assert "atlas_back" not in {one["name"] for one in page.context.cookies(platform.url)}
        assert faults == []


def test_who_comes_by_a_link_is_shown_no_other_form_meanwhile(platform: Platform, opened: Browser) -> None:
    link = platform.atlas("users", "invite", "edith").strip()
    with login_page(opened, platform) as (page, faults):
        held: list[Route] = []
        page.goto("about:blank")
        page.route("**/login.js", lambda route: held.append(route))
        with page.expect_request("**/login.js"):
            page.goto(link, wait_until="commit")
        page.locator("#login").wait_for(state="attached")
        assert [page.locator(f"#{form}").is_visible() for form in ("login", "invitation")] == [False, False]
        page.route("**/invitations/show", lambda route: held.append(route))
        with page.expect_request("**/invitations/show"):
            held.pop().continue_()
        assert not page.locator("#login").is_visible()
        held.pop().continue_()
        page.locator("#whose").get_by_text("edith").wait_for()
        assert not page.locator("#login").is_visible()
        assert faults == []


def test_a_user_who_is_there_links_what_they_are_known_by_and_removes_it(platform: Platform, opened: Browser) -> None:
    link = platform.atlas("users", "invite", "grace").strip()
    with login_page(opened, platform) as (page, faults):
        page.goto(link)
        page.locator("#invitation input[name=password]").fill(PASSWORD)
        page.locator("#invitation input[name=again]").fill(PASSWORD)
        page.locator("#invitation button").click()
        page.locator(".who").get_by_text("grace").wait_for()
        page.goto(f"{platform.url}/settings")
        page.locator("#identities ~ form").get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Link your organisation's log-in").click()
        page.get_by_role("link", name="Go on to your organisation's log-in").click()
        at_provider(page, "g@example.org")
        expect(page).to_have_url(f"{platform.url}/settings")
        expect(page.get_by_role("region", name="What identity providers know you as")).to_contain_text("g@example.org")
        assert faults == []
        (known,) = json.loads(platform.atlas("users", "identities", "--user", "grace", "--json"))["items"]
        linked = f"with identity {known['id']}, linked to them now"
        assert linked in platform.atlas("audit", "list", "--object", "grace")
        told = platform.atlas("users", "identities", "--user", "grace", "--remove", known["id"])
        assert f"Removed {known['id']}; sessions that ended: 1, API keys of log-ins: 0." in told
        page.reload()
        page.locator("#login").wait_for()
        page.get_by_role("link", name="Log in with your organisation").click()
        page.locator(".who").get_by_text("g", exact=True).wait_for()


def test_who_is_not_let_in_is_told_so_on_the_page(platform: Platform, opened: Browser) -> None:
    with login_page(opened, platform) as (page, faults):
        signed_in(page, "eve@example.net")
        page.get_by_text("Nobody here is linked to this log-in").wait_for()
        expect(page.locator("#login")).to_be_visible()
        assert "#" not in page.url
        assert "atlas_session" not in {one["name"] for one in page.context.cookies()}
        assert faults == []


def refusals(platform: Platform, outcome: str) -> list[str]:
    """Why log-ins at the provider ended so; rows of refusals are written within a second."""
    for _ in range(50):
        listed = json.loads(platform.atlas("audit", "list", "--action", "single_sign_on", "--json"))["items"]
        if found := [entry["detail"]["why"] for entry in listed if entry["outcome"] == outcome]:
            return found
    return []


def test_who_turns_back_at_the_provider_is_told_so_on_the_page(platform: Platform, opened: Browser) -> None:
    with login_page(opened, platform) as (page, faults):
        page.get_by_role("link", name="Log in with your organisation").click()
        page.get_by_role("link", name="Cancel").click()
        page.get_by_text("begin it again, in this browser").wait_for()
        assert faults == []
    assert any("access_denied" in why for why in refusals(platform, "login_failed"))
