"""Where the audit log's head is kept: a signed file beside the keys; and the log of a network that is not up."""

import asyncio
import os
import re
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

import msgspec

from agentic_atlas.auth import SigningKey, is_signed, read_head, save_head
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.archive.tarball import synced
from agentic_atlas.backend.domain.audit import ChainCheck, ChainHead, signed_part
from agentic_atlas.backend.store.audit import all_rows
from agentic_atlas.backend.store.copying import describe, read_closed
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.compose.restore import finish_restore
from agentic_atlas.errors import ConfigurationError, Unavailable
from agentic_atlas.files import FileRefused, make_folder, open_own
from agentic_atlas.files import check_folder as check_own
from agentic_atlas.observe.logs import Log
from agentic_atlas.protocol.caller.audit import AuditAnchor, AuditArchive, AuditEntry, AuditHead, AuditReport

ARCHIVES: Final = "audit"
"""Folder in the data folder with what was archived of the audit log."""
_ARCHIVE: Final = re.compile(r"rows-([0-9]{1,18})-([0-9]{1,18})\.jsonl")
_LONGEST_ANCHOR: Final = 4_096

_Head = TypeVar("_Head", AuditHead, AuditAnchor)


class HeadFile:
    """`ports.AuditHeads`, in the folder of keys; what is archived is in another one."""

    def __init__(self, folder: Path, archives: Path, key: SigningKey, network: str, log: Log) -> None:
        self._folder = folder
        self._archives = archives
        self._key = key
        self._network = network
        self._log = log
        self._faulty = False

    async def keep(self, head: ChainHead, now: float) -> None:
        """See the port."""
        unsigned = AuditHead(
            network=self._network, seq=head.seq, hash=head.hash, at=_at(now), key=self._key.public, signature=""
        )
        try:
            await asyncio.to_thread(save_head, self._folder, msgspec.json.encode(self._sign(unsigned)))
            self._faulty = False
        except FileRefused as error:
            if not self._faulty:
                self._faulty = True
                self._log.error("audit_head_not_kept", reason=error.message)

    def kept(self) -> AuditHead | None:
        """See the port."""
        return head_in(self._folder)

    def signed(self, head: AuditHead | AuditAnchor) -> bool:
        """See the port."""
        return head.key == self._key.public and is_signed(signed_part(head), head.signature, head.key)

    def anchor(self) -> AuditAnchor | None:
        """See the port."""
        return anchor_in(self._folder)

    async def archives(self, most: int) -> list[AuditArchive]:
        """See the port."""
        try:
            return await asyncio.to_thread(_archives_in, self._archives, most)
        except OSError as error:
            text = f"the archives in {self._archives} can't be read ({error.strerror or error})"
            raise Unavailable(text, code="archives_unreadable") from error

    async def archive(
        self, first: AuditAnchor | None, rows: AsyncIterable[Sequence[AuditEntry]], now: float
    ) -> AuditArchive:
        """See the port."""
        partial, last, count = self._archives / ".partial.jsonl", ChainHead(0, ""), 0
        with _refusals(self._archives):
            file = await asyncio.to_thread(_opened, partial)
            with file:
                if first is not None:
                    file.write(msgspec.json.encode(first) + b"\n")
                async for some in rows:
                    await asyncio.to_thread(file.writelines, [msgspec.json.encode(row) + b"\n" for row in some])
                    last, count = ChainHead(some[-1].seq, some[-1].hash), count + len(some)
                anchor = self._sign(
                    AuditAnchor(
                        network=self._network,
                        archived=last.seq,
                        hash=last.hash,
                        at=_at(now),
                        key=self._key.public,
                        signature="",
                    )
                )
                file.write(msgspec.json.encode(anchor) + b"\n")
                path = self._archives / f"rows-{last.seq - count + 1}-{last.seq}.jsonl"
                await asyncio.to_thread(_put, file, partial, path)
        await asyncio.to_thread(save_head, self._folder, msgspec.json.encode(anchor), anchor=True)
        return AuditArchive(path=str(path.absolute()), rows=count, anchor=anchor)

    def _sign(self, head: _Head) -> _Head:
        return msgspec.structs.replace(head, signature=self._key.sign(signed_part(head)))


def head_in(folder: Path) -> AuditHead | None:
    """Return the head that a folder of keys holds; raises FileRefused."""
    return _read(folder, AuditHead, anchor=False)


def anchor_in(folder: Path) -> AuditAnchor | None:
    """Return the anchor that a folder of keys holds; raises FileRefused."""
    return _read(folder, AuditAnchor, anchor=True)


def _read(folder: Path, kind: type[_Head], *, anchor: bool) -> _Head | None:
    data = read_head(folder, anchor=anchor)
    try:
        return None if data is None else msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        what = f"holds no {'anchor' if anchor else 'head'} of the audit log"
        fix = "restore the folder from a backup, or remove this file: the log then says that it was not there"
        raise FileRefused(folder, what, fix=fix, code="key_file_refused") from None


def _at(now: float) -> datetime:
    return datetime.fromtimestamp(int(now), UTC)


def _archives_in(folder: Path, most: int) -> list[AuditArchive]:
    """Read the last line of the newest files; what does not end with an anchor is no archive."""
    named = (_ARCHIVE.fullmatch(path.name) for path in (folder.iterdir() if folder.is_dir() else ()))
    found = sorted(((int(name[2]), int(name[1]), name[0]) for name in named if name), reverse=True)
    read = ((last - first + 1, folder / name, _last_anchor(folder / name)) for last, first, name in found[:most])
    return [AuditArchive(path=str(path.absolute()), rows=rows, anchor=anchor) for rows, path, anchor in read if anchor]


def _last_anchor(path: Path) -> AuditAnchor | None:
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_ANCHOR))
        last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        return msgspec.json.decode(last, type=AuditAnchor)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _opened(partial: Path) -> BinaryIO:
    make_folder(partial.parent)
    check_own(partial.parent)
    return os.fdopen(open_own(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb")


def _put(file: BinaryIO, partial: Path, path: Path) -> None:
    """Have the file under its name, and on the disk, before this returns."""
    file.flush()
    os.fsync(file.fileno())
    partial.replace(path)
    synced(path.parent)


@contextmanager
def _refusals(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"the audit log can't be archived in {folder} ({error.strerror or error}): nothing was",
            code="archive_failed",
        ) from error


def check_folder(data_dir: Path) -> AuditReport:
    """Check the log in a data folder; its network is not up meanwhile.

    Raises:
        ConfigurationError: there is no network in it (`no_data`), a server uses it (`store_in_use`), or what is kept of
            the log can't be read.
    """
    database = data_dir / DATABASE
    finish_restore(data_dir)
    if not database.exists():
        raise ConfigurationError(f"there is no network in {data_dir}", code="no_data")
    with owned(database):
        head = head_in(data_dir / KEYS)
        anchor = anchor_in(data_dir / KEYS)
        check = ChainCheck(
            describe(database).network, head, signed=_is_signed(head), anchor=anchor, anchored=_is_signed(anchor, head)
        )
        read_closed(database, lambda connection: check.take(all_rows(connection)))
        return check.report(headed=True)


def _is_signed(head: AuditHead | AuditAnchor | None, other: AuditHead | None = None) -> bool:
    """Tell whether it is signed, and with the same key as the other one."""
    if head is None:
        return True
    return is_signed(signed_part(head), head.signature, head.key) and (other is None or other.key == head.key)
