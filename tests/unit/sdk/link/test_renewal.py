"""When a token is renewed."""

from __future__ import annotations

import base64
import json

import pytest

from agentic_atlas.sdk.link.renewal import RenewalTimes

DAY = 86_400.0


def token(life: float) -> str:
    payload = base64.urlsafe_b64encode(json.dumps({"iat": 1_000, "exp": int(1_000 + life)}).encode()).decode()
    return f"head.{payload}.signature"


def times(
    life: float = 90.0, *, left: float | None = None, renewable: bool = True, random: float = 0.0
) -> RenewalTimes:
    times = RenewalTimes(lambda: random)
    times.begin(token(life), life if left is None else left, 0.0, renewable=renewable)
    return times


@pytest.mark.parametrize("life", [3.0, 20.0, 90 * DAY])
def test_a_token_is_renewed_in_the_last_third_of_its_life(life: float) -> None:
    assert not times(life).due(life * 0.66)
    assert times(life).due(life * 0.67)


def test_not_all_ask_at_once() -> None:
    assert not times(90.0, random=0.999).due(67.0)
    assert times(90.0, random=0.999).due(67.5)


def test_who_comes_late_asks_at_once() -> None:
    assert times(90.0, left=10.0).due(0.0)
    assert not times(90.0, left=60.0).due(0.0)


def test_one_that_can_not_be_renewed_is_never_due() -> None:
    asked = times(renewable=False)
    assert not asked.expected
    assert not asked.due(89.0)


def test_without_an_answer_it_is_due_again_until_the_token_has_expired() -> None:
    asked = times(90.0)
    due = [second for second in range(100) if asked.due(float(second))]
    assert (due[0], due[-1]) == (60, 89)
    assert 8 < len(due) < 20


def test_a_refusal_says_when_it_is_due_again() -> None:
    asked = times(90.0)
    asked.refused(20.0, 61.0)
    assert asked.expected
    assert not asked.due(80.0)
    assert asked.due(81.0)
    asked.refused(None, 81.0)
    assert not asked.expected


def test_of_a_token_that_says_nothing_of_its_life_what_is_left_counts() -> None:
    asked = RenewalTimes(lambda: 0.0)
    asked.begin("a.b.c", 90.0, 0.0, renewable=True)
    assert not asked.due(59.0)
    assert asked.due(60.0)
