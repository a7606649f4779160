"""Backs a network up while no server runs on its folder, and brings a backup where somebody wants it."""

import asyncio
import errno
import shutil
from pathlib import Path

import msgspec

from agentic_atlas.auth import audit_files, ring_files
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.archive.tarball import PIECE, Sink, Told, synced
from agentic_atlas.backend.store.copying import copy_closed, describe
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.restore import finish_restore
from agentic_atlas.compose.sources import wall
from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.settings import Settings


async def back_up(settings: Settings, told: Told) -> BackupInfo:
    """Make a backup of a network that does not run; its schema is left as it is.

    Raises:
        ConfigurationError: there is no network in the folder (`no_data`), or a server uses it (`store_in_use`).
        Unavailable: no room is left (`storage_full`), or there is no place for it (`backup_failed`).
    """
    database = settings.data_dir / DATABASE
    finish_restore(settings.data_dir)
    if not database.exists():
        raise ConfigurationError(
            f"there is no network in {settings.data_dir}: name its folder with --data-dir", code="no_data"
        )

    async def copy(target: Path, told: Told) -> str:
        return (await asyncio.to_thread(copy_closed, database, target, told)).schema

    with owned(database):
        folder = BackupFolder(
            settings.backups,
            network=describe(database).network,
            copy=copy,
            keys=lambda: ring_files(settings.data_dir / KEYS),
            head=lambda: audit_files(settings.data_dir / KEYS),
            clock=wall,
            told=told,
        )
        return await folder.make()


def move(backup: BackupInfo, target: Path) -> BackupInfo:
    """Move a backup to a path where nothing is; where that is another disk, or its folder is not ours, copy it.

    Raises:
        OSError: that can't be done, or there is something (FileExistsError).
        AtlasError: what arrived is not what was sent (`backup_damaged`).
    """
    source = Path(backup.path)
    if target.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(target))
    try:
        source.rename(target)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EACCES, errno.EPERM):
            raise
        _copy(source, target, backup.sha256)
        if error.errno == errno.EXDEV:
            source.unlink()
    synced(target.parent)
    return msgspec.structs.replace(backup, name=target.name, path=str(target.absolute()))


def _copy(source: Path, target: Path, sha256: str | None) -> None:
    try:
        with source.open("rb") as read, Sink(target) as sink:
            shutil.copyfileobj(read, sink, PIECE)
        if sha256 is not None and sink.sha256 != sha256:
            raise AtlasError(f"{source} is not what the server wrote: make another backup", code="backup_damaged")
    except FileExistsError:
        raise
    except BaseException:
        target.unlink(missing_ok=True)
        raise
