"""What lies in the folder: every file with a sign of its state, and what will not be read with the reason."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from library.errors import FolderMissing
from library.readers import reader_for

MOST_FILES = 100_000
_LEFT_OUT = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_OFFICE_LOCK = "~$"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the folder."""

    path: str
    """Relative to the folder, as the system names it."""
    name: str
    """The same for people and for the index: with `/`, and valid Unicode whatever the bytes on the disk are."""
    signature: str
    """Changes whenever the file does: size, both times, and which file it is. A copy put in its place with the old
    modification time, or a changed permission, shows in the time of change."""
    skipped: str = ""
    """Why it is not read; empty for what is to be read."""


def scan(folder: Path, most: int = MOST_FILES) -> list[Entry]:
    """Everything in the folder in order of name, hidden files and folders of programs left out. Opens no file.

    Symbolic links are not followed: inside the folder they lead to what is listed anyway, and outside lies what
    nobody meant to be searched. Raises FolderMissing when there is no folder.
    """
    if not folder.is_dir():
        raise FolderMissing(folder)
    found: list[Entry] = []
    for entry in _walk(folder, folder):
        if len(found) >= most:
            found.append(_skip("…", f"the folder holds more than {most:,} files; the others are not read"))
            break
        found.append(entry)
    return sorted(found, key=lambda entry: entry.name)


def _walk(folder: Path, root: Path) -> Iterator[Entry]:
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            with os.scandir(current) as listed:
                items = [item for item in listed if not _left_out(item.name)]
        except OSError as error:
            yield _skip(_relative(current, root), f"the folder cannot be opened: {error.strerror}")
            continue
        for item in items:
            if _is_folder(item):
                waiting.append(Path(item.path))
            else:
                yield _entry(item, root)


def _is_folder(item: os.DirEntry[str]) -> bool:
    try:
        return item.is_dir(follow_symlinks=False)
    except OSError:
        return False  # it is looked at again as a file, and the report says what is wrong


def _left_out(name: str) -> bool:
    return name.startswith((".", _OFFICE_LOCK)) or name in _LEFT_OUT


def _entry(item: os.DirEntry[str], root: Path) -> Entry:
    path = _relative(Path(item.path), root)
    if item.is_symlink():
        return _skip(path, _link_reason(Path(item.path), root))
    if reader_for(item.name) is None:
        ending = Path(item.name).suffix.lower()
        return _skip(path, f"files of this kind ({ending or 'no ending'}) are not read")
    try:
        state = item.stat(follow_symlinks=False)
    except OSError as error:
        return _skip(path, f"cannot be looked at: {error.strerror}")
    if not stat.S_ISREG(state.st_mode):
        return _skip(path, "is no ordinary file")
    signature = f"{state.st_size} {state.st_mtime_ns} {state.st_ctime_ns} {state.st_ino}"
    return Entry(path, shown(path), signature)


def _skip(path: str, reason: str) -> Entry:
    return Entry(path, shown(path), f"skipped: {reason}", reason)


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root)


def _link_reason(link: Path, root: Path) -> str:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        return "is a symbolic link that leads nowhere"
    inside = target.is_relative_to(root)
    return "is a symbolic link to a file of the folder" if inside else "is a symbolic link out of the folder"


def shown(path: str) -> str:
    """A path as people see it: `/` between folders; bytes that are not UTF-8 are written as `\\xe9`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")
