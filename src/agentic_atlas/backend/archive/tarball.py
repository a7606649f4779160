"""A backup's file, written and read: every byte that goes in or out is counted and summed."""

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from agentic_atlas.backend.archive.manifest import (
    MANIFEST,
    Manifest,
    Member,
    check_name,
    damaged,
    longest,
    read_manifest,
)

if TYPE_CHECKING:
    from _typeshed import SupportsRead

PIECE = 1024 * 1024
"""Bytes read or written at a time."""
SYNCED_EVERY = 8 * 1024 * 1024
"""Bytes after which the disk is waited for: what piles up would make the database's own commits wait for it at once."""

Told = Callable[[int], None]
"""Told of each piece that was written, in bytes; what it raises ends the work."""


class Content(NamedTuple):
    """A file to be put into a backup."""

    name: str
    size: int
    source: "SupportsRead[bytes]"

    @classmethod
    def of(cls, name: str, data: bytes) -> "Content":
        """Return bytes in memory as a file of this name."""
        return cls(name, len(data), io.BytesIO(data))


class Summed:
    """A source that counts and sums what is read of it."""

    def __init__(self, source: "SupportsRead[bytes]") -> None:
        self._source = source
        self._sum = hashlib.sha256()
        self.size = 0

    def read(self, size: int = -1) -> bytes:
        """Read from the source."""
        data = self._source.read(size)
        self._sum.update(data)
        self.size += len(data)
        return data

    def member(self, name: str) -> Member:
        """Return what was read as a member of this name."""
        return Member(name, self.size, self._sum.hexdigest())


class Sink:
    """A new file (0600) that is on the disk when it is closed; sums what is written to it."""

    def __init__(self, path: Path, told: Told = lambda size: None) -> None:
        """Make the file. Raises OSError, FileExistsError too."""
        new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file: BinaryIO = os.fdopen(os.open(path, new, 0o600), "wb")
        self._sum = hashlib.sha256()
        self._told = told
        self._unsynced = 0
        self.size = 0

    def __enter__(self) -> "Sink":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._sync()

    @property
    def sha256(self) -> str:
        """The sum of what was written."""
        return self._sum.hexdigest()

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._told(len(data))
        self._file.write(data)
        self._sum.update(data)
        self.size += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNCED_EVERY:
            self._sync()
        return len(data)

    def tell(self) -> int:
        """Return where the next byte goes."""
        return self.size

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._unsynced = 0


def write(sink: Sink, contents: Iterable[Content], manifest: Callable[[tuple[Member, ...]], Manifest]) -> None:
    """Write a backup of these files; `manifest` makes what it says of them. Raises OSError."""
    members: list[Member] = []
    # GNU's form, for it alone knows files of more than 8 GiB without another header.
    with tarfile.open(fileobj=sink, mode="w", format=tarfile.GNU_FORMAT, copybufsize=PIECE) as tar:  # type: ignore[call-overload]  # all it needs of a file is write and tell
        for content in contents:
            summed = Summed(content.source)
            tar.addfile(_header(content.name, content.size), summed)
            members.append(summed.member(content.name))
        last = Content.of(MANIFEST, manifest(tuple(members)).encoded())
        tar.addfile(_header(MANIFEST, last.size), last.source)


def read(path: Path) -> Manifest:
    """Return what a backup says of itself, having seen that it holds that and nothing else; its content is not read.

    Raises:
        ConfigurationError: it is no whole backup (`backup_damaged`), or one of a later version (`backup_newer`).
        OSError: the file can't be read.
    """
    with path.open("rb") as file:
        return _manifest_of(_opened(file))


def unpack(path: Path, folder: Path, told: Told = lambda size: None) -> Manifest:
    """Write the files of a backup into an empty folder, for their owner alone; raises as `read` does.

    Nothing can get out of the folder: the names are those that a backup has, and only plain files are taken.
    """
    with path.open("rb") as file:
        tar = _opened(file)
        manifest = _manifest_of(tar)
        for member in manifest.members:
            _unpack(tar, member, folder / member.name, told)
    return manifest


def synced(folder: Path) -> None:
    """See that the names in the folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _opened(file: BinaryIO) -> tarfile.TarFile:
    with _reading():
        return tarfile.open(fileobj=file, mode="r:")


def _manifest_of(tar: tarfile.TarFile) -> Manifest:
    sizes = _sizes(tar)
    if MANIFEST not in sizes:
        raise damaged(f"it has no {MANIFEST}, which is written last")
    source = tar.extractfile(MANIFEST)
    assert source is not None
    manifest = read_manifest(source.read())
    named = {member.name: member.size for member in manifest.members} | {MANIFEST: sizes[MANIFEST]}
    if named != sizes:
        odd = sorted(name for name in named.keys() | sizes.keys() if named.get(name) != sizes.get(name))
        raise damaged(f"{odd[0]!r} is not as its {MANIFEST} says")
    return manifest


def _sizes(tar: tarfile.TarFile) -> dict[str, int]:
    """Return the name and size of every member; each is a plain file that a backup may have."""
    sizes: dict[str, int] = {}
    with _reading():
        for info in tar:
            check_name(info.name, list(sizes))
            if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():
                raise damaged(f"{info.name!r} is not a plain file")
            most = longest(info.name)
            if most is not None and info.size > most:
                raise damaged(f"{info.name!r} is longer than {most} bytes")
            sizes[info.name] = info.size
    return sizes


@contextmanager
def _reading() -> Iterator[None]:
    """Have whatever the reader of tars makes of a file that is none be one error."""
    try:
        yield
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        # The last four are what headers lead to that were made to harm.
        raise damaged(str(error) or type(error).__name__) from None


def _unpack(tar: tarfile.TarFile, member: Member, target: Path, told: Told) -> None:
    source = tar.extractfile(member.name)
    assert source is not None
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with Sink(target, told) as sink, _reading():
        shutil.copyfileobj(source, sink, PIECE)
    if (sink.size, sink.sha256) != (member.size, member.sha256):
        raise damaged(f"{member.name!r} is not what was written into it")


def _header(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info
