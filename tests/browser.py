"""A browser for tests of pages: a Chromium of this machine, driven by Playwright, which never downloads one.

`requirements/chromium.sh` installs it. Playwright keeps a loop in the thread that uses it, so a browser is held for a
module's tests at most: `asyncio.run` works again after them.
"""

from __future__ import annotations

import mimetypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--disable-gpu", "--disable-dev-shm-usage")
SITE = "http://site.test/"
"""Where a folder's pages are, for a browser that `visiting` gives."""


@contextmanager
def browser() -> Iterator[Browser]:
    """Give a browser; without one the test is skipped, and in CI it fails."""
    path = _chromium()
    if path is None:
        no_browser = pytest.fail if os.environ.get("CI") else pytest.skip
        no_browser("there is no Chromium here: sh requirements/chromium.sh installs one where apt is and may")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if root else [])]  # it refuses to run as root with one
    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=arguments)
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def visiting(opened: Browser, folder: Path) -> Iterator[tuple[BrowserContext, list[str]]]:
    """Give a window onto a folder's pages at `SITE`, and the addresses elsewhere that were asked for: none is reached.

    Closed shadow trees are opened, so that what is drawn in them can be looked at.
    """
    elsewhere: list[str] = []

    def answer(route: Route) -> None:
        url = route.request.url
        path = folder / url.removeprefix(SITE).partition("?")[0].partition("#")[0]
        if not url.startswith(SITE):
            elsewhere.append(url)
            route.abort()
        elif path.is_file():
            route.fulfill(body=path.read_bytes(), content_type=mimetypes.guess_type(path)[0])
        else:
            route.fulfill(status=404)

    context = opened.new_context(viewport={"width": 1280, "height": 1600})
    context.add_init_script(
        "const attach = Element.prototype.attachShadow;"
        "Element.prototype.attachShadow = function (o) { return attach.call(this, {...o, mode: 'open'}) }"
    )
    context.route("**/*", answer)
    try:
        yield context, elsewhere
    finally:
        context.close()


def _chromium() -> str | None:
    names = (os.environ.get("CHROMIUM"), *NAMES)
    return next((path for name in names if name and (path := shutil.which(name))), None)
