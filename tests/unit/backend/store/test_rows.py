"""Tasks as rows: no field is lost, and an update writes all that a change can touch. Statements take any number."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from sqlalchemy import Column, Engine, MetaData, Table, bindparam, insert, select
from sqlalchemy.dialects.postgresql import psycopg

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import CHANGING, Task, TaskEventKind, TaskFailure, same_request
from agentic_atlas.backend.store.rows import EVENTS, TASKS, Field, Prepared, Rows, TaskStatements
from agentic_atlas.backend.store.tables import network, tasks
from agentic_atlas.protocol.messages import Delivery, Question
from tests.conformance.store.samples import NOW, claimed, submitted, task
from tests.unit.backend.store.conftest import driver

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


@pytest.mark.parametrize("count", [0, 1, 2, 3, 63, 64, 65, 127, 200])
def test_any_number_of_rows_is_written_once_each(engine: Engine, count: int) -> None:
    statement = Prepared(engine.dialect, insert(network), ("id", "created_at"), ("id", "created_at"))
    rows = [(f"net_{n:03}", float(n)) for n in range(count)]
    with engine.begin() as connection:
        statement.many(connection, rows)
        assert connection.execute(select(network).order_by(network.c.id)).all() == rows


@pytest.mark.parametrize("size", [10, 100_000])
def test_an_update_finds_each_row_by_its_id(engine: Engine, size: int) -> None:
    statements = TaskStatements(engine.dialect)
    changes = [claimed(task(n, input=bytes(size)), f"inst_{n}") for n in range(70)]
    with engine.begin() as connection:
        statements.insert.many(connection, [TASKS.row(task(n, input=bytes(size))) for n in range(70)])
        statements.update.many(connection, [TASKS.changed_row(change.task) for change in changes[:69] if change])
        stored = [TASKS.value(row) for row in connection.execute(select(*TASKS.read).order_by(tasks.c.id))]
    assert stored == [change.task for change in changes[:69] if change] + [task(69, input=bytes(size))]


@pytest.mark.parametrize("count", [1, 2, 3, 255, 256, 257, 600])
def test_any_number_of_ids_is_looked_up(engine: Engine, count: int) -> None:
    statements = TaskStatements(engine.dialect)
    with engine.begin() as connection:
        statements.insert.many(connection, [TASKS.row(task(n)) for n in range(0, count, 2)])
        found = [
            TASKS.value(row)
            for query, parameters in statements.with_ids([f"task_{n:08}" for n in range(count)])
            for row in query.all(connection, parameters)
        ]
    assert sorted(found, key=lambda task: task.id) == [task(n) for n in range(0, count, 2)]


@pytest.mark.parametrize("payload", ["input", "output"])
def test_a_long_payload_is_written_with_a_statement_of_its_own_wherever_it_stands(engine: Engine, payload: str) -> None:
    statements = TaskStatements(engine.dialect)
    written: list[str] = []
    driver(engine).set_trace_callback(written.append)
    with engine.begin() as connection:
        statements.insert.many(connection, [TASKS.row(task(n)) for n in (1, 2)])
        statements.insert.many(connection, [TASKS.row(task(n, **{payload: bytes(100_000)})) for n in (3, 4)])
    assert [text.count("),") for text in written if text.startswith("INSERT")] == [1, 0, 0]


def test_parameters_in_another_order_than_in_the_text_are_noticed(engine: Engine) -> None:
    query = select(network).where(network.c.id == bindparam("id"), network.c.created_at > bindparam("at"))
    Prepared(engine.dialect, query, ("id", "at"))
    with pytest.raises(AssertionError):
        Prepared(engine.dialect, query, ("at", "id"))


def test_the_same_statements_compile_for_postgresql() -> None:
    dialect = psycopg.dialect()  # type: ignore[no-untyped-call]
    statements = TaskStatements(dialect)
    assert "FOR UPDATE SKIP LOCKED" in statements.next("agent_1", 1.0, None, 3)[0].text
    some = statements.next("agent_1", 1.0, ["a", "b", "c"], 3)
    assert "skill IN" in some[0].text
    assert some[1] == ("agent_1", 1.0, "a", "b", "c", "c", 3)
    assert "FOR UPDATE" in next(iter(statements.with_ids(["task_1"])))[0].text
    assert all(f"%({name})s" in statements.insert_event.text for name in EVENTS.inserted)
