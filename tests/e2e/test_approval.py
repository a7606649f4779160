"""A machine without a browser comes in by a code, which somebody approves in theirs, with the real command."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import browser
from tests.e2e.processes import Platform, Process, python
from tests.looked_at import DESKTOP, PASSWORD, PHONE, SCHEMES, Window, log_in, set_password, window


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def entered(shared_platform: Platform) -> Platform:
    """A network whose administrator has a password."""
    set_password(shared_platform)
    return shared_platform


@contextmanager
def asking(platform: Platform, folder: Path) -> Iterator[tuple[Process, str, str]]:
    """Have a machine that is set up for no network ask to be let in; give its command, the page and the code."""
    environ = {name: value for name, value in platform.environ.items() if not name.startswith("ATLAS_")}
    command = python("-m", "agentic_atlas", "login", platform.url, "--code")
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    process = Process(*command, folder=folder, environ=environ | home)
    try:
        page = next(word for word in process.wait_for("#code=").split() if "#code=" in word)
        yield process, page, process.wait_for("--approve").split()[-1]
    finally:
        process.kill()


def test_the_address_that_the_command_prints_leads_to_who_asks_past_the_log_in(
    entered: Platform, opened: Browser, tmp_path: Path
) -> None:
    with asking(entered, tmp_path) as (waiting, address, code), window(opened, entered) as one:
        assert waiting.lines[0].startswith(f"Open {one.url}/login/code#code={code} ")
        page = one.page
        page.goto(address)
        expect(page).to_have_url(f"{one.url}/login?next=/login/code")
        page.get_by_label("Name").fill("admin")
        page.get_by_role("textbox", name="Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="Is this yours?")).to_be_visible()
        expect(page).to_have_url(f"{one.url}/login/code")
        asks = page.get_by_role("region", name="Is this yours?")
        for said in (code, "127.0.0.1", "admin", "everything that you may", "90 days"):
            expect(asks).to_contain_text(said)
        assert (one.violations(), one.unfit()) == ([], [])
        page.get_by_role("button", name="Approve").click()
        expect(page.get_by_role("heading", name="is let in")).to_be_visible()
        assert one.violations() == []
        assert waiting.wait() == 0, waiting.output
        assert f"You are admin on {one.url}" in waiting.output
        # Loading the page again decides nothing again.
        page.reload()
        expect(page.get_by_label("Code")).to_have_value("")
        one.go("/settings/keys")
        expect(page.get_by_role("row", name="atlas login on")).to_contain_text("by a log-in")
        assert one.faults == []


def test_without_a_script_the_code_is_typed_and_who_asks_is_turned_away(
    entered: Platform, opened: Browser, tmp_path: Path
) -> None:
    with (
        asking(entered, tmp_path) as (waiting, address, code),
        window(opened, entered, java_script_enabled=False) as one,
    ):
        log_in(one)
        page = one.page
        page.goto(address)
        page.get_by_label("Code").fill("BBBB-BBBB")
        page.get_by_role("button", name="See who asks").click()
        expect(page.get_by_role("alert")).to_contain_text("no login waits for this code")
        expect(page.get_by_label("Code")).to_have_value("BBBB-BBBB")
        page.get_by_label("Code").fill(code.replace("-", "").lower())
        page.get_by_role("button", name="See who asks").click()
        page.get_by_role("button", name="Refuse").click()
        expect(page.get_by_role("heading", name="is turned away")).to_be_visible()
        assert waiting.wait() == 1
        assert "denied" in waiting.output
        assert [fault for fault in one.faults if "404" not in fault] == []


@pytest.mark.parametrize(("scheme", "size"), list(product(SCHEMES, (DESKTOP, PHONE))))
def test_who_asks_can_be_read_by_everybody(
    entered: Platform, opened: Browser, tmp_path: Path, scheme: str, size: tuple[int, int]
) -> None:
    with (
        asking(entered, tmp_path) as (_, address, _),
        window(opened, entered, size=size, color_scheme=scheme, reduced_motion="reduce") as one,
    ):
        log_in(one)
        _shown(one, address)
        assert (one.violations(), one.too_wide() <= 0, one.faults) == ([], True, [])
        # A link that is opened where the page is already has it look at that one.
        one.page.evaluate("location.hash = '#code=BBBB-BBBB'")
        expect(one.page.get_by_role("alert")).to_contain_text("no login waits for this code")


def _shown(one: Window, address: str) -> None:
    one.page.goto(address)
    expect(one.page.get_by_role("heading", name=re.compile("Is this yours"))).to_be_visible()
