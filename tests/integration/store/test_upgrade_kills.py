"""An upgrade of a large database, killed at twenty random moments: before or after, whole, and it can be done again.

The data is of the schema before the newest, whatever that is; after the newest comes one migration of the test's own,
which rewrites every row, and would show if it were applied twice.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from agentic_atlas.backend.store.migrations.upgrade import HERE, upgrade
from agentic_atlas.backend.store.sqlite import writing_engine
from tests.killing import killed_within

ROWS = 10_000
KILLS = 20
LAST = "9999"
ANOTHER = f"""
from alembic import op

revision = "{LAST}"
down_revision = "{{head}}"


def upgrade() -> None:
    op.execute("ALTER TABLE tasks ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'")
    op.execute("UPDATE tasks SET skill = skill || '!'")
    op.execute("CREATE INDEX tasks_by_mood ON tasks (mood, skill)")
    op.execute("CREATE TABLE copies AS SELECT id, input FROM tasks")
"""
FILLER = {"TEXT": "x", "DOUBLE": 1.0, "BIGINT": 1, "INTEGER": 1, "BLOB": b"{}"}
SAID = {"state": "completed", "delivery": "at_least_once", "kind": "state"}


def scripts(folder: Path) -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(folder))
    return ScriptDirectory.from_config(config)


def copied(target: Path) -> Path:
    shutil.copytree(HERE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def upgraded(path: Path, folder: Path) -> None:
    engine = writing_engine(path)
    try:
        upgrade(engine, folder)
    finally:
        engine.dispose()


def fill(path: Path, table: str, **columns: str) -> None:
    """Add rows with something in every column that needs it; `columns` are expressions with the row's number, n."""
    with closing(sqlite3.connect(path)) as connection, connection:
        needed = {
            name: FILLER[kind.upper()]
            for _, name, kind, not_null, default, _ in connection.execute(f"PRAGMA table_info({table})")
            if not_null and default is None
        }
        values = {name: SAID.get(name, value) for name, value in needed.items() if name not in columns}
        connection.execute(
            f"WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < {ROWS}) "
            f"INSERT INTO {table} ({', '.join([*columns, *values])}) "
            f"SELECT {', '.join([*columns.values(), *['?'] * len(values)])} FROM rows",
            list(values.values()),
        )


def seen(path: Path) -> tuple[str, dict[str, int], set[str]]:
    """Return the revision, the rows of each table, and the ends of the tasks' skills."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counts = {table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
        (revision,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return revision, counts, {skill for (skill,) in connection.execute("SELECT DISTINCT skill FROM tasks")}


@pytest.mark.timeout(180)
def test_an_upgrade_killed_at_any_moment_is_whole_or_not_begun_and_is_done_at_the_next_start(tmp_path: Path) -> None:
    head = scripts(HERE).get_revision("head")
    assert head is not None
    before = copied(tmp_path / "before")
    if head.down_revision is not None:
        (before / "versions" / Path(head.path).name).unlink()
    after = copied(tmp_path / "after")
    (after / "versions" / "v9999_of_the_test.py").write_text(ANOTHER.format(head=head.revision))

    old = tmp_path / "old.db"
    old.touch()
    upgraded(old, before)
    fill(old, "tasks", id="printf('task_%08d', n)", skill="'search'")
    fill(old, "events", task_id="printf('task_%08d', n)", seq="1")
    revision, counts, _ = whole_old = seen(old)
    assert (counts["tasks"], counts["events"]) == (ROWS, ROWS)
    assert revision == (head.down_revision or head.revision)

    path = tmp_path / "atlas.db"
    shutil.copy(old, path)
    began = time.monotonic()
    upgraded(path, after)
    took = time.monotonic() - began
    whole_new = seen(path)
    assert whole_new[0] == LAST
    assert whole_new[2] == {"search!"}
    assert {table: whole_new[1][table] for table in ("tasks", "events")} == {"tasks": ROWS, "events": ROWS}

    chance = random.Random()
    kills, states = 0, []
    while kills < KILLS:
        for left in tmp_path.glob("atlas.db*"):
            left.unlink()
        shutil.copy(old, path)
        if not killed_within(chance.uniform(0.05, 1.0) * took, lambda: upgraded(path, after)):
            continue
        kills += 1
        states.append(seen(path))
        assert states[-1] in (whole_old, whole_new)
        if kills % 5 == 0:
            for _ in range(2):  # the second time there is nothing to do
                upgraded(path, after)
                assert seen(path) == whole_new
    assert whole_old in states
