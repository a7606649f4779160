"""Browsers are called as people call them, whatever they say of themselves."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.browsers import browser_of

LINUX = "Mozilla/5.0 (X11; Linux x86_64)"
CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "called"),
    [
        (f"{LINUX} {CHROME}", "Chrome 126 on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Edg/126.0.2592.87", "Edge 126 on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox 128 on Linux"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/17.5 Mobile/15E148 Safari/604.1",
            "Safari 17 on iPhone",
        ),
        ("curl/8.5.0", "curl 8"),
        ("Chrome/<script> on", "Chrome"),
        ("something else\u202e" + "x" * 100, "something else\\u202e" + "x" * 45),
        ("", "unknown"),
    ],
)
def test_a_browser_is_named(agent: str, called: str) -> None:
    assert browser_of(agent) == called
