"""Every limit is named, says what it is, and has its default in one place."""

from __future__ import annotations

from collections import defaultdict

import pytest

from agentic_atlas.compose.limits import attribute_docs
from tests.docs.reference.limits import STRUCTS, Bound, constants, defaults, said

OF_BOTH_ENDS = {"silent_beats", "tick"}
"""Each end of a connection has its own."""
NOT_THE_SAME = {"open_tasks"}
"""Of an instance, and of a network."""

BOUNDS = list(constants())


@pytest.mark.parametrize("bound", BOUNDS, ids=lambda bound: f"{bound.place}:{bound.name}")
def test_a_constant_says_what_it_bounds(bound: Bound) -> None:
    assert bound.meaning.endswith("."), "a docstring below it, with its unit"


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_a_field_of_a_parts_settings_says_what_it_is(kind: type) -> None:
    docs = attribute_docs(kind)
    assert [name for name in defaults(kind) if not docs.get(name)] == []


def test_no_limit_has_its_default_in_two_places() -> None:
    found: defaultdict[tuple[str, float], list[str]] = defaultdict(list)
    for bound in BOUNDS:
        found[bound.name, bound.value].append(bound.place)
    assert {key: places for key, places in found.items() if len(places) > 1} == {}


def test_no_two_parts_have_a_setting_of_the_same_name() -> None:
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for kind in STRUCTS:
        for name in defaults(kind):
            owners[name].append(kind.__name__)
    double = {name: kinds for name, kinds in owners.items() if len(kinds) > 1}
    assert set(double) == OF_BOTH_ENDS | NOT_THE_SAME, double


@pytest.mark.parametrize(
    ("value", "text"),
    [(4 * 1024 * 1024, "4 MiB"), (65_536, "64 KiB"), (1_000, "1,000"), (30.0, "30"), (0.005, "0.005"), (3.75, "3.75")],
)
def test_a_limit_is_written_for_people(value: float, text: str) -> None:
    assert said(value) == text
