"""One process owns the file of a store: a lock that the system takes back when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.files import check_folder, open_own


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the lock `<path>.lock` in this block.

    The lock file stays behind: removing it could pull it away under a process that has just opened it.

    Raises:
        ConfigurationError: another process, or this, has it; or others can write in its folder, or have put a link
            there (`FileRefused`).
    """
    check_folder(path.parent)
    file = open_own(Path(f"{path}.lock"), os.O_RDWR | os.O_CREAT)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{path} is in use by process {_named(file)}; stop it, or set ATLAS_DATA_DIR to another folder",
                code="store_in_use",
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)


def owner(path: Path) -> str | None:
    """Return the number of the process that has the lock, as it says; None when nobody has it."""
    try:
        file = os.open(f"{path}.lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(file)
    finally:
        os.close(file)
    return None


def _named(file: int) -> str:
    return os.pread(file, 20, 0).decode("ascii", "replace").strip() or "(unknown)"
