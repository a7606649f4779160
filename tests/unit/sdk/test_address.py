from __future__ import annotations

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.address import address, base_url


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://localhost:8000/", "http://localhost:8000"),
        (" https://Example.org ", "https://example.org"),
        ("https://example.org/atlas/", "https://example.org/atlas"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_an_address_is_kept_in_one_form(given: str, kept: str) -> None:
    assert base_url(given) == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "localhost:8000",
        "http://x/api/v1",
        "http://a..b",
        "'http://x'",
        "ftp://example.org",
        "http://",
        "http://a:b@example.org",
        "http://x?y=1",
        "http://x:99999",
    ],
)
def test_an_address_that_cannot_be_meant_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError):
        base_url(given)


def test_the_key_is_in_no_text_form_and_in_no_error() -> None:
    assert "secret" not in repr(address("http://localhost", "secret"))
    with pytest.raises(ConfigurationError) as caught:
        address("http://localhost", "secret\n")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [("http://127.0.0.1:1", True), ("http://localhost", True), ("http://[::1]", True), ("http://example.org", False)],
)
def test_this_machine_is_told_from_others(url: str, expected: bool) -> None:
    assert address(url, "key").loopback is expected
