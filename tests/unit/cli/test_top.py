"""The screen of `atlas top`, line by line, and what its keys do."""

from __future__ import annotations

import pytest

from agentic_atlas.cli.columns import wide
from agentic_atlas.cli.top import TopView, lines
from agentic_atlas.protocol.caller.resources import Fleet, ProcessInfo
from agentic_atlas.protocol.messages import Resources
from tests.shown import filled


def fleet(*processes: ProcessInfo, **more: object) -> Fleet:
    return filled(Fleet, **{"items": list(processes), "processes": len(processes), "matching": 1, **more})


BUSY = filled(
    ProcessInfo,
    id="ins_0123456789abcdef",
    agent="ada/translator",
    host="box",
    slots=8,
    slots_used=3,
    waiting=12,
    cpu=87.4,
    memory=1_500_000_000,
    lag=0.25,
    holdup="memory",
    resources=Resources(machine_cpu=40.0),
)
NEW = filled(ProcessInfo, agent="ada/new\x1b[2J", slots=1, holdup="something_newer")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 3), (200, 60), (20, 1)])
def test_the_screen_fits_a_terminal_of_any_size(width: int, height: int) -> None:
    shown = lines(fleet(*[BUSY] * 100), TopView(), max(width, 40), height)
    assert len(shown) <= max(height, 5)
    assert max(map(wide, shown)) <= max(width, 40)


def test_at_80_columns_it_says_what_matters() -> None:
    head, total, keys, columns, busy, new = lines(fleet(BUSY, NEW, cpu=87.4, memory=10**9), TopView(), 80, 24)
    assert head.endswith("by cpu")
    assert "cpu: 0.9 cores, memory: 1.0 GB" in total
    assert keys.startswith("c cpu")
    assert columns.split()[:5] == ["AGENT", "CPU", "MEMORY", "SLOTS", "WAIT"]
    assert busy.split()[:7] == ["ada/translator", "87", "%", "1.5", "GB", "3/8", "12"]
    assert "over its max_memory" in busy
    assert "something_newer" in new, "of a newer server"
    assert "\x1b" not in new


def test_what_went_wrong_takes_the_place_of_the_keys() -> None:
    assert lines(fleet(BUSY), TopView(), 80, 24, "it can't be reached")[2] == "it can't be reached"


def press(view: TopView, keys: str) -> TopView:
    for key in keys:
        view = view.pressed(key)
    return view


@pytest.mark.parametrize(
    ("keys", "view"),
    [
        ("m", TopView(order="memory")),
        ("cmslwua", TopView(order="agent")),
        ("/cq", TopView(part="cq", typing=True)),
        ("/ab\x7fc\r", TopView(part="ac")),
        ("/ab\x1b", TopView()),
        ("/ab\nm\x1b", TopView(order="memory")),
        (" ", TopView(paused=True)),
        ("  ", TopView()),
        ("z?\t", TopView()),
        ("q", TopView(over=True)),
        ("\x04", TopView(over=True)),
        ("/\t\x00", TopView(typing=True)),
    ],
)
def test_keys_change_what_is_seen(keys: str, view: TopView) -> None:
    assert press(TopView(), keys) == view


def test_what_is_typed_is_no_longer_than_a_name() -> None:
    assert len(press(TopView(), "/" + "x" * 500).part) == 129
    assert "filter: xy_" in lines(fleet(BUSY), press(TopView(), "/xy"), 80, 24)[0]
