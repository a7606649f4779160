"""The folder of backups: each appears in it whole, under a name of ours, or not at all."""

import asyncio
import errno
import math
import os
import shutil
import stat
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from agentic_atlas._version import __version__
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS, Manifest, Member, backup_name, made_at
from agentic_atlas.backend.archive.tarball import Content, Sink, Told, synced, write
from agentic_atlas.backend.ports import Clock
from agentic_atlas.errors import Busy, Unavailable
from agentic_atlas.files import make_folder, open_own
from agentic_atlas.protocol.caller.backups import BackupInfo

FULL = "storage_full"
MOST_LISTED = 1_000
"""Backups in a list."""
ROOM = 64 * 1024 * 1024
"""Bytes of the disk that a backup leaves free: the database may need them."""

_SECONDS_TO_TRY_AGAIN = 5.0


class BackupFolder:
    """`ports.Backups`: copies of one network, one made at a time. Belongs to one event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        network: str,
        copy: Callable[[Path, Told], Awaitable[str]],
        keys: Callable[[], dict[str, bytes]],
        head: Callable[[], dict[str, bytes]],
        clock: Clock,
        told: Told = lambda size: None,
    ) -> None:
        """Say where and of what; nothing is made before the first backup.

        Args:
            folder: where they are kept.
            network: id of the network.
            copy: writes the database into a new file and returns the revision of its schema.
            keys: returns the files of the key ring, by name.
            head: likewise those of the audit log's head.
            clock: gives the time of a backup.
            told: told of every piece that is written, in bytes, on another thread.
        """
        self._folder = folder
        self._network = network
        self._copy = copy
        self._keys = keys
        self._head = head
        self._clock = clock
        self._told = told
        self._making = False
        self._tries = 0

    async def make(self) -> BackupInfo:
        """See the port."""
        if self._making:
            raise Busy(
                "a backup is being made already: wait for it to be done",
                code="backup_running",
                retry_after=_SECONDS_TO_TRY_AGAIN,
            )
        self._making = True
        self._tries += 1
        given_up = Event()
        told = self._watch(given_up)
        try:
            with self._refusals():
                # Before the copy, and not rounded up: whatever was acknowledged until then is in it.
                at = math.floor(self._clock() * 1_000) / 1_000
                database = await asyncio.to_thread(self._prepared)
                # Also before: the log may go on behind its head, and must not end before it.
                head = await asyncio.to_thread(self._head)
                schema = await self._copy(database, told)
                return await asyncio.to_thread(self._pack, database, schema, at, told, head)
        finally:
            # A thread that still writes, for a caller who has gone, ends at its next piece.
            given_up.set()
            self.clean()
            self._making = False

    async def find(self) -> list[BackupInfo]:
        """See the port."""
        with self._refusals():
            return await asyncio.to_thread(self._listed)

    def clean(self) -> None:
        """Remove what a killed process left half made; call it when no other process can be at it."""
        for left in self._folder.glob(f"{self._partial}*"):
            with suppress(OSError):  # what can't be removed hinders nothing, and is tried again at the next backup
                left.unlink()

    @property
    def _partial(self) -> str:
        # With the network's id, for several networks may keep their backups in one folder.
        return f".partial-{self._network}"

    def _watch(self, given_up: Event) -> Told:
        def told(size: int) -> None:
            if given_up.is_set():
                raise Unavailable("the backup was given up, for the server stops", code="backup_failed")
            if shutil.disk_usage(self._folder).free < ROOM + size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self._told(size)

        return told

    def _prepared(self) -> Path:
        """Make the folder, and return where to copy the database to."""
        make_folder(self._folder)
        self.clean()
        return self._folder / f"{self._partial}.{self._tries}.sqlite3"

    def _pack(self, database: Path, schema: str, at: float, told: Told, head: dict[str, bytes]) -> BackupInfo:
        partial = database.with_suffix(".tar")
        keys = {**self._keys(), **head}

        def manifest(members: tuple[Member, ...]) -> Manifest:
            made = datetime.fromtimestamp(at, UTC)
            return Manifest(version=__version__, schema=schema, network=self._network, made_at=made, members=members)

        with ExitStack() as opened:
            sink = opened.enter_context(Sink(partial, told))
            # In a folder that others write in too, what is packed is the copy that was made, or nothing.
            source = opened.enter_context(os.fdopen(open_own(database, os.O_RDONLY), "rb"))
            contents = [Content(DATABASE, os.fstat(source.fileno()).st_size, source)]
            contents += [Content.of(f"{KEYS}/{name}", data) for name, data in keys.items()]
            write(sink, contents, manifest)
        database.unlink()
        while (place := self._folder / backup_name(at)).exists():
            at += 0.001  # of another network that keeps its backups here
        told(0)
        partial.rename(place)
        synced(self._folder)
        return _info(place, sink.size, at, sink.sha256)

    def _listed(self) -> list[BackupInfo]:
        found = [backup for path in self._folder.glob("atlas-*.tar") if (backup := _found(path)) is not None]
        return sorted(found, key=lambda backup: backup.made_at, reverse=True)[:MOST_LISTED]

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise self._full() from error
            raise Unavailable(
                f"backups can't be kept in {self._folder} ({error.strerror or error}): let the server write there, "
                "or set ATLAS_BACKUP_DIR to another folder",
                code="backup_failed",
                retry_after=_SECONDS_TO_TRY_AGAIN,
            ) from error
        except Unavailable as error:
            raise (self._full() if error.code == FULL else error) from error

    def _full(self) -> Unavailable:
        return Unavailable(
            f"no room is left for a backup in {self._folder}, which takes twice the size of the database meanwhile: "
            "remove old ones, or set ATLAS_BACKUP_DIR to a folder on another disk",
            code="storage_full",
            retry_after=_SECONDS_TO_TRY_AGAIN,
        )


def _found(path: Path) -> BackupInfo | None:
    """Return the backup at this place; None for what is none, or has just been removed."""
    at = made_at(path.name)
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    if at is None or not stat.S_ISREG(status.st_mode):
        return None
    return _info(path, status.st_size, at, None)


def _info(path: Path, size: int, at: float, sha256: str | None) -> BackupInfo:
    made = datetime.fromtimestamp(at, UTC)
    return BackupInfo(name=path.name, path=str(path.absolute()), size=size, made_at=made, sha256=sha256)
