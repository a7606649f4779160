"""The processes that take most are found, whatever begins and ends meanwhile."""

from __future__ import annotations

from machine.processes import cpu_between, first, line
from machine_samples import facts


def test_cpu_is_what_a_process_used_in_between() -> None:
    before = [facts(1, cpu=10.0), facts(2, cpu=5.0), facts(3, cpu=1.0), facts(4, cpu=None), facts(6, cpu=3.0)]
    now = [
        facts(1, cpu=11.0),
        facts(2, cpu=5.0),
        facts(3, cpu=0.5, started=9.0),  # another process with the same number
        facts(4, cpu=1.0),
        facts(5, cpu=0.25, started=9.0),
        facts(6, cpu=None),
    ]
    assert cpu_between(before, now, 0.5) == {1: 200.0, 2: 0.0, 3: 100.0, 5: 50.0}
    assert cpu_between(before, now, 0.0) == {}


def test_they_are_ordered_by_what_is_asked_for() -> None:
    listed = [facts(1, memory=5), facts(2, memory=9), facts(3, memory=None), facts(4, memory=7, started=0.5)]
    cpu = {1: 50.0, 2: 50.0, 4: 50.0}
    assert [one.pid for one in first(listed, cpu, "cpu", 9)] == [2, 4, 1, 3]
    assert [one.pid for one in first(listed, {3: 99.0}, "memory", 3)] == [2, 4, 1]
    assert [one.pid for one in first(listed, {3: 99.0}, "cpu", 1)] == [3]


def test_a_line_has_no_command_unless_it_is_given() -> None:
    told = line(facts(7, memory=1_000, started=90.0, name="worker"), 12.5, now=100.4, command=None)
    assert told.model_dump() == {
        "pid": 7,
        "name": "worker",
        "user": "ann",
        "cpu_percent": 12.5,
        "memory_bytes": 1_000,
        "age_seconds": 10,
        "command_line": None,
    }
    shown = line(facts(7), None, 100.0, ["worker", "--token", "sesame"])
    assert shown.command_line == "worker --token [hidden]"


def test_a_program_that_writes_its_arguments_into_its_name_gives_nothing_away() -> None:
    told = line(facts(7, name="worker --password=sesame\n" + "x" * 100), None, 100.0, None)
    assert "sesame" not in told.name
    assert len(told.name) <= 64 and told.name.isprintable()
