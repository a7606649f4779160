from __future__ import annotations

import pytest

from agentic_atlas.backend.domain.children import call_key, orphans
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import task

PARENT = task(id="tsk_p", state=TaskState.WORKING, attempt=2)
CHILD = task(id="tsk_c", parent_id="tsk_p", idempotency_key=call_key("tsk_p", 2, "call-1"))


def test_a_child_whose_calling_attempt_runs_is_no_orphan() -> None:
    assert list(orphans([PARENT, CHILD])) == []


@pytest.mark.parametrize(
    "parents",
    [
        [],
        [task(id="tsk_p", state=TaskState.SUBMITTED, attempt=2)],
        [task(id="tsk_p", state=TaskState.WORKING, attempt=3)],
        [task(id="tsk_p", state=TaskState.WORKING, attempt=2, cancel_reason="enough")],
    ],
    ids=["ended", "waits again", "another attempt", "is to stop"],
)
def test_a_child_whose_calling_attempt_does_not_run_any_more_is_one(parents: list[Task]) -> None:
    assert list(orphans([*parents, CHILD])) == [CHILD]


def test_a_task_that_nobody_called_is_none() -> None:
    assert list(orphans([task(), PARENT])) == []
