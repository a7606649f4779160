"""Compares what callers were told, what handlers wrote, and what is in the database: nothing lost, nothing twice."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.ledgers import Executions
from tests.faults.submitters import Knows, Request

TERMINAL = frozenset({"completed", "failed", "canceled", "rejected"})


@dataclass
class Verdict:
    """What was found.

    Attributes:
        wrong: everything that contradicts a promise, a sentence each.
        outcomes: how many tasks ended how: the state, or the error's code.
        repeated: tasks whose handler started more than once.
    """

    wrong: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    def check(self) -> None:
        """Raise AssertionError when there is anything wrong."""
        more = f"\n… and {len(self.wrong) - 30} more" if len(self.wrong) > 30 else ""
        assert not self.wrong, "\n".join(self.wrong[:30]) + more


def judge(
    history: Sequence[Request],
    executions: Executions,
    database: Path,
    *,
    may_end: Iterable[str] = ("completed",),
    others: int = 0,
    shown: Mapping[str, tuple[str, int]] | None = None,
) -> Verdict:
    """Judge a run that is over.

    Args:
        history: what the callers know.
        executions: what the handlers wrote.
        database: of a server that was stopped.
        may_end: states and error codes that may have come of a task; `outcome_unknown` only of an at-most-once one.
        others: tasks that the test itself submitted.
        shown: state and last event's number of every task, as the API showed them in the end.
    """
    verdict = Verdict(repeated=len(executions.repeated))
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        tasks = {row["id"]: row for row in connection.execute("SELECT * FROM tasks")}
        _judge_answers(verdict, history, tasks, others)
        if shown is not None and shown != (kept := {id: (row["state"], row["last_seq"]) for id, row in tasks.items()}):
            verdict.wrong.append(
                f"the API shows {shown.items() - kept.items()}, kept is {kept.items() - shown.items()}"
            )
        for task in tasks.values():
            _judge_end(verdict, task, executions, frozenset(may_end))
            _judge_starts(verdict, task, executions)
            _judge_events(verdict, task, _events(connection, task["id"]))
    wanted = {request.key: request for request in history}
    for task in tasks.values():
        if task["state"] == "completed" and task["idempotency_key"] in wanted:
            _judge_output(verdict, task, wanted[task["idempotency_key"]])
    for unheard in executions.starts.keys() - tasks.keys():
        verdict.wrong.append(f"{unheard} was run, and is not known")
    return verdict


def _judge_answers(verdict: Verdict, history: Sequence[Request], tasks: dict[str, sqlite3.Row], others: int) -> None:
    by_key = Counter(task["idempotency_key"] for task in tasks.values())
    asked = {request.key for request in history}
    verdict.wrong += [f"{count} tasks have the key {key}" for key, count in by_key.items() if count > 1]
    if len(unasked := by_key.keys() - asked) != others:
        verdict.wrong.append(f"nobody asked for the tasks with the keys {unasked}")
    for request in history:
        if request.knows is Knows.ACKNOWLEDGED:
            task = tasks.get(request.task)
            if task is None or task["idempotency_key"] != request.key:
                verdict.wrong.append(f"{request.key} was acknowledged as {request.task}, and is lost")
        elif request.knows is Knows.FAILED:
            verdict.wrong.append(f"{request.key} was refused: {request.answers}")


def _judge_end(verdict: Verdict, task: sqlite3.Row, executions: Executions, may_end: frozenset[str]) -> None:
    end = task["error_code"] or task["state"]
    verdict.outcomes[end] += 1
    told = f"{task['id']} ({task['skill']}, attempt {task['attempt']})"
    if task["state"] not in TERMINAL:
        verdict.wrong.append(f"{told} is stuck in {task['state']}")
    elif end not in may_end:
        verdict.wrong.append(f"{told} ended {end}")
    elif end == "outcome_unknown" and task["delivery"] != "at_most_once":
        verdict.wrong.append(f"{told} ended {end}, and may be repeated")
    elif end == "completed" and not executions.ends[task["id"]]:
        verdict.wrong.append(f"{told} is completed, and no handler came to its end")


def _judge_starts(verdict: Verdict, task: sqlite3.Row, executions: Executions) -> None:
    starts = executions.starts[task["id"]]
    if task["delivery"] == "at_most_once" and starts > 1:
        verdict.wrong.append(f"{task['id']} is at most once, and started {starts} times")
    for attempt in range(1, task["attempt"] + 1):
        if (times := executions.attempts[task["id"], attempt]) > 1:
            verdict.wrong.append(f"{task['id']}, attempt {attempt}, started {times} times")


def _judge_events(verdict: Verdict, task: sqlite3.Row, events: list[tuple[int, str, Any]]) -> None:
    numbers = [seq for seq, _, _ in events]
    if numbers != list(range(1, task["last_seq"] + 1)):
        verdict.wrong.append(f"{task['id']} has the events {numbers}, and should have {task['last_seq']}")
    ends = [seq for seq, kind, data in events if kind == "state" and data["state"] in TERMINAL]
    if task["state"] in TERMINAL and ends != numbers[-1:]:
        verdict.wrong.append(f"{task['id']} of {len(numbers)} events has the ends {ends}")


def _judge_output(verdict: Verdict, task: sqlite3.Row, request: Request) -> None:
    output = json.loads(task["output"])
    if ("".join(output) if isinstance(output, list) else output) != request.digest:
        verdict.wrong.append(f"{task['id']} has the output of another task")


def _events(connection: sqlite3.Connection, task_id: str) -> list[tuple[int, str, Any]]:
    rows = connection.execute("SELECT seq, kind, data FROM events WHERE task_id = ? ORDER BY seq", (task_id,))
    return [(seq, kind, json.loads(data)) for seq, kind, data in rows]
