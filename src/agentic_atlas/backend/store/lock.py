"""One process owns the file of a store: a lock that the system takes back when the process ends, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentic_atlas.errors import ConfigurationError


@contextmanager
def owned(path: Path) -> Iterator[None]:
    """Hold the lock `<path>.lock` in this block. Raises ConfigurationError when another process, or this, has it.

    The lock file stays behind: removing it could pull it away under a process that has just opened it.
    """
    file = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(file, 20, 0).decode("ascii", "replace").strip()
            raise ConfigurationError(
                f"{path} is in use by process {owner or '(unknown)'}; stop it, or set ATLAS_DATA_DIR to another folder",
                code="store_in_use",
            ) from None
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(file)
