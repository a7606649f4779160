"""Data folders with a network in them, and backups of it: each made in a loop of its own, as a command does."""

from __future__ import annotations

import asyncio
import sqlite3
import tarfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agentic_atlas.auth import load_or_create_ring
from agentic_atlas.backend.archive.manifest import read_manifest
from agentic_atlas.backend.archive.tarball import Content, Sink, write
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.compose.backup import back_up
from agentic_atlas.compose.sources import SortableIds, wall
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.settings import Settings
from tests.conformance.store.samples import submitted


@dataclass(frozen=True)
class Held:
    """What a server would begin with."""

    network: str
    tasks: int
    kid: str


def made(folder: Path, tasks: int, size: int = 100) -> Path:
    """Make a network with so many tasks, each with an input of this size."""

    async def filled() -> None:
        async with open_store(folder / "atlas.sqlite3", clock=wall, ids=SortableIds()) as store:
            for write in [store.tasks.add(submitted(n, input=b'"' + b"x" * size + b'"')) for n in range(tasks)]:
                await write

    asyncio.run(filled())
    load_or_create_ring(folder / "keys", wall())
    return folder


def held(folder: Path) -> Held:
    """Open what is there as a server does, and look."""

    async def network() -> str:
        async with open_store(folder / "atlas.sqlite3", clock=wall, ids=SortableIds()) as store:
            return await store.network_id()

    network_id = asyncio.run(network())
    with closing(sqlite3.connect(folder / "atlas.sqlite3")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (tasks,) = connection.execute("SELECT count(*) FROM tasks").fetchone()
    assert (folder / "keys" / "ring.json").exists()
    return Held(network_id, tasks, load_or_create_ring(folder / "keys", wall()).active.kid)


def backed_up(folder: Path, told: Callable[[int], None] = lambda size: None) -> BackupInfo:
    return asyncio.run(back_up(Settings(data_dir=folder), told))


def rewritten(backup: BackupInfo, path: Path, files: Mapping[str, bytes] = {}, **changes: object) -> Path:
    """Write a backup again, right in its form, with these files instead, and with other words in its manifest."""
    with tarfile.open(backup.path) as tar:
        there = {name: _content(tar, name) for name in tar.getnames()}
    said = read_manifest(there.pop("manifest.json"))
    with Sink(path) as sink:
        write(
            sink,
            [Content.of(name, data) for name, data in {**there, **files}.items()],
            lambda members: msgspec.structs.replace(said, **{"members": members, **changes}),
        )
    return path


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    source = tar.extractfile(name)
    assert source is not None
    return source.read()
