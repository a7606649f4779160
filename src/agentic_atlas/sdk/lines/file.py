"""The log of an agent in a file of this machine: JSON lines, bounded, for its owner alone.

When the file is full it becomes `NAME.log.1`, that one `NAME.log.2`, …, and the oldest is deleted. Of several processes
of an agent each has its own: the second writes `NAME-2.log`.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.files import check_folder, make_folder, open_own
from agentic_atlas.protocol.messages import LogLine

try:
    import fcntl
except ImportError:  # Windows, where processes of one agent share a file
    HAS_LOCKS = False
else:
    HAS_LOCKS = True

_PROCESSES: Final = 50
"""Most processes of one agent that have files of their own beside each other."""


class LogFile:
    """Implements the file; safe from any thread. What can't be written is left out, and that is said once."""

    def __init__(self, path: Path, *, size: int, files: int, failed: Callable[[str], object]) -> None:
        """Open it, at the end.

        Args:
            path: where it is; the folder is made.
            size: bytes after which a new one is begun.
            files: how many are kept, this one included.
            failed: told once, in words, that it can't be written.
        """
        self._wanted = path
        self._size, self._files = size, files
        self._failed: Callable[[str], object] | None = failed
        # Whoever is told that it fails may log that, which comes here again.
        self._lock = threading.RLock()
        self._path = path
        self._descriptor: int | None = None
        self._written = 0
        with self._told():
            make_folder(path.parent)
            check_folder(path.parent)
            self._open()

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._path

    def write(self, line: LogLine) -> None:
        """Add a line."""
        data = _encoded(line)
        with self._lock, self._told():
            if self._descriptor is None:
                return
            if self._written and self._written + len(data) > self._size:
                self._turn()
            if self._descriptor is not None:
                os.write(self._descriptor, data)
                self._written += len(data)

    def close(self) -> None:
        """Write nothing more."""
        with self._lock:
            self._close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, AtlasError) as error:
            self._close()
            failed, self._failed = self._failed, None
            if failed is not None:
                failed(f"{self._path}: {error.message if isinstance(error, AtlasError) else error.strerror}")

    def _open(self) -> None:
        """Open the first of the names that no other process writes to."""
        for number in range(1, _PROCESSES + 1):
            path = self._wanted
            if number > 1:
                path = path.with_name(f"{path.stem}-{number}{path.suffix}")
            descriptor = open_own(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            if _locked(descriptor):
                self._path, self._descriptor = path, descriptor
                self._written = os.fstat(descriptor).st_size
                return
            os.close(descriptor)

    def _turn(self) -> None:
        """Begin a new file."""
        self._close()
        for number in range(self._files - 1, 0, -1):
            older = self._path if number == 1 else _numbered(self._path, number - 1)
            with contextlib.suppress(FileNotFoundError):
                older.replace(_numbered(self._path, number))
        if self._files == 1:
            self._path.unlink(missing_ok=True)
        self._open()

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _locked(descriptor: int) -> bool:
    if not HAS_LOCKS:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _encoded(line: LogLine) -> bytes:
    when = datetime.fromtimestamp(line.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told = {name: getattr(line, name) for name in line.__struct_fields__ if name != "at"}
    return msgspec.json.encode({"timestamp": when} | {name: value for name, value in told.items() if value}) + b"\n"
