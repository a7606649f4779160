from __future__ import annotations

import pytest

from agentic_atlas.sdk.link.expiry import Expiry

DAY = 86_400.0
NOW = 1_767_225_600.0


def begin(expiry: Expiry, left: float, now: float, *, renewable: bool = False) -> None:
    """Have a connection whose token is good for so many seconds."""
    expiry.begin("hello", NOW + left, now + left, renewable=renewable)


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (3 * DAY, "3 days (2026-01-04 00:00 UTC)"),
        (DAY, "1 day"),
        (7_300.0, "2 hours"),
        (90.0, "2 minutes"),
        (5.0, "less"),
    ],
)
def test_a_token_that_expires_soon_is_told_at_the_connection_with_what_to_do(left: float, words: str) -> None:
    expiry = Expiry()
    begin(expiry, left, 100.0)
    line = expiry.line(100.0)
    assert line is not None
    assert line.startswith(f"this token expires in {words}")
    assert "atlas tokens create hello" in line
    assert expiry.line(100.0) is None


def test_a_token_that_is_good_for_long_is_no_matter() -> None:
    expiry = Expiry()
    assert expiry.line(100.0) is None
    begin(expiry, 90 * DAY, 100.0)
    assert expiry.line(100.0) is None


def test_nothing_is_said_of_one_that_is_renewed_unless_it_is_not_after_all() -> None:
    expiry = Expiry()
    begin(expiry, 60.0, 100.0, renewable=True)
    assert expiry.line(130.0) is None
    expiry.alone()
    assert expiry.line(130.0)


def test_an_agent_that_stays_connected_is_told_again_as_the_end_comes_nearer() -> None:
    expiry = Expiry()
    begin(expiry, 90 * DAY, 0.0)
    said = [hour for hour in range(90 * 24) if expiry.line(hour * 3_600.0 + 1.0)]
    assert said == [83 * 24, 89 * 24, 90 * 24 - 1]


def test_a_reconnect_repeats_nothing_and_another_token_does() -> None:
    expiry = Expiry()
    begin(expiry, 2 * DAY, 0.0)
    assert expiry.line(0.0)
    begin(expiry, 2 * DAY - 60.0, 60.0)
    assert expiry.line(60.0) is None
    begin(expiry, 5 * DAY, 120.0)
    assert expiry.line(120.0)
