"""The trace of a task as bars: what it did when, on one axis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentic_atlas.platform.task.attempts import attempt_rows, times
from agentic_atlas.platform.task.timeline import MOST_DRAWN, MOST_ROWS, stretches, timeline
from agentic_atlas.protocol.caller.tasks import CallerInfo, TaskSummary
from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceCut, TraceInfo, TraceStep, TraceTask
from agentic_atlas.protocol.caller.values import ErrorInfo

START = datetime(2026, 11, 30, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def summary(task_id: str = "tsk_1", ended: float | None = None, **more: Any) -> TaskSummary:
    given: dict[str, Any] = {
        "id": task_id, "agent": "ada/desk", "skill": "plan", "state": "working" if ended is None else "completed",
        "input_bytes": 2, "output_bytes": None, "error": None, "caller": CallerInfo(kind="user", id="u", name="ada"),
        "created_at": START, "updated_at": START, "ended_at": None if ended is None else at(ended), "deadline": None,
        "timeout": None, "priority": 0, "delivery": "at_least_once", "retries": 0, "max_attempts": 3,
        "waits_until": None, "attempt": 1, "parent_id": None, "retry_of": None, "trace_id": "0" * 32,
        "instance_id": None, "last_seq": 1, "cancel_requested": False,
    }  # fmt: skip
    return TaskSummary(**(given | more))


def attempt(number: int, began: float, accepted: float | None, ended: float | None, **more: Any) -> TraceAttempt:
    given: dict[str, Any] = {
        "number": number, "instance_id": "ins_1", "host": "box", "began_at": at(began),
        "accepted_at": None if accepted is None else at(accepted), "ended_at": None if ended is None else at(ended),
        "end": None if ended is None else "completed", "error": None,
    }  # fmt: skip
    return TraceAttempt(**(given | more))


def step(kind: str, when: float) -> TraceStep:
    return TraceStep(seq=1, at=at(when), kind=kind, attempt=1)


def traced(task: TaskSummary, *attempts: TraceAttempt, depth: int = 0, steps: tuple[TraceStep, ...] = ()) -> TraceTask:
    return TraceTask(task=task, depth=depth, attempts=list(attempts), steps=list(steps))


def told(task: TraceTask, now: float) -> list[tuple[str, float, float]]:
    begun = START.timestamp()
    return [(kind, since - begun, to - begun) for kind, since, to in stretches(task, at(now))]


def test_what_a_task_did_follows_each_other() -> None:
    lost = attempt(1, 1, 2, 4, end="submitted", error=ErrorInfo(code="agent_lost", message="gone"))
    task = traced(summary(ended=9), lost, attempt(2, 6, 7, 9))
    assert told(task, 20) == [
        ("queue", 0, 1), ("delivery", 1, 2), ("run", 2, 4), ("queue", 4, 6), ("delivery", 6, 7), ("run", 7, 9),
    ]  # fmt: skip


def cut(began: float, ended: float | None, *, resumed: bool = True) -> TraceCut:
    return TraceCut(began_at=at(began), ended_at=None if ended is None else at(ended), resumed=resumed, why="cut")


def test_when_the_connection_was_cut_is_hatched_and_told() -> None:
    first = attempt(1, 1, 2, 40, cuts=(cut(3, 5.1), cut(8, 40, resumed=False)))
    task = traced(summary(ended=50), first, attempt(2, 41, 42, None, cuts=(cut(45, None),)))
    (row,) = timeline(TraceInfo(trace_id="", tasks=[task], more=False), "tsk_1", at(49)).rows
    hatched = [(bar.left, bar.width, bar.told) for bar in row.bars if bar.kind == "cut"]
    assert hatched == [
        ("6.00%", "4.20%", "cut 2.1 s, resumed"),
        ("16.00%", "64.00%", "cut 32 s, never resumed"),
        ("90.00%", "8.00%", "cut for 4 s so far"),
    ]
    assert row.told.endswith("cut 2.1 s, resumed, cut 32 s, never resumed, cut for 4 s so far")
    assert [one.cuts for one in attempt_rows(task, at(49))] == [
        ["cut 2.1 s, resumed", "cut 32 s, never resumed"],
        ["cut for 4 s so far"],
    ]
    assert times(task, at(49)).cut == "38.1 s"


def test_an_attempt_that_was_cut_very_often_tells_of_the_last_times() -> None:
    often = attempt(1, 1, 2, None, cuts=tuple(cut(n, n + 0.5) for n in range(3, 1_015)))
    (row,) = attempt_rows(traced(summary(), often), at(2_000))
    assert row.cuts == ["1,002 before", *["cut 500 ms, resumed"] * 10]


ENDS = [
    ("submitted", ErrorInfo(code="agent_lost", message="its process has ended"), None,
     "tried again", "agent_lost: its process has ended"),
    ("submitted", None, "draining", "given back", "given back: the instance is about to end"),
    ("submitted", None, "busy", "given back", "given back: the instance had no time for it"),
    ("submitted", None, "unknown_skill", "given back", "given back: the instance does not have this skill"),
    ("submitted", None, "guard", "given back", "given back: the skill's guard did not take it there"),
    ("submitted", ErrorInfo(code="handler_error", message="x"), None, "tried again", "handler_error: x"),
    ("failed", ErrorInfo(code="timeout", message="too long"), None, "failed", "timeout: too long"),
    ("canceled", ErrorInfo(code="canceled", message="by ada"), None, "canceled", "by ada"),
    ("completed", None, None, "completed", ""),
]  # fmt: skip


@pytest.mark.parametrize(("state", "error", "returned", "end", "reason"), ENDS)
def test_every_end_of_an_attempt_has_its_reason(
    state: str, error: ErrorInfo | None, returned: str | None, end: str, reason: str
) -> None:
    ended = attempt(1, 1, 2, 3, end=state, error=error, returned=returned)
    (row,) = attempt_rows(traced(summary(), ended), at(9))
    assert (row.end, row.reason) == (end, reason)


@pytest.mark.parametrize(
    ("attempts", "found"),
    [
        ((), [("queue", 0, 8)]),
        ((attempt(1, 1, None, None),), [("queue", 0, 1), ("delivery", 1, 8)]),
        ((attempt(1, 1, 2, None),), [("queue", 0, 1), ("delivery", 1, 2), ("run", 2, 8)]),
        (
            (attempt(1, 1, None, 3, end="submitted"),),
            [("queue", 0, 1), ("delivery", 1, 3), ("queue", 3, 8)],
        ),
    ],
)
def test_what_goes_on_lasts_until_now(attempts: tuple[TraceAttempt, ...], found: list[object]) -> None:
    assert told(traced(summary(), *attempts), 8) == found


def test_it_waits_for_people_from_the_first_question_to_the_last_answer() -> None:
    steps = (step("question", 2), step("question", 3), step("answer", 4), step("answer", 5), step("question", 7))
    task = traced(summary(), attempt(1, 0, 1, None), steps=steps)
    assert [one for one in told(task, 9) if one[0] == "people"] == [("people", 2, 5), ("people", 7, 9)]


def test_bars_lie_on_the_axis_of_the_whole_trace() -> None:
    child = traced(summary("tsk_2", 8, created_at=at(4)), attempt(1, 4, 4, 8), depth=1, steps=(step("artifact", 5),))
    trace = TraceInfo(trace_id="0" * 32, tasks=[traced(summary(ended=10), attempt(1, 0, 2, 10)), child], more=False)
    seen = timeline(trace, "tsk_1", at(100))
    assert [[(bar.kind, bar.left, bar.width) for bar in row.bars] for row in seen.rows] == [
        [("delivery", "0.00%", "20.00%"), ("run", "20.00%", "80.00%")],
        [("run", "40.00%", "40.00%")],
    ]
    assert [(row.indent, row.this, row.took) for row in seen.rows] == [(0, True, "10 s"), (1, False, "4 s")]
    assert seen.rows[0].told == "ada/desk plan: delivery 2 s, ran 8 s"
    assert [(mark.left, mark.told) for mark in seen.rows[1].marks] == [("50.00%", "artifact")]
    assert [tick.told for tick in seen.ticks] == ["0", "2 s", "4 s", "6 s", "8 s"]


def test_what_took_no_time_is_seen_and_stays_on_the_axis() -> None:
    (row,) = timeline(TraceInfo(trace_id="", tasks=[traced(summary(ended=0), attempt(1, 0, 0, 0))], more=False),
                      "tsk_1", at(0)).rows  # fmt: skip
    (bar,) = row.bars
    assert (bar.left, bar.width) == ("0.00%", "0.35%")


def test_of_many_tasks_those_around_the_one_are_shown() -> None:
    many = [traced(summary(f"tsk_{number}", 1)) for number in range(1_000)]
    seen = timeline(TraceInfo(trace_id="", tasks=many, more=True), "tsk_700", at(1))
    assert (len(seen.rows), seen.left_out, seen.more) == (MOST_ROWS, 900, True)
    assert [row.id for row in seen.rows if row.this] == ["tsk_700"]


@pytest.mark.parametrize(
    ("span", "step"), [(0.004, "1.0 ms"), (1, "200 ms"), (45, "10 s"), (400, "2 min"), (9e5, "5 d")]
)
def test_the_axis_has_a_few_lines_at_round_times(span: float, step: str) -> None:
    seen = timeline(TraceInfo(trace_id="", tasks=[traced(summary(ended=span))], more=False), "tsk_1", at(0))
    assert seen.ticks[1].told == step
    assert 2 <= len(seen.ticks) <= 6


def test_times_add_up_what_all_attempts_took() -> None:
    lost = attempt(1, 1, 2, 4, end="submitted", error=ErrorInfo(code="agent_lost", message="gone"))
    task = traced(summary(ended=9), lost, attempt(2, 6, 7, 9), steps=(step("question", 7), step("answer", 8)))
    found = times(task, at(20))
    assert (found.took, found.waited, found.delivery, found.ran, found.people) == ("9 s", "3 s", "2 s", "3 s", "1 s")
    assert [one.ran for one in attempt_rows(task, at(20))] == ["2 s", "1 s"]
    none = times(traced(summary()), at(3))
    assert (none.took, none.waited, none.delivery, none.ran, none.people) == ("3 s", "3 s", "", "", "")


def test_an_attempt_says_why_it_ended() -> None:
    lost = attempt(1, 1, 2, 4, end="submitted", error=ErrorInfo(code="agent_lost", message="gone\u202e"))
    first, second = attempt_rows(traced(summary(), lost, attempt(2, 6, None, None)), at(9))
    assert (first.end, first.reason, first.delivery, first.ran) == (
        "tried again", "agent_lost: gone\\u202e", "1 s", "2 s",
    )  # fmt: skip
    assert (second.end, second.reason, second.delivery, second.ran) == ("", "", "", "")


def test_of_a_row_of_very_many_bars_the_first_and_the_last_are_drawn() -> None:
    busy = [attempt(n, n * 3 + 0.5, n * 3 + 1, n * 3 + 2, end="submitted") for n in range(80)]
    marks = tuple(step("artifact", n) for n in range(250))
    tasks = [traced(summary(f"tsk_{n}", ended=900), *busy, steps=marks) for n in range(3)]
    rows = timeline(TraceInfo(trace_id="0" * 32, tasks=tasks, more=False), "tsk_1", at(900)).rows
    assert [(len(row.bars), len(row.marks)) for row in rows] == [
        (MOST_DRAWN, MOST_DRAWN),
        (241, 250),
        (MOST_DRAWN,) * 2,
    ]
    assert (rows[0].bars[0], rows[0].bars[-1]) == (rows[1].bars[0], rows[1].bars[-1])
