"""The schema: migrations lead to what the queries expect, whole or not at all, and never backwards."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.questions import SILENCE
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.migrations import REVISIONS, migrate
from agentic_atlas.backend.store.migrations.upgrade import HERE, config_of
from agentic_atlas.backend.store.rows import TASKS
from agentic_atlas.backend.store.sqlite import examine, writing_engine
from agentic_atlas.backend.store.tables import metadata
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Question
from agentic_atlas.protocol.tasks import TaskState
from tests.conformance.store.samples import NOW, Numbered, submitted
from tests.integration.store.conftest import process

OF_USERS = ("api_keys", "accounts", "sessions", "invitations", "identities")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "atlas.db").touch()
    engine = writing_engine(tmp_path / "atlas.db")
    yield engine
    engine.dispose()


def schema(engine: Engine) -> dict[str, list[str]]:
    """Return the words of each table and index: its columns in their order, then what holds for the whole of it.

    SQLite writes a column that was added later behind the constraints of its table, where it means the same.
    """
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").all()
    return {name: parts(" ".join(sql.split())) for name, sql in rows if name != "alembic_version"}


def parts(sql: str) -> list[str]:
    head, _, rest = sql.partition("(")
    body, _, tail = rest.rpartition(")")
    words = [part.strip() for part in re.split(r", ?(?![^(]*\))", body)]
    return [head, *sorted(words, key=lambda part: part.startswith(("PRIMARY KEY", "FOREIGN KEY"))), tail]


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


def test_the_known_revisions_are_those_of_the_migrations() -> None:
    scripts = ScriptDirectory.from_config(config_of(HERE)).walk_revisions()
    assert tuple(script.revision for script in scripts)[::-1] == REVISIONS


def test_a_database_of_the_newest_schema_is_opened_without_loading_what_migrates(tmp_path: Path) -> None:
    """That takes as long as all else that a start has to do."""
    opens = (
        "import sys; from pathlib import Path; from agentic_atlas.backend.store.sqlite import writing_engine;"
        "from agentic_atlas.backend.store.database import migrate;"
        "migrate(writing_engine(Path(sys.argv[1]))); print('alembic' in sys.modules)"
    )
    (tmp_path / "atlas.db").touch()
    command = [sys.executable, "-c", opens, str(tmp_path / "atlas.db")]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2))
    assert (first, second) == ("True\n", "False\n")


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
    assert f"up to {REVISIONS[-1]}" in refused.value.message
    assert schema(engine) == before


async def test_tasks_of_the_first_schema_are_there_after_the_upgrade_and_can_ask_questions(tmp_path: Path) -> None:
    path = tmp_path / "atlas.db"
    path.touch()
    first_schema(path)

    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        task = await store.tasks.get("task_old")
        assert task is not None
        assert (task.state, task.input, task.dialogue) == (TaskState.WORKING, b'{"words": "coral"}', SILENCE)
        await store.tasks.change(task.id, lambda one: lifecycle.ask(one, 1, 1, Question(1, "Go on?"), NOW))
        asking = await store.tasks.get(task.id)
        assert asking is not None
        assert [question.text for question in asking.dialogue.open] == ["Go on?"]
        by_login, old = await store.users.keys_of("usr_old")
        assert (old.prefix, old.last_used_at, old.last_address, old.from_login) == ("", None, "", False)
        assert (by_login.name, by_login.from_login) == ("atlas login on desk", True)


def first_schema(path: Path) -> None:
    """Make a database as the first version of the program left it, with a task that an instance holds."""
    examine(path)
    engine = writing_engine(path)
    config = config_of(HERE)
    with engine.connect() as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        names = [column.name for column in metadata.tables["tasks"].columns if column.name != "dialogue"]
        change = lifecycle.claim(submitted(1, id="task_old").task, "inst_1", NOW)
        assert change is not None
        row = TASKS.values(change.task)
        places = ", ".join("?" for _ in names)
        connection.exec_driver_sql(
            f"INSERT INTO tasks ({', '.join(names)}) VALUES ({places})",
            tuple(row[name] for name in names),
        )
        connection.exec_driver_sql(
            "INSERT INTO users (id, name, role, created_at) VALUES ('usr_old', 'eve', 'member', 0)"
        )
        key = "INSERT INTO api_keys (id, user_id, name, digest, created_at) VALUES (?, 'usr_old', ?, ?, ?)"
        connection.exec_driver_sql(key, ("key_old", "", b"0", 0.0))
        connection.exec_driver_sql(key, ("key_desk", "atlas login on desk", b"1", 1.0))
    engine.dispose()


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
        *((table, "user_id", "users") for table in OF_USERS),
        ("agents", "owner_id", "users"),
        ("agent_shares", "agent_id", "agents"),
        ("group_members", "group_id", "groups"),
        ("group_members", "user_id", "users"),
        ("skills", "agent_id", "agents"),
        ("tokens", "agent_id", "agents"),
        ("instances", "agent_id", "agents"),
        ("instances", "token_id", "tokens"),
        ("events", "task_id", "tasks"),
    }
