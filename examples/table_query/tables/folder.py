"""What lies in the folder: every file with a name for its table, and what is not read with the reason."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tables.errors import FolderMissing
from tables.limits import MOST_FILES
from tables.names import name_files
from tables.table import Skipped

KINDS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
}
"""Endings that are read, and how. A name may end with several of them; the longest counts."""
_FORMAT = 1
"""Counted up when the conversion changes, so that files converted before are converted again."""
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_OFFICE_LOCK = "~$"
_MOST_SKIPPED = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that is to be read."""

    path: str
    """Relative to the folder, with `/`."""
    file: Path
    """Where it is: an absolute path without symbolic links."""
    kind: str
    name: str
    """Of its table; of a workbook with several sheets, what their names begin with."""
    size: int
    modified: float
    """Seconds since 1970."""
    key: str
    """Changes whenever the file does: a digest of its path, size, both times, and which file it is."""


def scan(folder: Path, most: int = MOST_FILES) -> tuple[list[Entry], list[Skipped]]:
    """Everything in the folder in order of name; opens no file.

    Hidden files and folders of programs are left out. Symbolic links are not followed: inside the folder they lead to
    what is listed anyway, and outside lies what nobody meant to be asked. Raises FolderMissing.
    """
    root = Path(os.path.realpath(folder))
    if not root.is_dir():
        raise FolderMissing(folder)
    found: dict[str, tuple[Path, os.stat_result]] = {}
    skipped: list[Skipped] = []
    for seen in _walk(root):
        if len(found) >= most or len(skipped) >= _MOST_SKIPPED:
            skipped.append(Skipped("…", f"the folder holds more than {most:,} files; the others are not read"))
            break
        if isinstance(seen, Skipped):
            skipped.append(seen)
        else:
            path, state = seen
            found[_shown(path, root)] = (path, state)
    names = name_files(found)
    entries = [_entry(path, names[path], *found[path]) for path in sorted(found)]
    return entries, sorted(skipped, key=lambda line: line.file)


def kind_of(name: str) -> str | None:
    """How a file of this name is read; None for what is not."""
    return next((kind for ending, kind in KINDS.items() if name.lower().endswith(ending)), None)


def _walk(root: Path) -> Iterator[tuple[Path, os.stat_result] | Skipped]:
    waiting = [root]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as listed:
                items = sorted((item for item in listed if not _left_out(item.name)), key=lambda item: item.name)
        except OSError as error:
            yield Skipped(_shown(current, root), f"the folder cannot be opened: {error.strerror}")
            continue
        for item in items:
            if item.is_dir(follow_symlinks=False):
                waiting.append(Path(item.path))
            else:
                yield _seen(item, root)


def _left_out(name: str) -> bool:
    return name.startswith((".", _OFFICE_LOCK)) or name in _LEFT_OUT


def _seen(item: os.DirEntry[str], root: Path) -> tuple[Path, os.stat_result] | Skipped:
    reason = ""
    if item.is_symlink():
        reason = "is a symbolic link; the file itself has to be in the folder"
    elif item.name.lower().endswith(".xls"):
        reason = "is of the old Excel format: save it as .xlsx"
    elif kind_of(item.name) is None:
        reason = f"files of this kind ({Path(item.name).suffix.lower() or 'no ending'}) are not read"
    try:
        state = item.stat(follow_symlinks=False)
    except OSError as error:
        return Skipped(_shown(Path(item.path), root), reason or f"cannot be looked at: {error.strerror}")
    if not reason and not stat.S_ISREG(state.st_mode):
        reason = "is no ordinary file"
    if not reason and not _is_text(item.path):
        reason = "its name is not valid Unicode"
    return Skipped(_shown(Path(item.path), root), reason) if reason else (Path(item.path), state)


def _is_text(path: str) -> bool:
    # Bytes of a name that are no UTF-8 are halves of surrogate pairs in Python, which DuckDB does not take.
    return not any("\ud800" <= character <= "\udfff" for character in path)


def _shown(path: Path, root: Path) -> str:
    relative = os.fsencode(os.path.relpath(path, root)).decode("utf-8", "backslashreplace")
    return relative.replace(os.sep, "/")


def _entry(path: str, name: str, file: Path, state: os.stat_result) -> Entry:
    sign = f"{_FORMAT} {path} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
    key = hashlib.sha256(sign.encode()).hexdigest()[:40]
    return Entry(path, file, kind_of(path) or "", name, state.st_size, state.st_mtime, key)
