"""The trace of a task as bars on one axis of time: when each waited, was delivered, ran, was cut, and asked people."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from agentic_atlas.platform.page import View
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceCut, TraceInfo, TraceTask

T = TypeVar("T")

MOST_ROWS: Final = 100
"""Tasks of a trace that are shown around the one that was asked for."""

MOST_DRAWN: Final = 60
"""Bars of one row that are drawn, and marks, its first and its last ones; of the task that was asked for all are."""

_MOST_INDENT: Final = 8
_TICKS: Final = 5
_TO_THE_LAST: Final = 0.97
"""Of the axis: what is written later would reach over its end."""
_DAY: Final = 86_400.0
_OF_CLOCKS: Final = (60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 21_600.0, 43_200.0, _DAY)
_NARROWEST: Final = 0.35
"""Percent of the axis: what took no time at all is seen, too."""
_NAMES: Final = {"queue": "waited", "delivery": "delivery", "run": "ran", "people": "waited for a person"}


class TimelineBar(View, frozen=True):
    """A stretch of time of one task.

    Attributes:
        kind: `queue`, `delivery`, `run`, `people` or `cut`.
        left: where it begins, in percent of the axis.
        width: likewise.
        told: what it is, and how long it took.
    """

    kind: str
    left: str
    width: str
    told: str


class TimelineMark(View, frozen=True):
    """Something that happened at one moment.

    Attributes:
        left: where, in percent of the axis.
        told: what.
    """

    left: str
    told: str


class TimelineRow(View, frozen=True):
    """One task.

    Attributes:
        id: its.
        agent: whom it was asked of.
        skill: what it was asked for.
        state: its.
        indent: how many tasks above called for it, at most eight.
        this: it is the one whose page this is.
        took: how long it took, or has so far.
        told: all bars in words.
        bars: in the order of time.
        marks: likewise.
    """

    id: str
    agent: str
    skill: str
    state: str
    indent: int
    this: bool
    took: str
    told: str
    bars: Sequence[TimelineBar]
    marks: Sequence[TimelineMark]


class TimelineTick(View, frozen=True):
    """A line across the axis.

    Attributes:
        left: where, in percent.
        told: how long after the beginning.
    """

    left: str
    told: str


class TimelineView(View, frozen=True):
    """A trace on one axis.

    Attributes:
        rows: its tasks, each below the one that called it.
        ticks: the axis.
        left_out: how many tasks of it are not shown.
        more: there are more than were counted.
    """

    rows: Sequence[TimelineRow]
    ticks: Sequence[TimelineTick]
    left_out: int
    more: bool


class _Axis:
    """Turns times into places."""

    def __init__(self, start: float, end: float) -> None:
        self.start = start
        self.span = max(end - start, 0.001)

    def place(self, at: float) -> float:
        return min(100.0, max(0.0, (at - self.start) / self.span * 100.0))


def timeline(trace: TraceInfo, task_id: str, now: datetime) -> TimelineView:
    """Return the timeline of a trace as it is seen from one of its tasks."""
    here = next((place for place, one in enumerate(trace.tasks) if one.task.id == task_id), 0)
    first = max(0, min(here - MOST_ROWS // 2, len(trace.tasks) - MOST_ROWS))
    shown = trace.tasks[first : first + MOST_ROWS]
    start = min(one.task.created_at.timestamp() for one in shown)
    end = max((one.task.ended_at or now).timestamp() for one in shown)
    axis = _Axis(start, end)
    return TimelineView(
        rows=[_row(one, task_id, axis, now) for one in shown],
        ticks=list(_ticks(axis)),
        left_out=len(trace.tasks) - len(shown),
        more=trace.more,
    )


Stretch = tuple[str, float, float]
"""Kind, beginning and end of something, in seconds since the epoch."""


def stretches(task: TraceTask, now: datetime) -> list[Stretch]:
    """Return what a task did when: `queue`, `delivery` and `run` follow each other; `people` lie within `run`."""
    ended = (task.task.ended_at or now).timestamp()
    found: list[Stretch] = []
    free = task.task.created_at.timestamp()
    for attempt in task.attempts:
        began = attempt.began_at.timestamp()
        found.append(("queue", free, began))
        free = ended if attempt.ended_at is None else attempt.ended_at.timestamp()
        found += _of_attempt(attempt, began, free)
    if not task.attempts or task.attempts[-1].ended_at is not None:
        found.append(("queue", free, ended))
    found += _for_people(task, ended)
    return [(kind, at, to) for kind, at, to in found if to > at or kind == "run"]


def run_time(began: float, ended: float, found: Sequence[Stretch]) -> float:
    """Return for how many seconds of a time a task ran and did not wait for people."""
    return (ended - began) - sum(
        max(0.0, min(ended, to) - max(began, at)) for kind, at, to in found if kind == "people"
    )


def cuts(task: TraceTask, now: datetime) -> list[tuple[Stretch, str]]:
    """Return when the connection of a task's instance was lost while it had an attempt, each with what came of it."""
    found = []
    for attempt in task.attempts:
        for cut in attempt.cuts:
            began = max(cut.began_at, attempt.began_at).timestamp()
            over = (cut.ended_at or now).timestamp()
            found.append((("cut", began, max(began, over)), cut_words(cut, now)))
    return found


def cut_words(cut: TraceCut, now: datetime) -> str:
    """Tell how long a connection was lost, and whether it came back."""
    took = duration(((cut.ended_at or now) - cut.began_at).total_seconds())
    if cut.ended_at is None:
        return f"cut for {took} so far"
    return f"cut {took}, {'resumed' if cut.resumed else 'never resumed'}"


def _of_attempt(attempt: TraceAttempt, began: float, ended: float) -> Iterator[Stretch]:
    accepted = ended if attempt.accepted_at is None else attempt.accepted_at.timestamp()
    yield "delivery", began, accepted
    if attempt.accepted_at is not None:
        yield "run", accepted, ended


def _for_people(task: TraceTask, ended: float) -> Iterator[Stretch]:
    """Yield when a task had at least one question that was open."""
    asked: list[float] = []
    for step in task.steps:
        if step.kind == "question":
            asked.append(step.at.timestamp())
        elif step.kind == "answer" and asked:
            since = asked.pop()
            if not asked:
                yield "people", since, step.at.timestamp()
    if asked:
        yield "people", asked[0], ended


def _row(one: TraceTask, task_id: str, axis: _Axis, now: datetime) -> TimelineRow:
    task = one.task
    found = stretches(one, now)
    people = [stretch for stretch in found if stretch[0] == "people"]
    lost = cuts(one, now)
    artifacts = [step for step in one.steps if step.kind == "artifact"]
    if task.id != task_id:
        found, lost, artifacts = _ends(found), _ends(lost), _ends(artifacts)
    told = [*((stretch, _words(stretch, people)) for stretch in found), *lost]
    return TimelineRow(
        id=task.id,
        agent=task.agent,
        skill=task.skill,
        state=task.state,
        indent=min(one.depth, _MOST_INDENT),
        this=task.id == task_id,
        took=duration((task.ended_at or now).timestamp() - task.created_at.timestamp()),
        told=f"{task.agent} {task.skill}: {', '.join(words for _, words in told) or 'just begun'}",
        bars=[_bar(stretch, words, axis) for stretch, words in told],
        marks=[TimelineMark(left=_percent(axis.place(step.at.timestamp())), told=step.kind) for step in artifacts],
    )


def _words(stretch: Stretch, found: Sequence[Stretch]) -> str:
    kind, at, to = stretch
    return f"{_NAMES[kind]} {duration(run_time(at, to, found) if kind == 'run' else to - at)}"


def _ends(many: list[T]) -> list[T]:
    """Return the first and the last of very many."""
    return many if len(many) <= MOST_DRAWN else many[: MOST_DRAWN // 2] + many[-MOST_DRAWN // 2 :]


def _bar(stretch: Stretch, told: str, axis: _Axis) -> TimelineBar:
    kind, at, to = stretch
    left = axis.place(at)
    width = max(axis.place(to) - left, _NARROWEST)
    return TimelineBar(kind=kind, left=_percent(min(left, 100.0 - width)), width=_percent(width), told=told)


def _ticks(axis: _Axis) -> Iterator[TimelineTick]:
    """Yield lines at round times."""
    step = _round_step(axis.span / _TICKS)
    for number in range(math.floor(axis.span / step * _TO_THE_LAST) + 1):
        at = number * step
        yield TimelineTick(left=_percent(at / axis.span * 100.0), told=duration(at) if number else "0")


def _round_step(least: float) -> float:
    """Return the next of 1, 2 and 5 times a power of ten seconds, or days; between them the steps that clocks have."""
    for step in _OF_CLOCKS:
        if step / 2 < least <= step:
            return step
    unit = _DAY if least > _DAY else 1.0
    power = unit * 10.0 ** math.floor(math.log10(least / unit))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= least)


def _percent(value: float) -> str:
    return f"{value:.2f}%"
