"""Prepared statements: any number of rows, in either style of parameters."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, bindparam, insert, select
from sqlalchemy.dialects.postgresql import psycopg

from agentic_atlas.backend.store.rows import EVENTS, TASKS
from agentic_atlas.backend.store.statements import Prepared, TaskStatements
from agentic_atlas.backend.store.tables import network, tasks
from tests.conformance.store.samples import claimed, task
from tests.unit.backend.store.conftest import driver


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
