"""The limits in force are those of the settings, each with its unit, what sets it, and what it means."""

from __future__ import annotations

from agentic_atlas.compose.limits import PARTS, limits_of
from agentic_atlas.settings import OF_PARTS, read


def test_a_limit_is_in_force_as_it_is_set_and_says_what_it_is() -> None:
    settings = read({"queue_per_agent": 7, "message_bytes": 400_000, "grace": 5}, {"HOME": "/home/ada"})
    found = {f"{one.part}.{one.name}": one for one in limits_of(settings)}
    queue = found["OpenLimits.queue_per_agent"]
    assert (queue.value, queue.default, queue.unit, queue.variable) == (7, 20_000, "", "ATLAS_QUEUE_PER_AGENT")
    assert queue.meaning.startswith("Most tasks that wait for one agent")
    assert (found["Limits.payload_bytes"].value, found["Limits.payload_bytes"].unit) == (300_000, "bytes")
    assert (found["RouterSettings.grace"].value, found["RouterSettings.grace"].unit) == (5, "seconds")
    assert found["EngineSettings.requests_per_second"].unit == "a second"
    assert found["Limits.open_tasks"].variable == "", "that of the network is another one"


def test_every_limit_that_can_be_set_is_among_them() -> None:
    found = {one.name: one for one in limits_of(read({}, {"HOME": "/home/ada"})) if one.variable}
    assert found.keys() == {name for name, (part, _) in OF_PARTS.items() if part in PARTS} == OF_PARTS.keys()
    assert [name for name, one in found.items() if one.value != one.default or not one.meaning] == []
