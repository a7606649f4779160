"""How texts, durations and sizes are written for people."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.wording import duration, size, visible


def test_what_nobody_sees_is_written_as_what_it_is() -> None:
    assert visible("plain") == "plain"
    assert visible("Grüße 🌍 a\u0301") == "Grüße 🌍 a\u0301"
    assert visible("a\u202eb\u200bc\u0000d\ud800") == "a\\u202eb\\u200bc\\u0000d\\ud800"
    assert visible("a\n\tb") == "a\\u000a\\u0009b"
    assert visible("a\n\tb\r", lines=True) == "a\n\tb\\u000d"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (-1, "0 ms"), (0, "0 ms"), (0.00012, "0.1 ms"), (0.0042, "4.2 ms"), (0.25, "250 ms"), (0.9999, "1 s"),
        (1.234, "1.23 s"), (59.4, "59.4 s"), (59.9, "1 min"), (65, "1 min 5 s"), (3599.8, "1 h"), (7805, "2 h 10 min"),
        (86_390, "1 d"), (100_000, "1 d 4 h"),
    ],
)  # fmt: skip
def test_durations_have_two_units_at_most(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "1 byte"), (812, "812 bytes"), (3_400, "3.4 KB"), (999_600, "1 MB"), (12_345_678, "12.3 MB")],
)
def test_sizes_have_three_digits(count: int, told: str) -> None:
    assert size(count) == told
