"""One file of records, written by one process, that survives the process at any moment.

    record = alive (1 byte) · length (4) · CRC-32 of length and payload (4) · payload

A record is there when it is there whole: what a process that was killed left half written fails its CRC, and is cut
off. Removing one sets its first byte to zero, which needs no room on a full disk; a file without records is empty; and
one with more dead bytes than living ones is written anew beside the old one and put in its place.

The file is locked for as long as its process lives, and the system takes the lock back however that ends: whoever gets
the lock of a file knows that its process is dead.
"""

import contextlib
import errno
import os
import stat
import struct
import weakref
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

try:
    import fcntl
except ImportError:  # Windows
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

MOST_DEAD: Final = 1024 * 1024
"""Dead bytes below which a file is never written anew."""

_HEAD: Final = struct.Struct("<BII")
_ALIVE: Final = 1
_DEAD: Final = b"\0"
_FLAGS: Final = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class Journal:
    """An open, locked file of records; each is named by a number of its own. Not for several threads.

    Every method may raise OSError, and leaves the other records as they were; one whose removal failed may come back.
    """

    def __init__(self, descriptor: int, path: Path, most_dead: int = MOST_DEAD) -> None:
        """Take an open and locked file; it is written anew when it has more than `most_dead` dead bytes."""
        self.path = path
        self._most_dead = most_dead
        self._descriptor = descriptor
        # By number: which bytes of the file each record has.
        self._places: dict[int, range] = {}
        self._last = 0
        self._end = 0
        self._living = 0
        self._torn = False
        _open.add(self)

    @classmethod
    def create(cls, path: Path, *, most_dead: int = MOST_DEAD) -> "Journal | None":
        """Make the file, mode 0600; None when another process took it for a dead one's before it was locked."""
        descriptor = os.open(path, _FLAGS | os.O_CREAT, 0o600)
        return cls(descriptor, path, most_dead) if _lock(descriptor) else None

    @classmethod
    def take(cls, path: Path, *, most_dead: int = MOST_DEAD) -> "Journal | None":
        """Open the file of a process that is dead, with its records; None when it lives. Nothing is changed yet."""
        descriptor = os.open(path, _FLAGS | getattr(os, "O_NONBLOCK", 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "it is no file", str(path))
        if not _lock(descriptor):
            return None
        journal = cls(descriptor, path, most_dead)
        try:
            journal._load()
        except OSError:
            journal.close()
            raise
        return journal

    def __len__(self) -> int:
        return len(self._places)

    @property
    def living(self) -> int:
        """Bytes of the records that are there."""
        return self._living

    @property
    def size(self) -> int:
        """Bytes of the whole records, dead ones included."""
        return self._end

    def append(self, payload: bytes) -> int:
        """Add a record, never an empty one; return its number."""
        if self._end - self._living > max(self._living, self._most_dead):
            # Without room for a second file it goes on in the old one.
            with contextlib.suppress(OSError):
                self._rewrite()
        if self._torn:
            os.ftruncate(self._descriptor, self._end)
            self._torn = False
        place = range(self._end, self._end + _HEAD.size + len(payload))
        try:
            _write(self._descriptor, _framed(payload), place.start)
        except OSError:
            self._torn = True
            raise
        return self._added(place)

    def remove(self, number: int) -> None:
        """Take a record out; one that is not there changes nothing."""
        place = self._places.pop(number, None)
        if place is None:
            return
        self._living -= len(place)
        if self._places:
            _write(self._descriptor, _DEAD, place.start)
        else:
            os.ftruncate(self._descriptor, 0)
            self._end, self._torn = 0, False

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Return the records with their numbers, the oldest first."""
        for number, place in list(self._places.items()):
            yield number, self._read(place)[_HEAD.size :]

    def close(self, *, delete: bool = False) -> None:
        """Give the file up, for the next process or for good."""
        try:
            if delete:
                self.path.unlink(missing_ok=True)
        finally:
            _open.discard(self)
            os.close(self._descriptor)

    # -- inside

    def _added(self, place: range) -> int:
        self._last += 1
        self._places[self._last] = place
        self._end = place.stop
        self._living += len(place)
        return self._last

    def _load(self) -> None:
        with open(self._descriptor, "rb", closefd=False) as file:
            for place, alive in scan(file):
                self._added(place)
                if not alive:
                    del self._places[self._last]
                    self._living -= len(place)
        self._torn = os.fstat(self._descriptor).st_size > self._end

    def _read(self, place: range) -> bytes:
        return os.pread(self._descriptor, len(place), place.start)

    def _rewrite(self) -> None:
        """Put a file with the living records only in the place of this one; at no time is there none."""
        draft = self.path.with_suffix(DRAFT)
        descriptor = os.open(draft, _FLAGS | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            if not _lock(descriptor, close=False):
                raise OSError(errno.EAGAIN, "somebody else writes this file")
            places, end = {}, 0
            for number, place in self._places.items():
                _write(descriptor, self._read(place), end)
                places[number] = range(end, end + len(place))
                end += len(place)
            draft.replace(self.path)
        except OSError:
            os.close(descriptor)
            draft.unlink(missing_ok=True)
            raise
        os.close(self._descriptor)
        self._descriptor, self._places, self._end, self._torn = descriptor, places, end, False


_open: "weakref.WeakSet[Journal]" = weakref.WeakSet()


def _let_go() -> None:
    """A child that a skill forks does not hold the locks of its parent: they would be held beyond the parent's end."""
    for journal in list(_open):
        os.close(journal._descriptor)
        journal._descriptor = -1


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)

SUFFIX: Final = ".spool"
DRAFT: Final = ".draft"
"""Ending of a file that is being written anew; one that is not locked was left by a process that was killed then."""


def scan(file: BinaryIO) -> Iterator[tuple[range, bool]]:
    """Return where each whole record is and whether it lives, up to the first one that is not whole."""
    offset = 0
    size = os.fstat(file.fileno()).st_size
    while len(head := file.read(_HEAD.size)) == _HEAD.size:
        alive, length, checksum = _HEAD.unpack(head)
        # A hole that a file system left is all zeros: no record is empty.
        payload = file.read(length) if length <= size - offset - _HEAD.size else b""
        if not length or len(payload) < length or _checksum(payload) != checksum:
            return
        place = range(offset, offset + _HEAD.size + length)
        yield place, alive == _ALIVE
        offset = place.stop


def _framed(payload: bytes) -> bytes:
    return _HEAD.pack(_ALIVE, len(payload), _checksum(payload)) + payload


def _checksum(payload: bytes) -> int:
    return zlib.crc32(payload, len(payload))


def _write(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _lock(descriptor: int, *, close: bool = True) -> bool:
    """Take the file's lock; without success, or when the file has been deleted meanwhile, close it."""
    taken = False
    try:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            taken = os.fstat(descriptor).st_nlink > 0
        return taken
    finally:
        if close and not taken:
            os.close(descriptor)
