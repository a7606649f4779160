"""Puts a backup in the place of a data folder's network, with no server running on it."""

import errno
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from agentic_atlas.auth import KeyRing, load_or_create_ring, read_head, ring_files, save_ring
from agentic_atlas.backend.archive import placing
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS, Manifest, damaged, newer
from agentic_atlas.backend.archive.tarball import Told, read, unpack
from agentic_atlas.backend.store.copying import check
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.backend.store.migrations import knows
from agentic_atlas.backend.store.restored import end_log_ins
from agentic_atlas.compose.sources import wall
from agentic_atlas.errors import ConfigurationError, Unavailable
from agentic_atlas.files import FileRefused, check_folder, make_folder
from agentic_atlas.protocol.caller.audit import AuditHead


class Restored(NamedTuple):
    """What became of a backup, and of what was there."""

    manifest: Manifest
    """What the backup says of itself."""
    aside: Path | None
    """Where the data that was there is now."""
    ended: Mapping[str, int]
    """How many of what let people in were ended: `sessions`, `login_keys`, `invitations`."""
    keys_kept: bool
    """Signing keys that were withdrawn after the backup stay so: those of the same network were there."""


def restore(file: Path, folder: Path, *, force: bool, told: Told = lambda size: None) -> Restored:
    """Put what is in a backup in place of the network in `folder`; all of it is checked before anything is moved.

    Killed at any moment, the folder holds what it held before, or what the backup holds; see `archive.placing`.

    Args:
        file: the backup.
        folder: of the data.
        force: when a network is there, move it aside; without it that is an error.
        told: told of every piece that is written, in bytes.

    Raises:
        ConfigurationError: the backup is damaged (`backup_damaged`) or a later version's (`backup_newer`), a server
            uses the folder (`store_in_use`), or there is a network in it (`data_exists`).
        Unavailable: no room is left (`storage_full`).
        OSError: a file can't be read or written.
    """
    manifest = read(file)
    if not knows(manifest.schema):
        raise newer(manifest.version, f"schema {manifest.schema}, which this version does not know")
    make_private(folder)
    with owned(folder / DATABASE):
        placing.finish(folder)
        if placing.has_data(folder) and not force:
            raise ConfigurationError(
                f"there is a network in {folder}: name another folder with --data-dir, or let --force move it aside",
                code="data_exists",
            )
        ended, kept = _staged(file, folder, manifest, told)
        placing.decide(folder, datetime.fromtimestamp(wall(), UTC).strftime("%Y%m%dT%H%M%SZ"))
        return Restored(manifest, placing.finish(folder), ended, kept)


def finish_restore(folder: Path) -> None:
    """Finish a restore that was interrupted, if there is one; before anything in the folder is used.

    Raises:
        ConfigurationError: it is going on in another process, or a file can't be moved.
    """
    if placing.unfinished(folder):
        with owned(folder / DATABASE):
            placing.finish(folder)


def make_private(folder: Path) -> None:
    """Make the data folder, for its owner alone, where it is missing.

    Raises:
        ConfigurationError: it can't be made, or others can write in it.
    """
    try:
        make_folder(folder)
        check_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {folder} can't be made ({os.strerror(error.errno or 0)}): set ATLAS_DATA_DIR to another"
        ) from None


def _staged(file: Path, folder: Path, manifest: Manifest, told: Told) -> tuple[Mapping[str, int], bool]:
    """Make the new files beside the old ones and see that a server could begin with them, or leave nothing."""
    new = placing.stage(folder)
    try:
        unpack(file, new, told)
        found = check(new / DATABASE, manifest.schema)
        if (found.schema, found.network) != (manifest.schema, manifest.network):
            raise damaged(f"its database is of {found.network}, schema {found.schema}")
        kept = _keep_withdrawn(load_or_create_ring(new / KEYS, wall()), folder / KEYS, new / KEYS, manifest.network)
        # Without a head the log is found broken at the start, and no row is to tell of something else.
        audited = file.name if read_head(new / KEYS) is not None else None
        return end_log_ins(new / DATABASE, manifest.network, wall(), audited), kept
    except BaseException as error:
        shutil.rmtree(new, ignore_errors=True)
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(
                f"no room is left in {folder}: make room and restore again", code="storage_full"
            ) from error
        raise


def _keep_withdrawn(ring: KeyRing, there: Path, new: Path, network: str) -> bool:
    """Leave out of the restored ring what was withdrawn since, as far as the keys tell that are there.

    Returns whether those are of the same network; when they can't be read nothing is known.
    """
    try:
        head = read_head(there)
        if head is None or msgspec.json.decode(head, type=AuditHead).network != network:
            return False
        ring_files(there)  # raises where there is no ring, which would be made else
        current = load_or_create_ring(there, wall())
    except (FileRefused, msgspec.MsgspecError, UnicodeDecodeError):
        return False
    known, newest = current.verification, current.active.created_at
    if ring.active.kid in known or ring.active.created_at <= newest:
        ring = current  # it has all of the backup's keys but those that were withdrawn
    else:
        for key in ring.retired:
            if key.kid not in known and key.created_at <= newest:
                ring = ring.without(key.kid)
    save_ring(new, ring, wall())
    return True
