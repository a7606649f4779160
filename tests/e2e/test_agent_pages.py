"""The story of the specification in a browser: generate a token, start an agent with it, see it come, revoke it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, Process, connected, python
from tests.e2e.programs import ECHO
from tests.e2e.test_live_pages import SHIFTS
from tests.looked_at import PASSWORD, Window, log_in, set_password, window

TWICE = ECHO.replace('"echo"', '"twice"')
HOSTILE = """
from agentic_atlas import Agent

agent = Agent("hostile", description="<script>alert(1)</script> \\u202e{{ 7 * 7 }}")

@agent.skill
async def say(text: str) -> str:
    "<img src=x onerror=alert(1)>"
    return text

agent.run()
"""


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def known(shared_platform: Platform) -> Platform:
    """A network with an agent that has done something, and whose administrator has a password."""
    set_password(shared_platform)
    with (
        Client(shared_platform.url, api_key=shared_platform.api_key) as atlas,
        shared_platform.agent("echo", ECHO) as agent,
    ):
        agent.wait_for(connected)
        atlas.call("echo", "say", text="hello")
    return shared_platform


def set_up(one: Window, platform: Platform) -> None:
    """Come in by the link that the network printed, as whoever starts it does."""
    assert platform.process is not None
    line = next(line for line in platform.process.lines if "first_login" in line)
    one.page.goto(line.split('"first_login":"')[1].partition('"')[0])
    # This one is shown by the page's script, in the place of the log-in, whose password is called the same.
    one.page.get_by_label("The same again").fill(PASSWORD)
    one.page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
    one.page.get_by_role("button", name="Set the password and log in").click()
    expect(one.page).to_have_url(f"{one.url}/overview")


def test_a_token_is_generated_its_agent_comes_and_goes_when_it_is_revoked(platform: Platform, opened: Browser) -> None:
    allowed = ["clipboard-read", "clipboard-write"]
    with window(opened, platform, permissions=allowed) as one:
        set_up(one, platform)
        page = one.page
        page.get_by_role("link", name="Local Agents").click()
        page.get_by_role("link", name="Generate token").click()
        page.get_by_label("Agent", exact=True).fill("echo")
        page.get_by_label("Name of the token").fill("desk")
        page.get_by_label("Description").fill("The one by the window")
        page.get_by_role("button", name="Generate token").click()
        standing = page.get_by_role("complementary", name="Your agent")
        expect(standing).to_contain_text("Waiting for your agent")
        # Loading the page again makes no other token, and does not show this one.
        expect(page).to_have_url(re.compile(r"/tokens/tok_\w+$"))
        page.get_by_role("button", name="Copy the .env").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        env = page.evaluate("navigator.clipboard.readText()")
        assert one.violations() == []

        folder = platform.folder / "desk"
        folder.mkdir()
        (folder / ".env").write_text(env)
        (folder / "agent.py").write_text(ECHO)
        command = python("-m", "agentic_atlas", "run", "agent.py")
        environ = {name: value for name, value in platform.environ.items() if name != "ROUTER_WS_URL"}
        agent = Process(*command, folder=folder, environ=environ)
        try:
            expect(standing).to_contain_text("Your agent is connected")
            expect(standing).to_contain_text("agentic-atlas/")
            assert one.violations() == []
            standing.get_by_role("link", name="See what it can do").click()
            expect(page.get_by_role("heading", name="admin/echo")).to_contain_text("online")
            expect(page.locator(".skill")).to_contain_text("say")

            beside = one.context.new_page()
            beside.goto(f"{one.url}/agents")
            status = beside.get_by_role("row", name="admin/echo").locator(".badge")
            expect(status).to_have_text("online")
            page.bring_to_front()
            page.get_by_role("link", name="Tokens", exact=True).click()
            expect(page.get_by_role("row", name="desk")).to_contain_text("The one by the window")
            page.get_by_role("link", name="desk").click()
            expect(page.get_by_text("The one by the window")).to_be_visible()
            page.get_by_role("button", name="Revoke this token").click()
            asked = page.get_by_role("dialog", name="Revoke desk?")
            expect(asked).to_contain_text("can't be taken back")
            asked.get_by_role("button", name="Revoke it").click()
            expect(page.get_by_role("heading", name="This token was revoked")).to_be_visible()
            expect(page.get_by_role("button", name="Revoke this token")).to_have_count(0)
            beside.bring_to_front()
            expect(status).to_have_text("offline")
            agent.wait_for("the token has been revoked")
        finally:
            agent.kill()
        assert one.faults == []


def test_whoever_waits_for_an_agent_is_told_that_its_code_is_for_another_one(known: Platform, opened: Browser) -> None:
    with window(opened, known) as one:
        log_in(one)
        page = one.go("/agents/token?agent=other")
        page.get_by_role("button", name="Generate token").click()
        standing = page.get_by_role("complementary", name="Your agent")
        expect(standing).to_contain_text("Waiting for your agent")
        token = page.locator(".steps code").first.text_content()
        with known.agent("other", ECHO, token=token):
            expect(standing).to_contain_text("The code declares another agent")
            expect(standing).to_contain_text("The token is for other, the code declares echo.")
        assert one.violations() == []
        assert one.faults == []


def test_whoever_waits_for_an_agent_is_told_that_another_process_has_the_token(
    known: Platform, opened: Browser
) -> None:
    with window(opened, known) as one, Client(known.url, api_key=known.api_key) as atlas:
        log_in(one)
        atlas.agents.create("twice")
        made = atlas.tokens.create("twice")
        page = one.go("/agents/admin/twice")
        page.evaluate(SHIFTS)
        with known.agent("twice", TWICE, token=made.token) as first:
            first.wait_for(connected)
            expect(page.get_by_role("heading", name="admin/twice")).to_contain_text("online")
            with known.agent("twice", TWICE, token=made.token):
                expect(page.get_by_text("Another process has this token already")).to_be_visible()
        expect(page.get_by_text("1 instance of the past")).to_be_visible()
        expect(page.locator(".skill")).to_contain_text("say")
        assert page.evaluate("window.shifted") == []
        assert one.faults == []


def test_what_an_agent_and_its_tokens_say_of_themselves_is_shown_and_does_nothing(
    known: Platform, opened: Browser
) -> None:
    with window(opened, known) as one, Client(known.url, api_key=known.api_key) as atlas:
        log_in(one)
        atlas.agents.create("hostile")
        made = atlas.tokens.create("hostile", name="<b onclick=alert(1)>desk</b>")
        with known.agent("hostile", HOSTILE, token=made.token) as agent:
            agent.wait_for(connected)
            page = one.go("/agents/admin/hostile")
            expect(page.locator(".skill")).to_contain_text("<img src=x onerror=alert(1)>")
            expect(page.locator(".heading")).to_contain_text("<script>alert(1)</script> \\u202e{{ 7 * 7 }}")
            for path in ("/agents/admin/hostile/tokens", f"/tokens/{made.id}"):
                expect(one.go(path).locator("main")).to_contain_text("<b onclick=alert(1)>desk</b>")
                assert page.locator("main img, main script, main b").count() == 0
        assert one.faults == []


def test_settings_of_an_agent_are_changed_with_forms_alone(known: Platform, opened: Browser) -> None:
    with window(opened, known, java_script_enabled=False) as one:
        log_in(one)
        with Client(known.url, api_key=known.api_key) as atlas:
            atlas.agents.create("plain")
        page = one.go("/agents/admin/plain/settings")
        page.get_by_label("Description").fill("<b>Plain</b>")
        page.get_by_role("button", name="Save").click()
        expect(page.locator(".heading")).to_contain_text("<b>Plain</b>")
        page.get_by_label("Share with").fill("nobody-of-this-name")
        page.get_by_role("button", name="Share").click()
        expect(page.get_by_text("there is no user")).to_be_visible()
        page.get_by_label("Share with").fill("everyone")
        page.get_by_role("button", name="Share").click()
        expect(page.get_by_text("Seen by everyone on this network.")).to_be_visible()
        page.get_by_role("button", name="Share no more with everyone").click()
        expect(page.get_by_text("Seen by admin, and administrators.")).to_be_visible()
        page.get_by_role("button", name="Disable plain").click()
        expect(page.get_by_role("heading", name="admin/plain")).to_contain_text("disabled")
        page.get_by_role("button", name="Enable plain").click()
        page.get_by_label("Name", exact=True).fill("plainer")
        page.get_by_role("button", name="Save").click()
        expect(page).to_have_url(f"{one.url}/agents/admin/plainer/settings")
        page.get_by_label("Delete admin/plainer with its tokens").check()
        page.get_by_role("button", name="Delete plainer").click()
        expect(page).to_have_url(f"{one.url}/agents")
        assert [fault for fault in one.faults if "404" not in fault] == []


def test_a_page_says_that_its_agent_runs_nothing_and_that_it_is_shared_no_more(
    known: Platform, opened: Browser
) -> None:
    with window(opened, known) as one, Client(known.url, api_key=known.api_key) as atlas:
        secret = atlas.people.invite("eve", "member").link.partition("#invitation=")[2]
        accepted = one.context.request.post(
            f"{one.url}/api/v1/invitations/accept", data={"secret": secret, "password": PASSWORD}
        )
        assert accepted.ok
        atlas.agents.share("echo", "eve")
        log_in(one, "eve")
        atlas.agents.disable("echo")
        page = one.go("/agents/admin/echo/skills/say")
        expect(page.locator(".actions")).to_contain_text("it runs nothing until it is enabled")
        expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
        atlas.agents.enable("echo")

        page = one.go("/agents/admin/echo")
        expect(page.locator("#gone")).to_be_hidden()
        with page.expect_response(lambda answer: answer.status == 404):
            atlas.agents.unshare("echo", "eve")
        expect(page.locator("#gone")).to_contain_text("not shared with you any more")
        # Its own words are enough: it asks for nothing more, though things change that it would look at.
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        atlas.agents.create("another")
        other = one.context.new_page()
        other.goto(f"{one.url}/agents")
        expect(other.get_by_role("heading", name="No agents yet")).to_be_visible()
        assert asked == []
