from __future__ import annotations

import asyncio
import errno
import hashlib
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentic_atlas.backend.archive import folder as folders
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.archive.tarball import Told, read
from agentic_atlas.errors import Busy, Unavailable

NOW = 1_700_000_000.0
KEYS = {"ring.json": b"{}", "abc.pem": b"PEM"}
HEAD = {"audit.json": b"{}"}
Copy = Callable[[Path, Told], Awaitable[str]]


def write_pages(path: Path) -> None:
    path.write_bytes(b"pages")


async def copy(path: Path, told: Told) -> str:
    told(5)
    write_pages(path)
    return "0001"


def backups(folder: Path, copy: Copy = copy, network: str = "net_1") -> BackupFolder:
    place = folder / "backups"
    return BackupFolder(place, network=network, copy=copy, keys=lambda: KEYS, head=lambda: HEAD, clock=lambda: NOW)


def names(folder: Path) -> set[str]:
    return {entry.name for entry in (folder / "backups").iterdir()}


async def test_a_backup_is_one_whole_file_for_its_owner_alone(tmp_path: Path) -> None:
    made = await backups(tmp_path).make()
    assert names(tmp_path) == {made.name} == {"atlas-20231114T221320.000Z.tar"}
    path = tmp_path / "backups" / made.name
    assert made.path == str(path)
    assert (made.size, made.sha256) == (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
    assert made.made_at.timestamp() == NOW
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    said = read(path)
    assert (said.network, said.schema, said.made_at.timestamp()) == ("net_1", "0001", NOW)
    kept = ["atlas.sqlite3", "keys/ring.json", "keys/abc.pem", "keys/audit.json"]
    assert [member.name for member in said.members] == kept


async def test_two_of_one_moment_do_not_take_each_others_place(tmp_path: Path) -> None:
    first = await backups(tmp_path).make()
    second = await backups(tmp_path, network="net_2").make()
    assert names(tmp_path) == {first.name, second.name}
    assert first.name != second.name


async def test_the_list_has_the_backups_newest_first_and_nothing_else(tmp_path: Path) -> None:
    folder = backups(tmp_path)
    assert await folder.find() == []
    made = [await folder.make() for _ in range(3)]
    (tmp_path / "backups" / "notes.txt").touch()
    (tmp_path / "backups" / "atlas-old.tar").touch()
    found = await folder.find()
    assert [one.name for one in found] == [one.name for one in reversed(made)]
    assert [one.sha256 for one in found] == [None] * 3
    assert all(Path(one.path).is_absolute() for one in found)


async def test_one_is_made_at_a_time_and_the_second_is_told_so(tmp_path: Path) -> None:
    go_on = asyncio.Event()
    begun = asyncio.Event()

    async def waiting(path: Path, told: Told) -> str:
        begun.set()
        await go_on.wait()
        return await copy(path, told)

    folder = backups(tmp_path, waiting)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(folder.make())
        await begun.wait()
        with pytest.raises(Busy) as refused:
            await folder.make()
        assert refused.value.code == "backup_running"
        go_on.set()
    assert names(tmp_path) == {first.result().name}
    assert (await folder.make()).name != first.result().name


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "storage_full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "storage_full"),
        (Unavailable("full", code="storage_full"), "storage_full"),
        (OSError(errno.EACCES, "Permission denied"), "backup_failed"),
        (Unavailable("locked", code="store_unavailable"), "store_unavailable"),
    ],
)
async def test_a_failure_is_named_and_leaves_nothing_behind(tmp_path: Path, fault: Exception, code: str) -> None:
    async def failing(path: Path, told: Told) -> str:
        await copy(path, told)
        raise fault

    with pytest.raises(Unavailable) as refused:
        await backups(tmp_path, failing).make()
    assert refused.value.code == code
    if code != "store_unavailable":
        assert "ATLAS_BACKUP_DIR" in refused.value.message
    assert names(tmp_path) == set()


async def test_the_last_room_of_the_disk_is_left_to_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "ROOM", 1 << 60)
    with pytest.raises(Unavailable) as refused:
        await backups(tmp_path).make()
    assert refused.value.code == "storage_full"
    assert names(tmp_path) == set()


async def test_a_place_that_cant_be_written_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "backups").touch()
    with pytest.raises(Unavailable, match="ATLAS_BACKUP_DIR") as refused:
        await backups(tmp_path).make()
    assert refused.value.code == "backup_failed"


def test_what_a_killed_process_left_half_made_is_removed_and_others_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in (".partial-net_1.7.sqlite3", ".partial-net_1.7.tar", ".partial-net_2.1.tar", "atlas-x.tar"):
        (folder / name).touch()
    backups(tmp_path).clean()
    assert names(tmp_path) == {".partial-net_2.1.tar", "atlas-x.tar"}


async def test_whoever_gives_up_leaves_nothing_and_the_copying_ends(tmp_path: Path) -> None:
    begun = asyncio.Event()
    tellers: list[Told] = []

    async def endless(path: Path, told: Told) -> str:
        write_pages(path)
        tellers.append(told)
        begun.set()
        await asyncio.Event().wait()
        return ""

    async with asyncio.TaskGroup() as group:
        making = group.create_task(backups(tmp_path, endless).make())
        await begun.wait()
        making.cancel()
    with pytest.raises(Unavailable, match="given up"):
        tellers[0](1)
    assert names(tmp_path) == set()
