"""The schema: migrations lead to what the queries expect, whole or not at all, and never backwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect

from agentic_atlas.backend.store.migrations import migrate
from agentic_atlas.backend.store.sqlite import writing_engine
from agentic_atlas.backend.store.tables import metadata
from agentic_atlas.errors import ConfigurationError
from tests.integration.store.conftest import process


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "atlas.db").touch()
    engine = writing_engine(tmp_path / "atlas.db")
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[str, str]:
    """Return the words of each table and index."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {name: " ".join(sql.split()) for name, sql in rows if name != "alembic_version"}


def test_the_migrations_lead_to_the_tables_of_the_queries(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_the_migrations_say_the_same_as_the_tables_to_the_letter(engine: Engine) -> None:
    """Partial indexes, directions and the kind of table are not compared above."""
    migrate(engine)
    fresh = create_engine("sqlite://")
    metadata.create_all(fresh)
    assert schema(engine) == schema(fresh)
    fresh.dispose()


def test_migrating_twice_changes_nothing(engine: Engine) -> None:
    migrate(engine)
    before = schema(engine)
    migrate(engine)
    assert schema(engine) == before


def test_data_of_a_newer_program_is_refused_with_what_to_do(engine: Engine) -> None:
    migrate(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = schema(engine)
    with pytest.raises(ConfigurationError) as refused:
        migrate(engine)
    assert "newer version of Agentic Atlas (schema 9999" in refused.value.message
    assert "up to 0001" in refused.value.message
    assert schema(engine) == before


def test_a_process_killed_in_a_migration_leaves_what_was_there(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "atlas.db"
    with process("tests.integration.store.dying_process", str(path)) as dying:
        assert dying.wait(timeout=30) == 137
    assert schema(engine) == {}
    migrate(engine)
    assert "tasks_waiting" in schema(engine)


def test_foreign_keys_are_checked_again_after_a_migration(engine: Engine) -> None:
    migrate(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1


def test_every_reference_but_that_of_a_task_to_its_agent_is_a_foreign_key(engine: Engine) -> None:
    migrate(engine)
    found = {
        (table, key["constrained_columns"][0], key["referred_table"])
        for table in inspect(engine).get_table_names()
        for key in inspect(engine).get_foreign_keys(table)
    }
    assert found == {
        ("api_keys", "user_id", "users"),
        ("agents", "owner_id", "users"),
        ("skills", "agent_id", "agents"),
        ("tokens", "agent_id", "agents"),
        ("instances", "agent_id", "agents"),
        ("instances", "token_id", "tokens"),
        ("events", "task_id", "tasks"),
    }
