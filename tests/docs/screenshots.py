"""Makes the pictures of the pages that README and documentation show, of real processes: `make screenshots`.

A small network of the example agents has done some tasks; one failed, one asks a person, one has children. Each page is
looked at in light and dark, at a desk and on a phone. What is of the machine that this runs on is not in them.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx
from playwright.sync_api import Browser, Page, expect

from agentic_atlas import Client
from tests.browser import browser
from tests.e2e.processes import Platform, connected, free_port
from tests.looked_at import DESKTOP, PASSWORD, PHONE, SCHEMES, Window, log_in, set_password, window

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = ROOT / "docs" / "assets" / "screenshots"
SIZES: Final = {"desktop": DESKTOP, "phone": PHONE}
QUALITY: Final = 72
USER: Final = "ada"
EXAMPLES: Final = ("document_search", "table_query", "system_report", "research")
QUESTION: Final = "What happens to a task when the server is killed? And which city had the highest sales?"
SALES: Final = (
    "city,month,amount\nBern,2026-09,1204.50\nGenf,2026-09,988.00\nBern,2026-10,1310.25\nBasel,2026-10,742.80\n"
)
PUBLISHER: Final = '''
import asyncio
from typing import Annotated, Literal

from agentic_atlas import Agent, Context

agent = Agent("publisher", description="Publishes release notes once somebody has read them")


@agent.skill
async def publish(ctx: Context, version: Annotated[str, "Which release"], pages: int = 12) -> str:
    """Check a release's notes, ask whether they may go out, and publish them."""
    ctx.log.info("notes are ready", version=version, pages=pages)
    await ctx.progress(0.5, "waiting to be read")
    question = f"The notes of {version} are ready: {pages} pages. Publish them?"
    said = await ctx.ask(question, Literal["publish", "not yet"])
    return f"{version}: {said}"


@agent.skill
async def check_links(site: Annotated[str, "Where the notes are"]) -> int:
    """Count links that lead nowhere."""
    raise ConnectionError(f"{site} does not answer")


agent.run()
'''
BEGIN: Final = """
import runpy, sys

sys.path.insert(0, {folder!r})
runpy.run_path({folder!r} + "/agent.py", run_name="__main__")
"""
GREETER: Final = """
from agentic_atlas import Agent

agent = Agent("translator", description="Translates notes on the machine of the office")

@agent.skill
async def translate(text: str, to: str = "de") -> str:
    return text

agent.run()
"""


@dataclass
class Scene:
    """A network to be looked at.

    Attributes:
        platform: itself.
        client: of its administrator.
        ids: of what has one: tasks, tokens, keys.
    """

    platform: Platform
    client: Client
    ids: dict[str, str]


Look = Callable[[Window, Scene, Callable[[str], None]], Any]


def at(path: str, *, waits: str = "") -> Look:
    """Look at a page; what stands in braces is the id of something. `waits`: until this is seen."""

    def look(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
        page = one.go(path.format(**scene.ids))
        if waits:
            expect(page.get_by_text(waits).first).to_be_visible()

    return look


def _login(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    one.context.clear_cookies()
    one.go("/login")


def _first_link(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    one.context.clear_cookies()
    link = scene.client.people.invite("linus", "member").link
    one.page.goto(f"{one.url}/login#{link.partition('#')[2]}")
    expect(one.page.get_by_label("The same again")).to_be_visible()


def _generated(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    """Generate a token, start its agent with it, and see both."""
    page = one.go("/agents/token?agent=translator")
    page.get_by_label("Name of the token").fill("office")
    page.get_by_role("button", name="Generate token").click()
    card = page.get_by_role("complementary", name="Your agent")
    expect(card).to_contain_text("Waiting")
    secret = page.locator(".steps .code code").first.inner_text()
    shoot("token-generated")
    with scene.platform.agent("translator", GREETER, token=secret) as agent:
        agent.wait_for(connected)
        expect(card).to_contain_text("Your agent is connected")
        card.scroll_into_view_if_needed()
        shoot("token-connected")
    page.goto("about:blank")


def _palette(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    page = one.go("/overview")
    page.locator("[data-opens=palette]").first.wait_for(state="attached")
    page.keyboard.press("Control+k")
    page.locator("#palette input").fill("se")
    expect(page.locator("#palette-list").get_by_text("document_search").first).to_be_visible()


def _verified(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    page = one.go("/settings/audit/check")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("Every row is as it was written")).to_be_visible()


def _approval(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    codes = httpx.post(f"{one.url}/api/v1/login-codes", json={"host": "workshop"}, trust_env=False).json()
    one.page.goto(codes["verification_uri_complete"])
    expect(one.page.get_by_role("button", name="Approve")).to_be_visible()


def _enrolled(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    """See the QR code of one-time passwords, which are not confirmed: log-ins stay as they are."""
    page = one.go("/settings")
    page.locator("form[action^='/settings/totp']").get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("Set up one-time|Begin with a new")).click()
    page.get_by_role("img", name="QR code of the secret").evaluate("(one) => one.scrollIntoView({ block: 'center' })")


def _key_made(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    page = one.go("/settings/keys/new")
    page.get_by_label("Name").fill("reports")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("button", name="Copy the key")).to_be_visible()
    made = next(one for one in scene.client.keys.list() if one.name == "reports" and one.revoked_at is None)
    scene.client.keys.revoke(made.id)


def _confirming(one: Window, scene: Scene, shoot: Callable[[str], None]) -> None:
    page = one.go("/settings/keys")
    page.get_by_role("button", name="Revoke nightly").click()
    expect(page.get_by_role("dialog", name="Revoke nightly?")).to_be_visible()


LOOKS: Final[Mapping[str, tuple[str, Look]]] = {
    "login": ("login.html", _login),
    "first-link": ("login.html", _first_link),
    "approval": ("approval.html", _approval),
    "overview": ("overview.html", at("/overview", waits="What needs you")),
    "palette": ("overview.html", _palette),
    "agents": ("agents.html", at("/agents")),
    "token-new": ("token_new.html", at("/agents/token?agent=translator")),
    "token-generated": ("token_issued.html", _generated),
    "token": ("token.html", at("/tokens/{token}")),
    "agent": ("agent.html", at("/agents/ada/document_search")),
    "agent-tokens": ("agent_tokens.html", at("/agents/ada/document_search/tokens")),
    "agent-tasks": ("agent_tasks.html", at("/agents/ada/table_query/tasks")),
    "agent-settings": ("agent_settings.html", at("/agents/ada/document_search/settings")),
    "skill": ("skill.html", at("/agents/ada/table_query/skills/query?task={table}", waits="The same call")),
    "tasks": ("tasks.html", at("/tasks")),
    "task": ("task.html", at("/tasks/{report}", waits="Timeline")),
    "task-asks": ("task.html", at("/tasks/{asks}", waits="It asks a person")),
    "task-failed": ("task.html", at("/tasks/{failed}", waits="Timeline")),
    "compare": ("comparison.html", at("/tasks/{again}/compare?other={table}")),
    "settings-account": ("settings_account.html", at("/settings")),
    "settings-qr-code": ("settings_account.html", _enrolled),
    "settings-sessions": ("settings_sessions.html", at("/settings/sessions")),
    "settings-people": ("settings_people.html", at("/settings/people")),
    "settings-person": ("settings_person.html", at("/settings/people/grace")),
    "settings-groups": ("settings_groups.html", at("/settings/groups")),
    "settings-group": ("settings_group.html", at("/settings/groups/analysts")),
    "settings-keys": ("settings_keys.html", at("/settings/keys")),
    "settings-confirm": ("settings_keys.html", _confirming),
    "settings-key-made": ("settings_key_new.html", _key_made),
    "settings-key-new": ("settings_key_new.html", at("/settings/keys/new")),
    "settings-signing-keys": ("settings_signing_keys.html", at("/settings/signing-keys")),
    "settings-withdraw": ("settings_withdraw.html", at("/settings/signing-keys/{signing}/withdraw")),
    "settings-audit": ("settings_audit.html", at("/settings/audit")),
    "settings-audit-check": ("settings_audit_check.html", _verified),
    "settings-limits": ("settings_limits.html", at("/settings/limits")),
    "settings-about": ("settings_about.html", at("/settings/about")),
}
"""What is looked at: the template of the page, and how one comes there."""

FURTHER: Final = ("token-connected",)
"""Pictures that are made on the way to another one."""


def names() -> Iterator[str]:
    """Yield the names of all pictures."""
    for name, size, scheme in product((*LOOKS, *FURTHER), SIZES, SCHEMES):
        yield f"{name}-{size}-{scheme}.webp"


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """Put up the network, with agents that run and tasks that were done."""
    platform = Platform(folder / "network", admin=USER)
    for name, port in (("ATLAS_HTTP_PORT", 8000), ("ATLAS_ROUTER_PORT", 8080)):
        platform.environ[name] = str(_port(port))
    platform.start()
    with ExitStack() as running:
        running.callback(platform.kill)
        set_password(platform)
        atlas = running.enter_context(Client(platform.url, api_key=platform.api_key))
        tables = folder / "tables"
        tables.mkdir()
        (tables / "sales.csv").write_text(SALES)
        given = {"DOCUMENTS_FOLDER": str(ROOT / "docs" / "concepts"), "TABLES_FOLDER": str(tables)}
        found = Scene(platform, atlas, {})
        for name in EXAMPLES:
            running.enter_context(_example(platform, name, given))
        agent = running.enter_context(platform.agent("publisher", PUBLISHER))
        agent.wait_for(connected)
        atlas.agents.create("translator", "Translates notes on the machine of the office")
        _people(found)
        _tasks(found)
        yield found


@contextmanager
def _example(platform: Platform, name: str, given: Mapping[str, str]) -> Iterator[None]:
    program = ROOT / "examples" / name
    folder = platform.folder / "agents"
    folder.mkdir(exist_ok=True)
    shutil.copytree(program, folder / name, ignore=shutil.ignore_patterns("tests", "__pycache__"))
    code = BEGIN.format(folder=str(folder / name))
    token = platform.token(name, name="workshop")
    with platform.agent(name, code, token=token, **given) as agent:
        agent.wait_for(connected)
        yield


def _people(found: Scene) -> None:
    atlas = found.client
    atlas.people.create("grace")
    atlas.people.create("edsger", "viewer")
    atlas.people.invite("barbara", "member")
    atlas.groups.create("analysts")
    atlas.groups.add("analysts", "grace")
    atlas.agents.share("document_search", "group:analysts", "edsger")
    atlas.keys.create("dashboard", scopes=["tasks:read", "agents:read"])
    atlas.keys.create("nightly", expires_in=30 * 86_400, scopes=["tasks:call:ada/research"])
    found.ids["signing"] = next(iter(atlas.keys.signing())).id
    atlas.keys.rotate()
    found.ids["token"] = next(iter(atlas.tokens.list("document_search"))).id


def _tasks(found: Scene) -> None:
    atlas = found.client
    wait = 120.0
    by_city = "SELECT city, sum(amount) AS total FROM sales GROUP BY city ORDER BY total DESC"
    for query in ("token", "connection", "audit log"):
        atlas.submit("document_search", "search", query=query, limit=3).result(wait)
    atlas.submit("table_query", "tables").result(wait)
    table = atlas.submit("table_query", "query", sql=by_city, limit=5)
    table.result(wait)
    again = atlas.submit("table_query", "query", sql=f"{by_city} LIMIT 1", limit=5)
    again.result(wait)
    atlas.submit("table_query", "query", sql="SELECT town FROM sales").wait()
    atlas.submit("system_report", "health").result(wait)
    report = atlas.submit("research", "report", question=QUESTION)
    report.result(wait)
    failed = atlas.submit("publisher", "check_links", site="notes.example.org")
    failed.wait()
    asks = atlas.submit("publisher", "publish", version="1.4.0")
    next(one for one in asks.events() if one.kind == "question")
    for name, task in (("table", table), ("again", again), ("report", report), ("failed", failed), ("asks", asks)):
        found.ids[name] = task.id


def _port(wanted: int) -> int:
    """Return the port that networks have, where nobody has it."""
    with socket.socket() as probe:
        return wanted if probe.connect_ex(("127.0.0.1", wanted)) else free_port()


HIDE: Final = r"""(pairs) => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const whole = (text) => new RegExp(String.raw`(?<![\w-])${RegExp.escape(text)}(?![\w-])`, "g");
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const [is, shown] of pairs) if (node.data.includes(is)) node.data = node.data.replace(whole(is), shown);
  }
}"""
"""Puts other words in the place of what is of this machine, where they stand alone."""


def _shoot(page: Page, path: Path, hidden: Mapping[str, str]) -> None:
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(250)  # for what is drawn by a script that nothing here waits for
    page.evaluate(HIDE, [*hidden.items()])
    taken = page.context.new_cdp_session(page).send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path.write_bytes(base64.b64decode(taken["data"]))


def make(opened: Browser, found: Scene, only: tuple[str, ...]) -> None:
    """Make the pictures, or those that are named."""
    hidden = {
        str(found.platform.folder / "data"): "/home/ada/.local/share/agentic-atlas",
        str(found.platform.folder): "/home/ada",
        socket.gethostname(): "workshop",
        os.uname().release: "6.12",
    }
    for (size, pixels), scheme in product(SIZES.items(), SCHEMES):
        with window(opened, found.platform, size=pixels, color_scheme=scheme, reduced_motion="reduce") as one:

            def shoot(shot: str, one: Window = one, kind: str = f"{size}-{scheme}") -> None:
                _shoot(one.page, FOLDER / f"{shot}-{kind}.webp", hidden)

            for name in only or LOOKS:
                if not one.context.cookies():
                    log_in(one, USER)
                LOOKS[name][1](one, found, shoot)
                if one.page.url != "about:blank":
                    shoot(name)
            print(size, scheme, *one.faults, flush=True)


def main() -> None:
    """Make them all, or those that are named on the command line."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, scene(Path(folder)) as found, browser() as opened:
        make(opened, found, tuple(sys.argv[1:]))


if __name__ == "__main__":
    main()
