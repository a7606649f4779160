from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agentic_atlas.cli.times import TimeFormat, ago, moment, seconds, took
from agentic_atlas.errors import InvalidInput

AT = datetime(2026, 11, 22, 19, 29, 8, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.4, "just now"),
        (-0.4, "just now"),
        (59.9, "59 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (7_200, "2 h ago"),
        (200_000, "2 d ago"),
        (-80, "in 1 min"),
        (-7_775_999, "in 90 d"),
    ],
)
def test_how_long_ago_something_was_is_said_in_one_unit(seconds: float, shown: str) -> None:
    assert ago(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-0.001, "0 ms"),
        (0.0144, "14 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (2.346, "2.35 s"),
        (23.46, "23.5 s"),
        (99.96, "1 min 40 s"),
        (3_599.6, "1 h 0 min"),
        (18_130, "5 h 2 min"),
    ],
)
def test_how_long_something_took_has_the_digits_that_tell_something(seconds: float, shown: str) -> None:
    assert took(seconds) == shown


def test_a_time_is_how_long_ago_it_was_unless_another_form_is_asked_for() -> None:
    def now() -> float:
        return AT.timestamp() + 120

    assert TimeFormat(now).short(AT) == "2 min ago"
    assert TimeFormat(now).full(AT).endswith("(2 min ago)")
    assert TimeFormat(now).full(AT)[19:25] == f" {AT.astimezone():%z}"
    for shown in (TimeFormat(now, utc=True).short(AT), TimeFormat(now, utc=True).full(AT)):
        assert shown == "2026-11-22T19:29:08.123Z"
    iso = TimeFormat(now, iso=True).short(AT)
    assert datetime.fromisoformat(iso) == AT
    assert TimeFormat(now).short(None) == TimeFormat(now).full(None) == ""


def test_a_time_is_given_as_a_span_before_now_or_as_itself() -> None:
    now = AT.timestamp()
    assert moment("90s", now) == AT - timedelta(seconds=90)
    assert moment("2026-11-22T20:29:08.123+01:00", now) == AT
    assert moment("2026-11-22", now) == datetime(2026, 11, 22).astimezone()  # as the wall clock has it
    with pytest.raises(InvalidInput, match="`soon` is no time"):
        moment("soon", now)


@pytest.mark.parametrize(
    ("text", "expected"), [("45s", 45), ("30m", 1800), ("12H", 43_200), (" 90d ", 7_776_000), ("2w", 1_209_600)]
)
def test_a_span_of_time_is_a_number_with_a_unit(text: str, expected: int) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "90", "d", "0d", "-1d", "1.5h", "1y", "1d2h", "9999999999d", "٣d"])
def test_anything_else_is_told_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="write 90d, 12h, 30m or 45s"):
        seconds(text)


def test_a_span_over_what_is_allowed_is_told_in_days() -> None:
    assert seconds("366d", most=31_622_400) == 31_622_400
    with pytest.raises(InvalidInput, match="`10000d` is too long: at most 366d"):
        seconds("10000d", most=31_622_400)
