"""`atlas trace`: a task, with all that called it and that it called."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from agentic_atlas.cli import connection, ids, output, times
from agentic_atlas.cli.options import Json, TaskId

if TYPE_CHECKING:
    from datetime import datetime

    from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceInfo, TraceTask

_SPENT: Final = ("queue", "link", "run", "link and run")


def show(*, task: TaskId, json: Json = False) -> None:
    """Show all tasks that belong to a task's trace, each below the one that called it, with their attempts.

    What a task's time was spent on: `queue`, waiting for a free instance; `link`, on its way to one until it was begun;
    `run`, in the skill and until its end was stored. Of what was done before it was told to be begun, `link and run`.
    """

    async def work() -> TraceInfo:
        async with connection.connect() as atlas:
            return await atlas.tasks.trace(await ids.task(atlas, task))

    found = connection.run(work())
    if json:
        output.document(found)
        return
    first = min(one.task.created_at for one in found.tasks)
    rows = [row for one in found.tasks for row in _rows(one, first)]
    output.table(("task", "state", "after", "took", "spent on", "why"), rows, shrinks=("why",))
    if found.more:
        output.aside("There are older ones that are not shown.")


def _rows(one: TraceTask, first: datetime) -> list[tuple[str, ...]]:
    task, above = one.task, "│ " * one.depth
    after = times.took((task.created_at - first).total_seconds())
    took = "" if task.ended_at is None else times.took((task.ended_at - task.created_at).total_seconds())
    why = f"{task.error.code}: {task.error.message}" if task.error else ""
    branch = f"{'│ ' * (one.depth - 1)}└ " if one.depth else ""
    rows: list[tuple[str, ...]] = [(f"{branch}{task.agent}.{task.skill}", task.state, after, took, _spent(one), why)]
    # One attempt is what the task is; more than one is why it took so long, as is one that was cut.
    for attempt in one.attempts:
        if len(one.attempts) > 1:
            rows.append(_attempt(attempt, above, first))
        rows += _cuts(attempt, above, first)
    return rows


def _spent(one: TraceTask) -> str:
    """Return what a task's time was spent on, all its attempts together."""
    spent: Counter[str] = Counter()
    free = one.task.created_at
    for attempt in one.attempts:
        spent["queue"] += _between(free, attempt.began_at)
        spent += _spent_in(attempt)
        free = attempt.ended_at or attempt.began_at
    if not one.attempts and one.task.ended_at is not None:
        spent["queue"] = _between(free, one.task.ended_at)
    return _told(spent)


def _told(spent: Counter[str]) -> str:
    return ", ".join(f"{name} {times.took(spent[name] / 1e6)}" for name in _SPENT if spent[name])


def _spent_in(attempt: TraceAttempt) -> Counter[str]:
    # A result says as well that the task was begun: both are stored as of the same moment then.
    if attempt.accepted_at is None or attempt.accepted_at == attempt.ended_at:
        return Counter({"link and run": _between(attempt.began_at, attempt.ended_at)})
    link, run = _between(attempt.began_at, attempt.accepted_at), _between(attempt.accepted_at, attempt.ended_at)
    return Counter({"link": link, "run": run})


def _between(earlier: datetime, later: datetime | None) -> int:
    """Return the microseconds from one time to another; 0 for what goes on."""
    return 0 if later is None else max(0, round((later - earlier).total_seconds() * 1e6))


def _attempt(attempt: TraceAttempt, above: str, first: datetime) -> tuple[str, ...]:
    lasted = "" if attempt.ended_at is None else times.took((attempt.ended_at - attempt.began_at).total_seconds())
    after = times.took((attempt.began_at - first).total_seconds())
    reason = f"{attempt.error.code}: {attempt.error.message}" if attempt.error else ""
    reason = f"given back: {attempt.returned}" if attempt.returned is not None else reason
    return (
        f"{above}· attempt {attempt.number}",
        attempt.end or "goes on",
        after,
        lasted,
        _told(_spent_in(attempt)),
        reason,
    )


def _cuts(attempt: TraceAttempt, above: str, first: datetime) -> list[tuple[str, ...]]:
    """Return when the connection of its instance was lost."""
    rows: list[tuple[str, ...]] = []
    for cut in attempt.cuts:
        lasted = "" if cut.ended_at is None else times.took((cut.ended_at - cut.began_at).total_seconds())
        after = times.took((cut.began_at - first).total_seconds())
        state = "cut" if cut.ended_at is None else "resumed" if cut.resumed else "never resumed"
        rows.append((f"{above}· connection cut", state, after, lasted, "", cut.why or ""))
    return rows
