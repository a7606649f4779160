import asyncio
import math
import threading

import pytest

from agentic_atlas.protocol.messages import Event, EventKind, Limits
from agentic_atlas.sdk.forms.typed import TypeForm, encode_chunk
from agentic_atlas.sdk.skills.reports import LOG_BACKLOG, AttemptReports, plain_fields
from tests.unit.sdk.memory_wire import SECONDS, MemoryWire, events_of, make_task, raw, read


def made(*, window: int = 4, limits: Limits | None = None) -> tuple[AttemptReports, MemoryWire]:
    wire = MemoryWire(limits)
    return AttemptReports(make_task("skill"), wire, limits or Limits(), window=window), wire


@pytest.mark.parametrize(
    ("fraction", "shown"), [(0.5, 0.5), (0, 0.0), (-1, 0.0), (7, 1.0), (math.inf, 1.0), (math.nan, None), (None, None)]
)
async def test_progress_is_between_nothing_and_all(fraction: float | None, shown: float | None) -> None:
    reports, wire = made()
    reports.progress(fraction, "half way")
    assert events_of(wire.of(Event), EventKind.PROGRESS) == [{"fraction": shown, "message": "half way"}]


async def test_events_are_numbered_in_the_order_they_are_reported() -> None:
    reports, wire = made(window=10)
    reports.progress(0.1, None)
    reports.log("info", "a", {})
    reports.artifact({"name": "a"})
    assert [(event.n, event.kind.value) for event in wire.of(Event)] == [
        (1, "progress"),
        (2, "log"),
        (3, "artifact"),
    ]


async def test_of_the_progress_that_waits_only_the_latest_counts() -> None:
    reports, wire = made(window=1)
    for step in range(100):
        reports.progress(step / 100, None)
    reports.acknowledged(0)
    assert [told["fraction"] for told in events_of(wire.of(Event), EventKind.PROGRESS)] == [0.0, 0.99]


async def test_log_lines_wait_up_to_a_number_and_then_are_counted() -> None:
    reports, wire = made(window=1)
    for number in range(LOG_BACKLOG + 6):
        reports.log("info", f"line {number}", {})
    reports.close()
    lines = events_of(wire.of(Event), EventKind.LOG)
    assert [line["event"] for line in lines[:2]] == ["line 0", "line 1"]
    assert len(lines) == LOG_BACKLOG + 2
    assert lines[-1]["event"].startswith("5 reports were left out")


async def test_what_waits_precedes_the_result_and_nothing_follows_it() -> None:
    reports, wire = made(window=1)
    reports.log("info", "first", {})
    reports.log("info", "second", {})
    assert len(wire.posted) == 1
    reports.close()
    reports.log("info", "too late", {})
    reports.progress(1.0, None)
    reports.close()
    assert [line["event"] for line in events_of(wire.of(Event), EventKind.LOG)] == ["first", "second"]


async def test_a_chunk_comes_after_what_was_reported_before_it() -> None:
    reports, wire = made(window=1)
    reports.log("info", "first", {})
    reports.log("info", "second", {})
    wire.acknowledge = lambda task, attempt, pending: asyncio.get_running_loop().call_soon(reports.acknowledged, 0)
    reports.acknowledged(0)
    async with asyncio.timeout(SECONDS):
        await reports.chunk(raw("a"))
    assert [event.kind.value for event in wire.of(Event)] == ["log", "log", "chunk"]


async def test_an_attempt_never_has_more_events_than_it_may_and_says_that_some_are_missing() -> None:
    reports, wire = made(window=1_000, limits=Limits(events_per_task=30))
    for number in range(100):
        reports.log("info", str(number), {})
    assert reports.overflowed
    reports.close()
    assert len(wire.posted) <= 30
    assert read(wire.of(Event)[-1].data)["event"].startswith("74 reports were left out")


async def test_reports_from_many_threads_have_each_number_once() -> None:
    reports, wire = made(window=10_000)
    threads = [threading.Thread(target=lambda: [reports.log("info", "line", {}) for _ in range(100)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    assert [event.n for event in wire.of(Event)] == list(range(1, 801))


async def test_the_largest_chunk_still_is_an_event() -> None:
    limits = Limits(event_bytes=200)
    reports, wire = made(limits=limits)
    await reports.chunk(encode_chunk("x" * 182, TypeForm(str), limits))
    assert len(wire.of(Event)) == 1
    reports.log("info", "y" * 300, {})
    assert len(wire.of(Event)) == 1


def test_fields_are_bounded_json_values() -> None:
    class Thing:
        def __str__(self) -> str:
            return "a thing"

    fields = plain_fields(
        {"n": 1, "big": 2**80, "yes": True, "none": None, "x": 0.5, "thing": Thing(), "t": "a" * 2_000}
    )
    assert fields == {
        "n": 1, "big": str(2**80), "yes": True, "none": None, "x": 0.5, "thing": "a thing", "t": "a" * 999 + "…",
    }  # fmt: skip
    assert len(plain_fields({str(number): 1 for number in range(100)})) == 32
