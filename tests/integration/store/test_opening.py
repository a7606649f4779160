"""Opening a store: one owner, its own files, nobody else's data.

What is opened and closed at once has a loop of its own, as the program that does so has.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.database import SqlStore, open_store
from agentic_atlas.errors import ConfigurationError, Unavailable
from tests.conformance.store.samples import NOW, Numbered, populate, submitted
from tests.integration.store.conftest import Open, process


def closed_again(path: Path) -> SqlStore:
    """Open the store, close it at once and return what it was."""

    async def opened() -> SqlStore:
        async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
            await store.ready()
        return store

    return asyncio.run(opened())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_what_was_stored_is_there_the_next_time(opened: Open) -> None:
    networks: list[str] = []

    async with opened() as store:
        await populate(store)
        await store.tasks.add(submitted(1))
        networks.append(await store.network_id())

    async with opened() as store:
        assert await store.tasks.get("task_00000001") == submitted(1).task
        assert await store.users.by_name("ada") is not None
        networks.append(await store.network_id())

    assert networks == ["net_00000001", "net_00000001"]


async def test_files_and_folders_are_for_their_owner_alone(path: Path) -> None:
    deep = path.parent / "new" / "atlas.db"

    before = os.umask(0)
    try:
        async with open_store(deep, clock=lambda: NOW, ids=Numbered()) as store:
            await store.tasks.add(submitted(1))
            assert {file.name for file in deep.parent.iterdir()} == {
                f"atlas.db{end}" for end in ("", "-wal", "-shm", ".lock")
            }
            assert {mode(file) for file in deep.parent.iterdir()} == {0o600}
    finally:
        os.umask(before)
    assert mode(deep.parent) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o644)
    closed_again(path)
    assert mode(path) == 0o600


def test_a_folder_in_which_others_may_write_is_not_used(path: Path) -> None:
    path.parent.mkdir()
    path.parent.chmod(0o777)
    with pytest.raises(ConfigurationError, match="chmod go-w"):
        closed_again(path)
    assert not list(path.parent.iterdir())
    path.parent.chmod(0o755)
    closed_again(path)


@pytest.mark.parametrize("end", ["", ".lock"])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_link_in_the_place_of_the_database_or_its_lock_harms_nothing(
    path: Path, end: str, link: Callable[[Path, Path], None]
) -> None:
    path.parent.mkdir()
    target = path.parent.parent / "precious"
    target.write_text("content")
    target.chmod(0o644)
    link(Path(f"{path}{end}"), target)
    with pytest.raises(ConfigurationError, match="link"):
        closed_again(path)
    assert (target.read_text(), mode(target)) == ("content", 0o644)


@pytest.mark.parametrize("end", ["", ".lock"])
def test_a_pipe_in_the_place_of_the_database_or_its_lock_is_told(path: Path, end: str) -> None:
    path.parent.mkdir()
    os.mkfifo(f"{path}{end}")
    with pytest.raises(ConfigurationError, match="no plain file"):
        closed_again(path)


def test_an_old_release_of_sqlite_is_worth_a_note_and_no_alarm(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 2))
    assert closed_again(path).notes == (sqlite.OLD_RELEASE,)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 51, 3))
    assert closed_again(path).notes == ()


def test_a_second_process_is_told_who_has_the_store(path: Path) -> None:
    with process("tests.integration.store.writing_process", str(path), "1", "1", "1000000") as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "ready\n"
        with pytest.raises(ConfigurationError) as refused:
            closed_again(path)
        assert refused.value.code == "store_in_use"
        assert f"in use by process {first.pid};" in refused.value.message
        assert "ATLAS_DATA_DIR" in refused.value.message
        first.kill()
        first.wait()
    closed_again(path)


async def test_a_store_is_not_opened_twice_in_one_process(path: Path, opened: Open) -> None:
    async with opened() as store:
        with pytest.raises(ConfigurationError):
            async with open_store(path, clock=lambda: NOW, ids=Numbered()):
                pass
        assert (await store.tasks.add(submitted(1))).created


def test_a_refused_opening_leaves_nothing_behind(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database" * 100)
    before = threading.active_count()
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="can't be used"):
            closed_again(path)
    assert threading.active_count() == before
    assert path.read_bytes() == b"not a database" * 100


def test_another_programs_database_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    content = path.read_bytes()
    with pytest.raises(ConfigurationError, match="another program"):
        closed_again(path)
    assert path.read_bytes() == content


def test_a_place_that_cant_be_written_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "atlas.db", tmp_path):
        with pytest.raises(ConfigurationError, match=r"ATLAS_DATA_DIR|name another folder"):
            closed_again(path)


def test_damage_that_a_killed_process_left_is_found(path: Path) -> None:
    closed_again(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'network'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(b"\xff" * 4096)
    Path(f"{path}-wal").write_bytes(b"\x00" * 100)
    with pytest.raises(ConfigurationError, match="backup"):
        closed_again(path)


async def test_closing_finishes_what_was_asked_for(path: Path, opened: Open) -> None:
    async with opened() as closed:
        writes = [closed.tasks.add(submitted(n)) for n in range(2_000)]
    assert [(await write).created for write in writes] == [True] * 2_000
    with pytest.raises(Unavailable):
        await closed.tasks.get("task_00000001")
    with pytest.raises(Unavailable):
        await closed.tasks.add(submitted(2_001))
    assert not path.with_name(f"{path.name}-wal").exists()

    async with opened() as store:
        assert len(await store.tasks.open()) == 2_000


async def test_a_store_in_memory_is_gone_when_it_is_closed() -> None:
    async with open_store(None, clock=lambda: NOW, ids=Numbered()) as store:
        await store.tasks.add(submitted(1))
    async with open_store(None, clock=lambda: NOW, ids=Numbered()) as store:
        assert await store.tasks.get("task_00000001") is None
