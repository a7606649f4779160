"""Every page there is, of a network in which all that others can write tries to do something: it is shown, and no more.

Which pages there are is taken from the table of them, so that one that is new has to be visited here too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
from playwright.sync_api import Browser

from agentic_atlas import Client
from agentic_atlas.platform.app import PAGES
from agentic_atlas.sdk.client.blocking import BlockingTask
from tests.browser import browser
from tests.e2e.processes import Platform, connected
from tests.looked_at import DESKTOP, PHONE, Window, log_in, set_password, window

MARKUP = """"'><x-evil onclick=alert(1) tabindex=1><img src=x onerror=alert(1)><script>alert(1)</script></textarea>"""
EVIL = f"{MARKUP}</title></style></code> {{{{ 7 * 7 }}}} \u202e\u0007\u001b[31m"
MEGABYTE = 1_000_000
AGENT = f"""
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from agentic_atlas import Agent, Context, FilePart, InvalidInput, LinkPart

EVIL = {EVIL!r}
LONG = EVIL + "<b>" * {MEGABYTE // 3}
agent = Agent("evil", description=EVIL, concurrency=8)

class Deep(BaseModel):
    choice: Literal["</select>" + EVIL, "other"] = Field("other", title=EVIL, description=EVIL)
    named: dict[str, str] = Field({{}}, alias=EVIL[:40], examples=[EVIL])

@agent.skill(description=EVIL)
async def echo(text: Annotated[str, EVIL], more: Annotated[Any, EVIL] = None, deep: Deep | None = None) -> Any:
    return {{"text": text, "more": more, EVIL: EVIL}}

@agent.skill(description=EVIL)
async def reports(ctx: Context) -> AsyncIterator[str]:
    for text in (EVIL, LONG[:200_000]):
        await ctx.progress(0.5, text)
        ctx.log.info(text, **{{"field": text, EVIL[:20]: text}})
        yield text
    Path("made.html").write_text(EVIL)
    await ctx.artifact("made.html", name=EVIL[:80])
    await asyncio.sleep(3600)

@agent.skill
async def asks(ctx: Context) -> str:
    await ctx.ask(EVIL + "<b>" * 4_000, Literal["</button>" + EVIL, "other"])
    return await ctx.ask("Another: " + EVIL, dict[str, str])

@agent.skill
async def fails(text: str) -> str:
    raise InvalidInput(LONG)

@agent.skill
async def files() -> list[FilePart | LinkPart]:
    return [FilePart(name="<b>.html", media_type="text/html", content=EVIL.encode()),
            LinkPart(url="https://example.org/" + EVIL.split()[0], name=EVIL)]

@agent.skill
async def calls(ctx: Context) -> str:
    return (await ctx.call("evil", "echo", text=EVIL))["text"]

if __name__ == "__main__":
    agent.run()
"""
ADDRESSES = {
    "/login": [""],
    "/login/code": [""],
    "/overview": [""],
    "/agents": [""],
    "/agents/token": ["", "?agent=evil"],
    "/agents/{owner}/{name}": [""],
    "/agents/{owner}/{name}/tokens": [""],
    "/agents/{owner}/{name}/tasks": [""],
    "/agents/{owner}/{name}/settings": [""],
    "/agents/{owner}/{name}/skills/{skill}": ["", "?input_of={long}", "?task={long}", "?task={reports}"],
    "/tokens/{token_id}": [""],
    "/tasks": ["", "?agent=%22%3E%3Cx-evil%3E&skill=%3Cx-evil%3E&error=%22%3E%3Cx-evil%3E"],
    "/tasks/{task_id}": [""],
    "/tasks/{task_id}/compare": ["?other={long}"],
    "/settings": [""],
    "/settings/sessions": [""],
    "/settings/people": [""],
    "/settings/people/{name}": [""],
    "/settings/groups": [""],
    "/settings/groups/{name}": [""],
    "/settings/keys": [""],
    "/settings/keys/new": [""],
    "/settings/signing-keys": [""],
    "/settings/signing-keys/{key_id}/withdraw": [""],
    "/settings/audit": [""],
    "/settings/audit/check": [""],
    "/settings/limits": [""],
    "/settings/about": [""],
}
"""What of each page is looked at: what stands behind its path."""
OTHERS = {
    "/tasks/{task_id}": {"task_id": ("small", "long", "reports", "asks", "fails", "files", "calls")},
    "/tasks/{task_id}/compare": {"task_id": ("small",)},
    "/settings/people/{name}": {"name": ("admin", "ada")},
    "/settings/groups/{name}": {"name": ("readers", "empty")},
}
"""What stands for a part of a path in braces where it is not the one of all other pages."""
FOREIGN = """() => {
  const all = (which) => [...document.querySelectorAll(which)];
  return [
    ...all("x-evil, main script, main img, iframe, object, embed, style").map((one) => one.outerHTML),
    ...all("*").flatMap((one) => one.getAttributeNames().filter((name) => name.startsWith("on"))),
    ...["href", "action", "formaction"].flatMap((name) => all(`[${name}]`).map((one) => one.getAttribute(name)))
      .filter((address) => !/^[/#?]/.test(address)),
  ];
}"""
"""What is in a page that no page has of its own: elements, handlers, and addresses that are not this network's."""
COLOURS = ("color-contrast",)
MOST_ELEMENTS = 4_000
MOST_BYTES = 400_000


@dataclass
class Full:
    """A network in which there is something of everything, and what stands for the parts of a path in braces."""

    platform: Platform
    ids: dict[str, str] = field(default_factory=dict)

    def addresses(self) -> Iterator[str]:
        for path, behind in ADDRESSES.items():
            for more, (name, values) in product(behind, OTHERS.get(path, {"": ("",)}).items()):
                for value in values:
                    yield f"{path}{more}".format(**(self.ids | {name: self.ids.get(value, value)}))


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def full(shared_platform: Platform) -> Iterator[Full]:
    set_password(shared_platform)
    found = Full(shared_platform, {"owner": "admin", "name": "evil", "skill": "echo"})
    with Client(shared_platform.url, api_key=shared_platform.api_key) as atlas:
        atlas.agents.create("evil", description=EVIL)
        made = atlas.tokens.create("evil", name=EVIL[:100], description=EVIL)
        atlas.people.create("ada")
        for name in ("readers", "empty"):
            atlas.groups.create(name)
        atlas.groups.add("readers", "ada")
        atlas.agents.share("evil", "group:readers")
        atlas.keys.create(EVIL[:100], scopes=["tasks:read"])
        found.ids |= {"token_id": made.id, "key_id": next(iter(atlas.keys.signing())).id}
        atlas.keys.rotate()
        with shared_platform.agent("evil", AGENT, token=made.token) as agent:
            agent.wait_for(connected)
            tasks = asked(atlas)
            found.ids |= {name: task.id for name, task in tasks.items()}
            yield found
            for task in tasks.values():
                task.cancel()


def asked(atlas: Client) -> dict[str, BlockingTask]:
    """Have the agent do something of everything."""
    many = {f"{EVIL}{number}": [EVIL] * 20 for number in range(200)}
    tasks = {
        "small": atlas.submit("evil", "echo", text=EVIL, more=[{EVIL: "\u0007"}]),
        "long": atlas.submit("evil", "echo", text=EVIL + "<i>" * (MEGABYTE // 3), more=many),
        "fails": atlas.submit("evil", "fails", text=EVIL),
        "files": atlas.submit("evil", "files"),
        "calls": atlas.submit("evil", "calls"),
    }
    for task in tasks.values():
        task.wait()
    tasks |= {name: atlas.submit("evil", name) for name in ("reports", "asks")}
    for name, kind in (("reports", "artifact"), ("asks", "question")):
        next(one for one in tasks[name].events() if one.kind == kind)
    return tasks


def test_every_page_is_visited_here() -> None:
    assert set(ADDRESSES) == {page.path for page in PAGES if page.method == "GET"}


def test_every_page_can_be_used_by_everybody_and_nothing_on_it_does_what_others_wrote(
    full: Full, opened: Browser
) -> None:
    wrong: dict[str, Any] = {}
    with window(opened, full.platform, reduced_motion="reduce", user_agent=f"Mozilla {MARKUP}") as one:
        one.page.on("dialog", lambda dialog: one.faults.append(f"dialog: {dialog.message}"))
        wrong["/login of nobody"] = looked_at(one, "/login")
        log_in(one)
        for address in full.addresses():
            wrong[address] = looked_at(one, address)
    assert {address: found for address, found in wrong.items() if found} == {}


def looked_at(one: Window, address: str) -> dict[str, Any]:
    """Return what is wrong with a page, light and dark, on a large screen and a small one."""
    page = one.page

    answer = page.goto(one.url + address)
    assert answer is not None
    found: dict[str, Any] = {}
    for scheme, size, rules in (("light", DESKTOP, ()), ("dark", DESKTOP, COLOURS), ("dark", PHONE, ())):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": size[0], "height": size[1]})
        found[f"violations, {scheme} {size}"] = one.violations(*rules)
        found[f"wider than {size}"] = max(0, one.too_wide())
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    found["status"] = answer.status if answer.status != 200 else 0
    found["bytes"] = len(answer.body()) // MOST_BYTES
    found["elements"] = page.locator("*").count() // MOST_ELEMENTS
    found["foreign"] = page.evaluate(FOREIGN)
    found["unfit"] = one.unfit()
    found["faults"] = one.faults.copy()
    one.faults.clear()
    return {what: value for what, value in found.items() if value}
