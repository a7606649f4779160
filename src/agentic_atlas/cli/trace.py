"""`atlas trace`: a task, with all that called it and that it called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentic_atlas.cli import connection, ids, output, times
from agentic_atlas.cli.options import Json, TaskId

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceInfo, TraceTask


def show(*, task: TaskId, json: Json = False) -> None:
    """Show all tasks that belong to a task's trace, each below the one that called it, with their attempts."""

    async def work() -> TraceInfo:
        async with connection.connect() as atlas:
            return await atlas.tasks.trace(await ids.task(atlas, task))

    found = connection.run(work())
    if json:
        output.document(found)
        return
    rows = [row for one in found.tasks for row in _rows(one)]
    output.table(("task", "state", "waited", "took", "why"), rows, shrinks=("why",))
    if found.more:
        output.aside("There are older ones that are not shown.")


def _rows(one: TraceTask) -> list[tuple[str, ...]]:
    task, above = one.task, "│ " * one.depth
    began = next((attempt.accepted_at or attempt.began_at for attempt in one.attempts), None)
    waited = "" if began is None else times.took((began - task.created_at).total_seconds())
    took = "" if task.ended_at is None else times.took((task.ended_at - task.created_at).total_seconds())
    why = f"{task.error.code}: {task.error.message}" if task.error else ""
    branch = f"{'│ ' * (one.depth - 1)}└ " if one.depth else ""
    rows: list[tuple[str, ...]] = [(f"{branch}{task.agent}.{task.skill}", task.state, waited, took, why)]
    # One attempt is what the task is; more than one is why it took so long, as is one that was cut.
    for attempt in one.attempts:
        if len(one.attempts) > 1:
            rows.append(_attempt(attempt, above))
        rows += _cuts(attempt, above)
    return rows


def _attempt(attempt: TraceAttempt, above: str) -> tuple[str, ...]:
    lasted = "" if attempt.ended_at is None else times.took((attempt.ended_at - attempt.began_at).total_seconds())
    reason = f"{attempt.error.code}: {attempt.error.message}" if attempt.error else ""
    reason = f"given back: {attempt.returned}" if attempt.returned is not None else reason
    return f"{above}· attempt {attempt.number}", attempt.end or "goes on", "", lasted, reason


def _cuts(attempt: TraceAttempt, above: str) -> list[tuple[str, ...]]:
    """Return when the connection of its instance was lost."""
    rows: list[tuple[str, ...]] = []
    for cut in attempt.cuts:
        lasted = "" if cut.ended_at is None else times.took((cut.ended_at - cut.began_at).total_seconds())
        state = "cut" if cut.ended_at is None else "resumed" if cut.resumed else "never resumed"
        rows.append((f"{above}· connection cut", state, "", lasted, cut.why or ""))
    return rows
