from __future__ import annotations

import pytest

from agentic_atlas.cli.durations import seconds
from agentic_atlas.errors import InvalidInput


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
