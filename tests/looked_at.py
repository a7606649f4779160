"""Pages looked at as people do, in a browser that is logged in: nothing goes wrong in it, and everybody can use them.

axe-core says the latter. It is fetched once by npm, is what `requirements/axe.lock` says, and is kept in `build/`.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

from agentic_atlas.platform.app import ROUTES
from requirements import npm
from tests.e2e.processes import Platform

ROOT = Path(__file__).parents[1]
AXE = ROOT / "requirements" / "axe.lock"
PASSWORD = "tall trees by the sea"
DESKTOP, PHONE = (1280, 800), (360, 740)
SCHEMES = ("light", "dark")


@dataclass
class Window:
    """A window of a browser onto a network, and what went wrong in it.

    Attributes:
        page: of Playwright.
        url: of the network.
        faults: what its console or a script complained of, and requests to other hosts.
    """

    context: BrowserContext
    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        self.page.goto(self.url + path)
        return self.page

    def too_wide(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))

    def violations(self, *rules: str) -> list[str]:
        """Return what axe-core finds wrong with the page as it is now, by these rules or all: where each is broken."""
        self.page.evaluate(axe())
        asked = {"runOnly": rules} if rules else {}
        found: list[dict[str, Any]] = self.page.evaluate(
            "(asked) => axe.run(asked).then((found) => found.violations)", asked
        )
        return [f"{one['id']}: {node['html']} {node['failureSummary']}" for one in found for node in one["nodes"]]

    def unfit(self) -> list[str]:
        """Return what the forms of the page would send that nothing takes, or has to send and does not."""
        return [fault for form in self.page.evaluate(FORMS) for fault in _unfit(*form)]


FORMS = """[...document.forms].filter((one) => one.method === "post").map((one) => [
    new URL(one.action).pathname, [...one.elements].map((field) => field.name).filter(Boolean),
    [...one.elements].filter((field) => field.matches("textarea, [type=text], input:not([type])"))
      .map((field) => [field.name, field.maxLength])])"""


def _unfit(path: str, names: list[str], texts: list[tuple[str, int]]) -> Iterator[str]:
    route = next((one for one in ROUTES if one.method == "POST" and re.fullmatch(_pattern(one.path), path)), None)
    if route is None:
        yield f"{path}: nothing is there"
    elif route.takes is not None and route.form:
        fields = {one.encode_name: one.required for one in msgspec.structs.fields(route.takes)}
        yield from (f"{path}: {name} is not taken" for name in names if name not in fields)
        yield from (f"{path}: {name} is missing" for name, needed in fields.items() if needed and name not in names)
        kinds = {one.encode_name: one.type for one in msgspec.structs.fields(route.takes)}
        for name, most in texts:
            if name in kinds and not 0 < most <= _longest(kinds[name]):
                yield f"{path}: {name} takes more than is taken"


def _longest(kind: Any) -> float:
    """Return how many characters a field takes."""
    info = msgspec.inspect.type_info(kind)
    texts = [one for one in getattr(info, "types", (info,)) if isinstance(one, msgspec.inspect.StrType)]
    return max((one.max_length or math.inf for one in texts), default=0)


def _pattern(path: str) -> str:
    return re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))


@contextmanager
def window(opened: Browser, platform: Platform, *, size: tuple[int, int] = DESKTOP, **options: Any) -> Iterator[Window]:
    """Open a window onto a network in which nobody is logged in; `options` are those of a context of Playwright's."""
    context = opened.new_context(viewport={"width": size[0], "height": size[1]}, **options)
    context.set_default_timeout(15_000)
    page = context.new_page()
    made = Window(context, page, platform.url)

    def complained(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            made.faults.append(f"{message.type}: {message.text}")

    def asked(request: Request) -> None:
        if not request.url.startswith(platform.url):
            made.faults.append(f"elsewhere: {request.url}")

    page.on("console", complained)
    page.on("pageerror", lambda error: made.faults.append(f"thrown: {error}"))
    page.on("request", asked)
    try:
        yield made
    finally:
        context.close()


def log_in(one: Window, name: str = "admin") -> None:
    """Log the window in, by the API and not by its page."""
    said = {"name": name, "password": PASSWORD}
    answer = one.context.request.post(f"{one.url}/api/v1/session", data=said, headers={"Origin": one.url})
    assert answer.ok, answer.text()


def set_password(platform: Platform) -> None:
    """Set the administrator's password, by the link that the network printed."""
    assert platform.process is not None
    told = next(json.loads(line) for line in platform.process.lines if "api_url" in line)
    secret = str(told["first_login"]).partition("#invitation=")[2]
    with httpx.Client(base_url=platform.url, trust_env=False) as http:
        body = {"secret": secret, "password": PASSWORD}
        assert http.post("/api/v1/invitations/accept", json=body).status_code == 200


@cache
def axe() -> str:
    """Return the program of axe-core; where it can't be fetched the test is skipped, and in CI it fails."""
    kept = ROOT / "build" / f"{AXE.read_text().split()[0]}.min.js"
    if not kept.exists():
        try:
            (content,) = npm.files(AXE, ["axe.min.js"])
        except npm.Unfetched as error:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
        kept.parent.mkdir(exist_ok=True)
        draft = kept.with_suffix(f".{id(content)}")
        draft.write_bytes(content)
        draft.replace(kept)
    return kept.read_text()
