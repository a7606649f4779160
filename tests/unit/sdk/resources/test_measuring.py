"""Two looks at a process and its machine, made into what a beat says."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.protocol.codec import decode, encode
from agentic_atlas.protocol.messages import BEAT_BYTES, Beat, Limits
from agentic_atlas.sdk.resources.measuring import (
    FRESH,
    WINDOW,
    Container,
    Descendant,
    Gauge,
    Gpus,
    Measured,
    Sample,
    measured,
)


def taken(before: Sample, now: Sample) -> Measured:
    found = measured(before, now)
    assert found.resources is not None
    return found


def test_rates_are_of_the_time_between_and_all_else_of_the_later_look() -> None:
    before = Sample(at=10.0, cpu=1.0, busy=100.0, cores=4.0, machine_cores=4)
    now = Sample(
        at=20.0,
        cpu=6.0,
        memory=50_000_000,
        threads=7,
        open_files=12,
        cores=4.0,
        busy=120.0,
        machine_cores=4,
        memory_used=3,
        memory_total=8,
        load=1.234,
        disk_used=5,
        disk_total=9,
        gpus=Gpus(33.33, 2, 4),
        battery=80.04,
        on_battery=True,
    )
    found = taken(before, now)
    said = found.resources
    assert said is not None
    assert (found.cpu, found.memory, said.machine_cpu) == (50.0, 50_000_000, 50.0)
    assert (said.threads, said.open_files, said.cores, said.load) == (7, 12, 4.0, 1.23)
    assert (said.memory_used, said.memory_total, said.disk_used, said.disk_total) == (3, 8, 5, 9)
    assert (said.gpu, said.gpu_memory_used, said.gpu_memory_total) == (33.3, 2, 4)
    assert (said.battery, said.on_battery) == (80.0, True)


def test_children_count_with_what_they_took_since_whoever_has_their_number() -> None:
    before = Sample(at=0.0, children={1: Descendant(5.0, 10), 2: Descendant(9.0, 10), 9: Descendant(1.0, 1)})
    now = Sample(at=10.0, children={1: Descendant(6.0, 20), 2: Descendant(1.0, 30), 3: Descendant(2.0, 40)})
    said = taken(before, now).resources
    assert said is not None
    assert (said.children, said.children_cpu, said.children_memory) == (3, 40.0, 90), "1 + 1 + 2 seconds of ten"


def test_no_time_and_clocks_that_go_back_are_no_rate() -> None:
    one = Sample(at=5.0, cpu=3.0, busy=9.0, cores=1.0, machine_cores=1, children={1: Descendant(1.0, 1)})
    for before in (one, Sample(at=1.0, cpu=4.0, busy=10.0, cores=1.0, machine_cores=1)):
        found = taken(before, one)
        assert found.cpu == 0.0
        assert found.resources is not None
        assert found.resources.machine_cpu == 0.0


def test_the_machine_is_what_its_container_may_have() -> None:
    inside = Container(cores=0.5, cpu=10.0, memory_total=1_000, memory_used=400)
    before = Sample(at=0.0, cores=8.0, machine_cores=8, container=inside, memory_total=16_000, memory_used=9_000)
    now = Sample(
        at=10.0,
        cpu=2.0,
        cores=8.0,
        machine_cores=8,
        busy=70.0,
        container=inside._replace(cpu=14.0),
        memory_total=16_000,
        memory_used=9_000,
    )
    found = taken(before, now)
    said = found.resources
    assert said is not None
    assert (said.cores, said.machine_cpu, said.memory_used, said.memory_total) == (0.5, 80.0, 400, 1_000)
    assert found.all_cpu == 40.0, "2 of 10 seconds are two fifths of half a core"


def test_a_limit_above_what_the_machine_has_is_none() -> None:
    wide = Container(cores=16.0, cpu=1.0, memory_total=2**60, memory_used=7)
    one = Sample(at=0.0, cores=2.0, machine_cores=4, container=wide, memory_total=16, memory_used=9)
    now = Sample(at=1.0, busy=4.0, cores=2.0, machine_cores=4, container=wide, memory_total=16, memory_used=9)
    said = taken(one, now).resources
    assert said is not None
    assert (said.cores, said.memory_used, said.memory_total, said.machine_cpu) == (2.0, 9, 16, 100.0)


def test_what_is_not_known_is_nothing() -> None:
    assert (Measured().all_cpu, Measured(memory=3).all_memory) == (0.0, 3)
    assert taken(Sample(at=0.0), Sample(at=1.0)).all_cpu == 0.0


_counts = st.integers(min_value=0, max_value=2**50)
_seconds = st.floats(min_value=0, max_value=1e9)
_samples = st.builds(
    Sample,
    at=_seconds,
    cpu=_seconds,
    memory=_counts,
    threads=_counts,
    children=st.dictionaries(st.integers(1, 50), st.builds(Descendant, _seconds, st.integers(0, 2**40)), max_size=20),
    cores=st.floats(min_value=0, max_value=1e4),
    busy=_seconds,
    machine_cores=st.integers(0, 1_000),
    memory_total=_counts,
    gpus=st.none() | st.builds(Gpus, st.floats(0, 100), _counts, _counts),
    container=st.builds(
        Container, st.none() | st.floats(0.01, 1e4), st.none() | _seconds, st.none() | _counts, _counts
    ),
)


@given(_samples, _samples)
def test_any_two_looks_make_a_beat_that_the_router_takes(before: Sample, now: Sample) -> None:
    found = measured(before, now)
    beat = Beat(1, cpu=found.cpu, memory=found.memory, resources=found.resources)
    data = encode(beat)
    assert decode(data, Limits()) == beat
    assert len(data) < 1_024 < BEAT_BYTES


def looks(*seconds: float) -> Iterator[Sample]:
    for at in seconds:
        yield Sample(at=at, cpu=at * at)


def test_a_gauge_tells_of_some_ten_seconds_however_often_it_is_read() -> None:
    times = (0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0)
    coming = looks(*times)
    gauge = Gauge(lambda: next(coming))
    read = [gauge.read(now).cpu for now in times]
    assert read[1] == 200.0
    assert read[6] == 100.0 * (12.0**2 - 2.0**2) / WINDOW, "from ten seconds before on"
    assert read[7] == 100.0 * (14.0**2 - 4.0**2) / WINDOW


def test_a_gauge_that_is_read_seldom_tells_of_the_time_between() -> None:
    coming = looks(0.0, 30.0, 60.0)
    gauge = Gauge(lambda: next(coming))
    assert gauge.read(30.0).cpu == 3_000.0
    assert gauge.read(30.0 + FRESH / 2).cpu == 3_000.0, "not looked at again"
    assert gauge.read(60.0).cpu == 9_000.0
