"""Limits as people read them: with their units, grouped by what they bound."""

from __future__ import annotations

import pytest

from agentic_atlas.platform.pages.settings.limits import grouped, said
from agentic_atlas.protocol.caller.system import LimitInfo
from tests.shown import filled


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (20_000, "", "20,000"),
        (7_776_000, "seconds", "90 d"),
        (0.5, "seconds", "500 ms"),
        (4 * 1024 * 1024, "bytes", "4 MiB"),
        (300_000, "bytes", "300,000 bytes"),
        (3_072, "bytes", "3 KiB"),
        (20, "a second", "20 a second"),
    ],
)
def test_a_limit_has_its_unit(value: float, unit: str, words: str) -> None:
    assert said(value, unit) == words


def test_what_has_no_end_is_none() -> None:
    assert said(0, "a second", "Most requests; 0: no limit of its own.") == "none"
    assert said(0, "", "Most of them.") == "0"


def test_limits_are_grouped_by_what_they_bound_and_what_was_set_is_told() -> None:
    found = [
        filled(
            LimitInfo,
            part="OpenLimits",
            name="open_tasks",
            value=7,
            unit="",
            default=9,
            meaning="Most; `network_full`.",
        ),
        filled(LimitInfo, part="Other", name="tls_within", value=1, default=1, unit="seconds"),
    ]
    (title, (first,)), (other, (second,)) = grouped(found)
    assert (title, first.name, first.value, first.default) == ("Tasks that have not ended", "Open tasks", "7", "9")
    assert first.meaning == [("Most; ", False), ("network_full", True), (".", False)]
    assert (other, second.name, second.value, second.default) == ("Other", "TLS within", "1 s", "")
