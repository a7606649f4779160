from __future__ import annotations

import msgspec
import pytest

from agentic_atlas.backend.domain import lifecycle, terms
from agentic_atlas.backend.domain.records import Payload, Task
from agentic_atlas.backend.domain.terms import MOST_PARTS, digest, effective
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.tasks import TaskOptions
from agentic_atlas.protocol.messages import Delivery, Policy
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import running, task

ONCE = Policy(delivery=Delivery.AT_MOST_ONCE)


def test_a_caller_who_asks_for_nothing_gets_the_policy_of_the_skill() -> None:
    policy = Policy(max_attempts=5, retries=2, backoff=0.5, timeout=60.0)
    assert effective(policy, TaskOptions()) == policy


def test_what_a_caller_asks_for_takes_the_place_of_what_the_skill_says() -> None:
    given = effective(Policy(retries=2, timeout=60.0), TaskOptions(max_attempts=1, retries=0, timeout=5.0))
    assert given == Policy(max_attempts=1, retries=0, timeout=5.0)


def test_a_caller_may_be_stricter_than_the_skill() -> None:
    given = effective(Policy(retries=2), TaskOptions(delivery="at_most_once"))
    assert given.delivery is Delivery.AT_MOST_ONCE
    assert given.retries == 0


@pytest.mark.parametrize("asked", [TaskOptions(delivery="at_least_once"), TaskOptions(retries=1)])
def test_a_caller_cannot_have_a_skill_run_twice_that_must_not(asked: TaskOptions) -> None:
    with pytest.raises(InvalidInput) as refused:
        effective(ONCE, asked)
    assert refused.value.code == "unsafe_policy"


class Asked(msgspec.Struct):
    skill: str
    priority: int = 0


SAME = digest(Asked("greet"), Payload(b'{"name":"Ada","at":{"x":1,"y":2}}'))


@pytest.mark.parametrize(
    "payload", [b'{"at":{"y":2,"x":1},"name":"Ada"}', b'{ "name": "\\u0041da", "at": {"x":1, "y":2} }']
)
def test_how_an_input_is_written_is_of_no_account(payload: bytes) -> None:
    assert digest(Asked("greet"), Payload(payload)) == SAME


def test_an_input_of_very_many_parts_has_to_be_written_the_same() -> None:
    payload = b'{"x":[' + b"[]," * MOST_PARTS + b"[]]}"
    assert digest(Asked("greet"), Payload(payload)) == digest(Asked("greet"), Payload(payload))
    assert digest(Asked("greet"), Payload(payload)) != digest(Asked("greet"), Payload(payload.replace(b",", b", ")))


@pytest.mark.parametrize(
    ("asked", "payload"),
    [
        (Asked("greet"), b'{"name":"Bob","at":{"x":1,"y":2}}'),
        (Asked("greet"), b'{"name":"Ada","at":{"x":2,"y":1}}'),
        (Asked("greet"), b'{"name":"Ada","at":[1,2]}'),
        (Asked("greet", 5), b'{"name":"Ada","at":{"x":1,"y":2}}'),
        (Asked("part"), b'{"name":"Ada","at":{"x":1,"y":2}}'),
    ],
)
def test_whatever_else_was_asked_for_counts(asked: Asked, payload: bytes) -> None:
    assert digest(asked, Payload(payload)) != SAME


def test_a_task_without_limits_is_never_due() -> None:
    assert terms.due_at(task(), 100.0) is None
    assert terms.due_at(running(), 100.0) is None


@pytest.mark.parametrize(
    ("given", "due", "code", "state"),
    [
        (task(deadline=120.0), 120.0, "deadline_exceeded", TaskState.FAILED),
        (task(queue_expires_at=130.0), 130.0, "agent_offline", TaskState.FAILED),
        (running(deadline=120.0), 120.0 + terms.MARGIN, "deadline_exceeded", TaskState.FAILED),
        (running(timeout=10.0), 112.0 + terms.MARGIN, "timeout", TaskState.FAILED),
        (
            running(cancel_reason="enough", cancel_at=110.0),
            110.0 + terms.CANCEL_WITHIN,
            "canceled",
            TaskState.CANCELED,
        ),
    ],
)
def test_each_limit_ends_the_task_when_it_is_over_and_not_before(
    given: Task, due: float, code: str, state: TaskState
) -> None:
    assert terms.due_at(given, 100.0) == due
    assert terms.expire(given, due - 0.001) is None
    change = terms.expire(given, due)
    assert change is not None
    assert change.task.error is not None
    assert (change.task.state, change.task.error.code) == (state, code)


def test_the_earliest_limit_counts() -> None:
    assert terms.due_at(task(deadline=300.0, queue_expires_at=200.0), 100.0) == 200.0


def test_a_running_task_has_left_the_queue() -> None:
    assert terms.due_at(running(queue_expires_at=130.0), 100.0) is None


def test_a_task_that_waits_for_its_retry_is_due_then_but_does_not_end() -> None:
    waiting = task(not_before=150.0)
    assert terms.due_at(waiting, 100.0) == 150.0
    assert terms.expire(waiting, 150.0) is None


def test_a_retry_whose_time_has_come_is_not_looked_at_again_and_again() -> None:
    waiting = task(not_before=150.0, queue_expires_at=900.0)
    assert terms.due_at(waiting, 150.0) == 900.0


def test_an_ended_task_is_never_due() -> None:
    ended = lifecycle.complete(running(timeout=1.0, deadline=120.0), 1, b"1", 103.0)
    assert ended is not None
    assert terms.due_at(ended.task, 100.0) is None
    assert terms.expire(ended.task, 1e9) is None
