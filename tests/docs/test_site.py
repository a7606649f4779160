"""The documentation as it is built: its diagrams are drawn, in light and dark, and nothing comes from another host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator

from tests.browser import SITE, browser, visiting
from tests.docs.pages import DOCS, ROOT, blocks

WITH_DIAGRAMS = {
    page.relative_to(DOCS).with_suffix(".html").as_posix(): len(drawings)
    for page in sorted(DOCS.rglob("*.md"))
    if (drawings := [block for block in blocks(page) if block.language == "mermaid"])
}
"""Pages of the site, and how many diagrams each has."""
SCHEMES = ("default", "slate")
"""Light and dark, in the words of the theme; each page begins in the light."""
LEAST_CONTRAST = {"text": 4.5, "arrowhead": 3.0}
"""With what is behind it (WCAG 2.2, 1.4.3 and 1.4.11)."""
_FROM_ELSEWHERE = re.compile(
    r"""<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)=["']?(?:https?:)?//|url\(["']?(?:https?:)?//"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    build = (sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    subprocess.run(build, cwd=ROOT, check=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}, timeout=100)
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def test_every_diagram_is_drawn_legibly_in_light_and_dark_and_nothing_is_asked_of_another_host(
    site: Path, chromium: Browser
) -> None:
    with visiting(chromium, site) as (window, elsewhere):
        for page, count in WITH_DIAGRAMS.items():
            opened = window.new_page()
            opened.goto(SITE + page)
            drawings = opened.locator("div.mermaid svg")
            drawings.nth(count - 1).wait_for()
            assert drawings.count() == count, page
            for scheme in SCHEMES:
                opened.locator(f"body[data-md-color-scheme={scheme}]").wait_for()
                for drawing in drawings.all():
                    assert is_large(drawing), page
                    bad = {kind: ratio for kind, ratio in contrasts(drawing).items() if ratio < LEAST_CONTRAST[kind]}
                    assert bad == {}, f"{page}, {scheme}"
                opened.locator("label.md-header__button[for^=__palette]:visible").click()
            opened.close()
    assert elsewhere == []


def is_large(drawing: Locator) -> bool:
    box = drawing.bounding_box()
    return box is not None and box["width"] > 200 and box["height"] > 50


def test_no_page_of_the_site_names_another_host_to_load_from(site: Path) -> None:
    read = {path: path.read_text() for path in site.rglob("*") if path.suffix in (".html", ".css")}
    assert len(read) > len(WITH_DIAGRAMS)
    assert {path.name: found[0] for path, text in read.items() if (found := _FROM_ELSEWHERE.findall(text))} == {}


def contrasts(drawing: Locator) -> dict[str, float]:
    """Return the least contrast with the colour of the page of the drawing's texts and arrowheads."""
    return dict(
        drawing.evaluate(
            """svg => {
                const channel = c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
                const weighed = (sum, c, n) => sum + channel(Number(c)) * [.2126, .7152, .0722][n]
                const light = color => color.match(/[\\d.]+/g).slice(0, 3).reduce(weighed, 0)
                const page = light(getComputedStyle(document.body).backgroundColor)
                const ratio = one => (Math.max(one, page) + 0.05) / (Math.min(one, page) + 0.05)
                const least = (elements, property) => Math.min(
                    ...elements.map(element => ratio(light(getComputedStyle(element)[property(element)]))))
                const says = element => [...element.childNodes].some(node => node.nodeType == 3 && node.data.trim())
                const texts = [...svg.querySelectorAll('*:not(style)')].filter(says)
                const ink = element => element instanceof SVGElement ? 'fill' : 'color'
                const lines = [...svg.querySelectorAll('[marker-end]')]
                const head = line => svg.querySelector(line.getAttribute('marker-end').match(/#[^)"]+/)[0])
                return {
                    text: least(texts, ink),
                    arrowhead: least(lines.map(line => head(line).firstElementChild), () => 'fill'),
                }
            }"""
        )
    )
