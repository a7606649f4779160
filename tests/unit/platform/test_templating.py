"""How numbers and times are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from agentic_atlas.platform.templating import iso, number, percent, plural, utc

AT = datetime(2026, 11, 30, 18, 5, 7, 123_456, tzinfo=timezone(timedelta(hours=2)))


def test_numbers_are_grouped_and_words_agree_with_them() -> None:
    assert [number(one) for one in (0, 999, 12_345)] == ["0", "999", "12,345"]
    assert [plural(one, "agent") for one in (0, 1, 2_000)] == ["0 agents", "1 agent", "2,000 agents"]
    assert plural(2, "query", "queries") == "2 queries"


def test_a_part_of_a_whole_is_never_rounded_up_to_all_of_it() -> None:
    assert [percent(one) for one in (0, 0.5, 0.9999, 1)] == ["0 %", "50 %", "99.9 %", "100 %"]


def test_times_are_utc_for_machines_and_for_browsers_without_scripts() -> None:
    assert iso(AT) == "2026-11-30T16:05:07.123Z"
    assert datetime.fromisoformat(iso(AT)).tzinfo == UTC
    assert utc(AT) == "2026-11-30 16:05 UTC"
