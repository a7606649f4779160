"""When an agent takes no new tasks: read from its options, kept with some slack, said in a sentence."""

from __future__ import annotations

from typing import Any

import pytest

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Resources
from agentic_atlas.sdk.environment import PAUSE_VARIABLES
from agentic_atlas.sdk.resources.measuring import Measured
from agentic_atlas.sdk.resources.pausing import PauseOptions, PauseRules, Pausing, rules, variables

NOON = 12 * 60


def of(**options: Any) -> PauseRules:
    return rules(variables(PauseOptions(**options)))


def at(memory: int = 0, cpu: float = 0.0, **resources: Any) -> Measured:
    return Measured(cpu, memory, Resources(**{"cores": 2.0, "memory_total": 1_000, **resources}))


@pytest.mark.parametrize(
    ("options", "read"),
    [
        ({}, PauseRules()),
        ({"max_memory": 500}, PauseRules(memory_bytes=500)),
        ({"max_memory": "1.5 GB"}, PauseRules(memory_bytes=1_500_000_000)),
        ({"max_memory": "2GiB"}, PauseRules(memory_bytes=2**31)),
        ({"max_memory": "512m"}, PauseRules(memory_bytes=512_000_000)),
        ({"max_memory": "25%"}, PauseRules(memory_percent=25.0)),
        ({"max_cpu": 50}, PauseRules(cpu_percent=50.0)),
        ({"max_cpu": 12.5}, PauseRules(cpu_percent=12.5)),
        ({"pause_on_battery": True}, PauseRules(on_battery=True)),
        ({"pause_on_battery": False}, PauseRules()),
        ({"quiet_hours": "22:00-07:00"}, PauseRules(quiet=((1_320, 420),))),
        ({"quiet_hours": "8:30 - 9:15, 0:00-24:00"}, PauseRules(quiet=((510, 555), (0, 1_440)))),
    ],
)
def test_options_are_read_as_their_variables_are(options: dict[str, Any], read: PauseRules) -> None:
    assert of(**options) == read
    assert read.any is (read != PauseRules())
    assert set(variables(PauseOptions(**options))) <= set(PAUSE_VARIABLES)  # type: ignore[typeddict-item]  # a test's


def test_each_option_has_a_variable() -> None:
    assert [f"ATLAS_{name.upper()}" for name in PauseOptions.__annotations__] == list(PAUSE_VARIABLES)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(({"max_memory": one}, "max_memory") for one in ("much", 0, "0%", "101%", "-5", "2 GB or so", "1e9")),
        *(({"max_cpu": one}, "max_cpu") for one in (0, 101, -1, "half", float("nan"))),
        ({"pause_on_battery": "perhaps"}, "pause_on_battery"),
        *(
            ({"quiet_hours": one}, "quiet_hours")
            for one in ("night", "22:00", "7:00-7:00", "25:00-26:00", "24:30-3:00")
        ),
    ],
)
def test_what_cant_be_read_is_one_sentence_that_names_it(options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{named} \(ATLAS_{named.upper()}\)"):
        of(**options)


def test_it_comes_back_a_little_below_its_limit() -> None:
    pausing = Pausing(of(max_memory=1_000))
    seen = [(pausing.look(at(memory), NOON), pausing.reason) for memory in (1_000, 1_001, 950, 901, 900, 950, 1_001)]
    assert seen == [
        (False, None),
        (True, "memory"),
        (False, "memory"),
        (False, "memory"),
        (True, None),
        (False, None),
        (True, "memory"),
    ]
    assert "max_memory" in pausing.why


def test_memory_of_children_counts_and_a_part_is_of_what_there_is() -> None:
    pausing = Pausing(of(max_memory="50%"))
    assert pausing.look(at(300, children_memory=201), NOON)
    assert pausing.reason == "memory"
    assert not Pausing(of(max_memory="50%")).look(Measured(memory=10**12), NOON), "of a total that nobody knows"


def test_the_processor_is_counted_in_all_its_cores() -> None:
    pausing = Pausing(of(max_cpu=50))
    for cpu, children, paused in ((99.0, 0.0, False), (60.0, 41.0, True), (81.0, 0.0, True), (80.0, 0.0, False)):
        pausing.look(at(cpu=cpu, children_cpu=children), NOON)
        assert (pausing.reason == "cpu") is paused


def test_power_and_the_time_of_day() -> None:
    pausing = Pausing(of(pause_on_battery=True, quiet_hours="22:00-07:00,12:00-13:00"))
    when = {
        (False, 21 * 60 + 59): None,
        (False, 22 * 60): "quiet_hours",
        (False, 0): "quiet_hours",
        (False, 7 * 60): None,
        (False, NOON): "quiet_hours",
        (False, NOON + 60): None,
        (True, NOON + 60): "battery",
        (True, NOON): "battery",
    }
    for (on_battery, minute), reason in when.items():
        pausing.look(at(battery=50.0, on_battery=on_battery), minute)
        assert (pausing.reason, bool(pausing.why)) == (reason, reason is not None)


def test_the_next_reason_holds_when_the_first_is_gone() -> None:
    pausing = Pausing(of(max_memory=100, quiet_hours="12:00-13:00"))
    assert pausing.look(at(200), NOON)
    assert pausing.reason == "memory"
    assert pausing.look(at(10), NOON)
    assert pausing.reason == "quiet_hours"
    assert pausing.look(at(10), NOON + 60)
    assert pausing.reason is None


def test_without_limits_nothing_holds_it_up() -> None:
    pausing = Pausing(PauseRules())
    assert not pausing.look(at(10**12, 10**5, on_battery=True), 0)
    assert pausing.reason is None
