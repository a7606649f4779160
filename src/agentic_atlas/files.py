"""Files that are this user's alone, where nobody else can have put them, or a link in their place.

Whoever may write in a folder may put a link there. A program that follows it writes, shortens or opens to its owner
what they themselves could not touch. So a folder of ours is one that nobody else can write in, and a file of ours is a
plain file under one name.

The credentials file of a person is another matter: they may keep it elsewhere, and a link there is theirs.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

from agentic_atlas.errors import ConfigurationError

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


class FileRefused(ConfigurationError):
    """A file or folder of ours that is not whole, or that somebody else may have put there, may read or may change."""

    default_code = "file_refused"

    def __init__(self, path: Path, what: str, *, fix: str, code: str | None = None) -> None:
        super().__init__(f"{path} {what}: {fix}", code=code)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone, whatever the umask.

    The standard library gives its mode to the last one only. Raises OSError.
    """
    if folder.is_dir():
        return
    if folder.parent != folder:
        make_folder(folder.parent)
    folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)


def check_folder(folder: Path) -> None:
    """See that nobody else can put anything into a folder of ours; root can, as everywhere.

    Raises:
        FileRefused: others may write in it, or it is another user's. OSError: there is none.
    """
    status = folder.stat()
    if status.st_mode & _OTHERS_WRITE:
        fix = f"chmod go-w {folder}, or name a folder in it of your own"
        raise FileRefused(folder, "can be written in by other users of this machine", fix=fix)
    user = os.geteuid()
    # Root may be given a folder of the user whose data it is; nobody else has a use for another user's.
    if status.st_uid not in (user, 0) and user != 0:
        raise FileRefused(folder, "belongs to another user", fix="name a folder of your own")


def open_own(path: Path, flags: int, *, alone: bool = True) -> int:
    """Open a file of ours and return its descriptor; one that is made is for its owner alone.

    Args:
        path: where it is.
        flags: as for `os.open`.
        alone: refuse one that has a second name, which may be in a place of somebody else.

    Raises:
        FileRefused: it is a link, no plain file, or has a second name. OSError: it can't be opened.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for somebody at its other end.
        file = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, PRIVATE_FILE)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK):
            raise FileRefused(path, "is a link, which is not followed here", fix="put the file itself there") from None
        if error.errno in (errno.ENXIO, errno.EISDIR):
            raise _not_plain(path) from None
        raise
    try:
        _check_plain(path, os.fstat(file), alone=alone)
    except BaseException:
        os.close(file)
        raise
    return file


def _check_plain(path: Path, status: os.stat_result, *, alone: bool) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _not_plain(path)
    if alone and status.st_nlink != 1:
        raise FileRefused(path, "has another name as well (a hard link)", fix="copy it, and put the copy there")


def _not_plain(path: Path) -> FileRefused:
    return FileRefused(path, "is no plain file", fix="remove it, or name another folder")
