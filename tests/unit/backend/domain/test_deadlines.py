import pytest

from agentic_atlas.backend.domain import deadlines, lifecycle
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import running, task


def test_a_task_without_limits_is_never_due() -> None:
    assert deadlines.due_at(task(), 100.0) is None
    assert deadlines.due_at(running(), 100.0) is None


@pytest.mark.parametrize(
    ("given", "due", "code", "state"),
    [
        (task(deadline=120.0), 120.0, "deadline_exceeded", TaskState.FAILED),
        (task(queue_expires_at=130.0), 130.0, "agent_offline", TaskState.FAILED),
        (running(deadline=120.0), 120.0 + deadlines.MARGIN, "deadline_exceeded", TaskState.FAILED),
        (running(timeout=10.0), 112.0 + deadlines.MARGIN, "timeout", TaskState.FAILED),
        (
            running(cancel_reason="enough", cancel_at=110.0),
            110.0 + deadlines.CANCEL_WITHIN,
            "canceled",
            TaskState.CANCELED,
        ),
    ],
)
def test_each_limit_ends_the_task_when_it_is_over_and_not_before(
    given: Task, due: float, code: str, state: TaskState
) -> None:
    assert deadlines.due_at(given, 100.0) == due
    assert deadlines.expire(given, due - 0.001) is None
    change = deadlines.expire(given, due)
    assert change is not None
    assert change.task.error is not None
    assert (change.task.state, change.task.error.code) == (state, code)


def test_the_earliest_limit_counts() -> None:
    assert deadlines.due_at(task(deadline=300.0, queue_expires_at=200.0), 100.0) == 200.0


def test_a_running_task_has_left_the_queue() -> None:
    assert deadlines.due_at(running(queue_expires_at=130.0), 100.0) is None


def test_a_task_that_waits_for_its_retry_is_due_then_but_does_not_end() -> None:
    waiting = task(not_before=150.0)
    assert deadlines.due_at(waiting, 100.0) == 150.0
    assert deadlines.expire(waiting, 150.0) is None


def test_a_retry_whose_time_has_come_is_not_looked_at_again_and_again() -> None:
    waiting = task(not_before=150.0, queue_expires_at=900.0)
    assert deadlines.due_at(waiting, 150.0) == 900.0


def test_an_ended_task_is_never_due() -> None:
    ended = lifecycle.complete(running(timeout=1.0, deadline=120.0), 1, b"1", 103.0)
    assert ended is not None
    assert deadlines.due_at(ended.task, 100.0) is None
    assert deadlines.expire(ended.task, 1e9) is None
