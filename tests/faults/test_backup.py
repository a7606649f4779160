"""Backups of a real network under load: each holds every task that was acknowledged before it was asked for."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.compose.restore import restore
from tests.e2e.processes import PATIENCE, Platform, connected
from tests.e2e.programs import ECHO

BACKUPS, BACKUPS_OF_A_SOAK = 3, 20
CALLERS = 4
FIRST = 100
"""Tasks that are acknowledged before the first backup."""


class Callers:
    """Threads that submit, one task after the other, and what was acknowledged to them."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._stopped = False
        self._news = threading.Condition()
        self._acknowledged: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._submit) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped = True
            for thread in threads:
                thread.join(PATIENCE)

    def acknowledged(self, least: int = 0) -> set[str]:
        """Return the ids so far, once there are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self._acknowledged) >= least, PATIENCE)
            return set(self._acknowledged)

    def _submit(self) -> None:
        with Client(self._platform.url, api_key=self._platform.api_key) as client:
            while not self._stopped:
                task = client.submit("echo", "say", text="x" * 8_000)
                with self._news:
                    self._acknowledged.append(task.id)
                    self._news.notify_all()


@pytest.mark.timeout(900)
def test_a_backup_under_load_holds_what_was_acknowledged_before_it(
    platform: Platform, tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    backups = BACKUPS_OF_A_SOAK if soak else BACKUPS
    callers = Callers(platform)
    missing, later = 0, 0
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        with callers.running():
            for number in range(backups):
                before = callers.acknowledged(FIRST)
                made = json.loads(platform.atlas("backup", f"{number}.tar", "--json"))
                after = callers.acknowledged()
                there = restored(Path(made["path"]), tmp_path / f"restored-{number}")
                missing += len(before - there)
                later += len(after - before)
    assert missing == 0
    assert later > 0, "nothing was written beside the backups"
    tasks = len(callers.acknowledged())
    found("backup holds what was acknowledged", f"{backups} backups, {tasks} tasks", f"{missing} missing, all whole")


def restored(backup: Path, folder: Path) -> set[str]:
    """Restore a backup and return the ids of its tasks; each event of a task is there too."""
    restore(backup, folder, force=False)
    backup.unlink()
    with closing(sqlite3.connect(folder / "atlas.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        gaps = "SELECT id FROM tasks WHERE last_seq != (SELECT count(*) FROM events WHERE task_id = tasks.id)"
        assert connection.execute(gaps).fetchall() == []
        return {task_id for (task_id,) in connection.execute("SELECT id FROM tasks")}
