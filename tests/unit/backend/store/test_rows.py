"""Tasks as rows: no field is lost, and an update writes all that a change can touch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import EventKind, Task, TaskError
from agentic_atlas.backend.store.rows import CHANGING, INSERTED, READ, UPDATED, inserted_row, same_request, updated_row
from agentic_atlas.protocol.messages import Delivery, Question
from tests.conformance.store.samples import NOW, claimed, submitted

ERROR = TaskError("handler_error", "it broke")


def working(**changes: object) -> Task:
    change = claimed(submitted(1, **changes).task)
    assert change is not None
    return change.task


def changes() -> list[Callable[[], tuple[Task, Change | None]]]:
    """Return one call for each way in which the lifecycle changes a task."""
    waiting = submitted(1).task
    task, retried = working(), working(retries=1)
    once = msgspec.structs.replace(working(delivery=Delivery.AT_MOST_ONCE), accepted_at=NOW)
    canceling = lifecycle.cancel(task, "no", NOW)
    asking = lifecycle.ask(task, 1, 1, Question(1, "Really?", timeout=5.0), NOW)
    assert canceling is not None
    assert asking is not None
    question = asking.task.dialogue.questions[0]
    return [
        lambda: (waiting, lifecycle.claim(waiting, "inst_1", NOW)),
        lambda: (waiting, lifecycle.cancel(waiting, "no", NOW)),
        lambda: (waiting, lifecycle.force(waiting, None, ERROR, NOW)),
        lambda: (task, lifecycle.accept(task, 1, NOW)),
        lambda: (task, lifecycle.refuse(task, 1, NOW)),
        lambda: (task, lifecycle.report(task, 1, 1, EventKind.LOG, b"1", NOW)),
        lambda: (task, lifecycle.complete(task, 1, b"1", NOW)),
        lambda: (task, lifecycle.fail(task, 1, ERROR, NOW)),
        lambda: (retried, lifecycle.fail(retried, 1, ERROR, NOW)),
        lambda: (task, lifecycle.reject(task, 1, ERROR, NOW)),
        lambda: (task, canceling),
        lambda: (canceling.task, lifecycle.canceled(canceling.task, 1, ERROR, NOW)),
        lambda: (task, lifecycle.lose(task, 1, NOW)),
        lambda: (once, lifecycle.lose(once, 1, NOW)),
        lambda: (task, asking),
        lambda: (asking.task, lifecycle.answer(asking.task, question, b"true", "ada", NOW)),
        lambda: (asking.task, lifecycle.expire_question(asking.task, NOW + 5)),
        lambda: (asking.task, lifecycle.lose(asking.task, 1, NOW)),
    ]


@pytest.mark.parametrize("number", range(18))
def test_what_the_lifecycle_changes_is_what_an_update_writes(number: int) -> None:
    before, change = changes()[number]()
    assert change is not None
    assert same_request(before, change.task)


def test_a_row_to_insert_has_a_value_for_each_column() -> None:
    assert len(inserted_row(working())) == len(INSERTED)
    assert {column.name for column in READ} | {"trace_id"} == set(INSERTED)


def test_a_row_to_update_has_a_value_for_each_column_it_writes() -> None:
    row = dict(zip(UPDATED, updated_row(working()), strict=True))
    assert row["id"] == "task_00000001"
    assert row["state"] == "working"
    assert set(CHANGING) < set(UPDATED)


@pytest.mark.parametrize("field", sorted(set(Task.__struct_fields__) - {*CHANGING, "error", "output", "dialogue"}))
def test_a_change_of_what_was_asked_for_is_noticed(field: str) -> None:
    task = working()
    assert not same_request(task, msgspec.structs.replace(task, **{field: object()}))
