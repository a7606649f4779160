"""Tasks to begin from, for the tests of the domain."""

from typing import Any

import msgspec

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TaskState

CALLER = CallerRef("api_key", "key_1", "usr_1", "ada/laptop")


def task(**changes: Any) -> Task:
    """Return a task that was just submitted, with these fields changed."""
    fresh = Task(
        id="tsk_1",
        agent_id="agt_1",
        agent="ada/hello",
        skill="greet",
        state=TaskState.SUBMITTED,
        input=b"{}",
        caller=CALLER,
        owner_id="usr_1",
        created_at=100.0,
        updated_at=100.0,
        trace="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
        delivery=Delivery.AT_LEAST_ONCE,
        max_attempts=3,
        retries=0,
        backoff=1.0,
        timeout=None,
        deadline=None,
        queue_expires_at=None,
    )
    return msgspec.structs.replace(fresh, **changes)


def must(change: Change | None) -> Task:
    """Return the task as the change leaves it."""
    assert change is not None
    return change.task


def running(**changes: Any) -> Task:
    """Return a task whose first attempt was accepted by `ins_1`."""
    claimed = must(lifecycle.claim(task(**changes), "ins_1", 101.0))
    return must(lifecycle.accept(claimed, claimed.attempt, 102.0))
