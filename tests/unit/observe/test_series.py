"""What is declared can be scraped: names and labels are Prometheus's, and each means something of its own."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from agentic_atlas.observe import series
from agentic_atlas.observe.series import ALL, WITH_NAMES, Series, SeriesKind

DECLARED = [*ALL, *WITH_NAMES]


def test_every_declaration_is_listed_once() -> None:
    assert Counter(one.name for one in DECLARED).most_common(1)[0][1] == 1
    assert set(DECLARED) == {one for one in vars(series).values() if isinstance(one, Series)}


@pytest.mark.parametrize("one", DECLARED, ids=lambda one: one.name)
def test_names_are_as_the_field_has_them(one: Series) -> None:
    assert re.fullmatch(r"(atlas|process)(_[a-z]+)+", one.name)
    assert one.name.endswith("_total") == (one.kind is SeriesKind.COUNTER)
    assert all(re.fullmatch(r"[a-z]+", label) for label in one.labels)
    assert one.meaning.endswith(".")


def test_what_something_is_counted_in_is_said_by_its_name() -> None:
    assert (series.TASK_RUN.unit, series.FRAME_BYTES.unit, series.PROCESS_CPU.unit) == ("seconds", "bytes", "seconds")
    assert (series.OPEN_TASKS.unit, series.FRAMES.unit) == ("", "")
