"""Where a log-in leads: to a page of ours, whatever was asked for."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from agentic_atlas.http.return_path import login_path, return_path


@pytest.mark.parametrize("path", ["/agents", "/tasks?after=x&y=%2F", "/agents/ada/translator", "/"])
def test_a_page_of_ours_is_come_back_to(path: str) -> None:
    assert return_path(path) == path
    assert parse_qs(urlsplit(login_path(path)).query) == {"next": [path]}


@pytest.mark.parametrize(
    "said",
    ["", "agents", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "/\t/evil.example",
     "/x\r\nset-cookie: a=b", "javascript:alert(1)", "/é", "/a\\b", "/" + "x" * 2_001, " /agents"],
)  # fmt: skip
def test_what_is_none_leads_to_the_first_page(said: str) -> None:
    assert return_path(said) == "/overview"
    assert login_path(said) == "/login"


def test_the_log_in_does_not_lead_to_itself() -> None:
    assert return_path("/login?next=/login") == "/overview"
    assert return_path("/login") == "/overview"
