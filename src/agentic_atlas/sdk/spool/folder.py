"""The folder of one token and those that came out of it, with a file for each of its processes.

The files of the living ones are locked, the others are to be had.
"""

import contextlib
import errno
import re
from pathlib import Path
from typing import Final

from agentic_atlas.files import PRIVATE_FOLDER, make_folder
from agentic_atlas.sdk.spool.journal import DRAFT, HAS_LOCKS, SUFFIX, Journal

NAMES: Final = ("tok_*", "sha256-*")
"""Patterns of the names that tokens of ours have, for who looks for them in a folder."""

_TRIES: Final = 3
_ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def create(folder: Path, process: str) -> Journal:
    """Make a process's own file, and the folder (mode 0700) where there is none. Raises OSError."""
    if not HAS_LOCKS:
        raise OSError(errno.ENOTSUP, "this system has no flock, so a process that is dead looks like one that lives")
    for _ in range(_TRIES):
        make_folder(folder)
        if folder.is_symlink():
            raise OSError(errno.ELOOP, "it is a link to another place", str(folder))
        if folder.stat().st_mode & 0o077:
            folder.chmod(PRIVATE_FOLDER)
        # FileNotFoundError: another process has just ended, and removed the folder that was empty.
        with contextlib.suppress(FileNotFoundError):
            journal = Journal.create(folder / f"{process}{SUFFIX}")
            if journal is not None:
                return journal
    raise OSError(errno.EAGAIN, "other processes take its files away")


def dead(folder: Path, own: Path) -> list[Journal]:
    """Return the files of processes that have ended, those with records first, the newest of them first.

    Raises OSError when the folder cannot be read; a file that cannot is left alone.
    """
    taken = []
    for path in sorted(folder.iterdir(), key=_worth, reverse=True):
        journal = None if path == own or not _is_ours(path) else _take(path)
        if journal is None:
            continue
        if path.suffix == SUFFIX:
            taken.append(journal)
        else:
            journal.close(delete=True)
    return taken


def sweep(own: Path, before: float) -> int:
    """Delete what ended processes of other tokens wrote last before this time; return how many records that were.

    Nobody comes for the files of a token that is not used any more, and the results in them are too old by then. The
    folder may be one for other things too: only what was certainly written here is touched.
    """
    records = 0
    for path in (path for name in NAMES for path in own.parent.glob(f"{name}/*{SUFFIX}")):
        journal = _take(path) if path.parent != own and _is_ours(path) and _written(path) < before else None
        if journal is not None:
            records += len(journal)
            journal.close(delete=journal.size > 0 or not _holds_something(path))
            remove_if_empty(path.parent)
    return records


def remove_if_empty(folder: Path) -> None:
    """Remove the folder when nothing is in it."""
    with contextlib.suppress(OSError):
        folder.rmdir()


def _is_ours(path: Path) -> bool:
    return path.suffix in (SUFFIX, DRAFT) and _ID.fullmatch(path.stem) is not None


def _take(path: Path) -> Journal | None:
    try:
        return Journal.take(path)
    except OSError:
        return None


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return float("inf")


def _holds_something(path: Path) -> bool:
    return _worth(path)[0]


def _worth(path: Path) -> tuple[bool, float]:
    try:
        found = path.stat()
    except OSError:
        return (False, 0.0)
    return (found.st_size > 0, found.st_mtime)
