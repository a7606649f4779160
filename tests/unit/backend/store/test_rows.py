"""Tasks as rows: no field is lost, and an update writes all that a change can touch."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Column, MetaData, Table

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CHANGING, Task, TaskEventKind, TaskFailure, same_request
from agentic_atlas.backend.store.rows import TASKS, Field, Rows
from agentic_atlas.backend.store.tables import tasks
from agentic_atlas.protocol.messages import Delivery, Question
from tests.conformance.store.samples import NOW, claimed, submitted

ERROR = TaskFailure("handler_error", "it broke")


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
        lambda: (task, lifecycle.report(task, 1, 1, TaskEventKind.LOG, b"1", NOW)),
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
    assert set(TASKS.values(working())) == {column.name for column in tasks.columns}
    assert {column.name for column in TASKS.read} | {"trace_id"} == set(TASKS.inserted)


def test_a_row_to_update_has_a_value_for_each_column_it_writes() -> None:
    row = dict(zip(TASKS.updated, TASKS.changed_row(working()), strict=True))
    assert row["id"] == "task_00000001"
    assert row["state"] == "working"
    assert set(TASKS.updated) < set(TASKS.inserted)


@pytest.mark.parametrize("field", sorted(set(Task.__struct_fields__) - CHANGING))
def test_a_change_of_what_was_asked_for_is_noticed(field: str) -> None:
    task = working()
    assert not same_request(task, msgspec.structs.replace(task, **{field: object()}))


def whole() -> Task:
    """Return a task with a value in each of its fields that differs from that of every other."""
    asking = lifecycle.ask(working(retries=1), 1, 1, Question(1, "Really?", timeout=5.0), NOW)
    assert asking is not None
    plain = msgspec.structs.asdict(asking.task)
    unset = [name for name, value in plain.items() if value is None or isinstance(value, int | float)]
    numbered = {name: number for number, name in enumerate(unset, start=1_000)}
    error = TaskFailure("handler_error", "it broke", b"[1]")
    ended = {"output": b'"half"', "error": error, "body_digest": b"digest"}
    return msgspec.structs.replace(asking.task, **numbered | ended)


def test_what_is_written_is_what_is_read() -> None:
    task = whole()
    values = TASKS.values(task)
    assert TASKS.value([values[column.name] for column in TASKS.read]) == task
    changed = dict(zip(TASKS.updated, TASKS.changed_row(task), strict=True))
    assert changed.items() <= values.items()


def test_the_place_of_a_column_in_its_table_means_nothing() -> None:
    """A migration appends a column, which puts it behind the payloads."""
    turned = Table("turned", MetaData(), *(Column(column.name, column.type) for column in reversed(tasks.columns)))
    rows = Rows(Task, turned, *TASKS.fields)
    assert rows.inserted == TASKS.inserted[::-1]
    assert rows.row(whole()) == tuple(TASKS.row(whole()))[::-1]
    assert {rows.inserted[place] for place in rows.payloads(rows.inserted)} == {
        "input",
        "output",
        "error_code",
        "error_message",
        "error_detail",
        "dialogue",
    }


def test_a_field_that_the_record_does_not_have_is_noticed() -> None:
    with pytest.raises(AssertionError):
        Rows(Task, tasks, Field("colour"))
