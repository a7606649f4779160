"""The process that reads files: `python -m library.worker`.

It takes one request a line on standard input and answers each with one line on standard output, both JSON:

    {"path": "/home/ana/lease.pdf", "name": "lease.pdf", "limits": {…}}
    {"unit": "page", "title": "…", "notes": […], "passages": [["heading", "text", [1, 1]], …]}  or  {"skipped": "…"}

A process of its own, because files come from anywhere and their formats are intricate: whatever one does (never end,
eat all memory, crash the interpreter) happens here, and reading.py goes on with the next one.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import stat
import sys
from pathlib import Path
from typing import Any, BinaryIO

from library.document import Limits, Reading
from library.errors import Unreadable
from library.passages import reading
from library.readers import reader_for

_MEMORY = 2 * 1024**3
_GRACE_SECONDS = 5.0
# Without waiting (a FIFO has no writer) and without following a link put there since the folder was listed.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def read_file(path: Path, name: str, limits: Limits) -> Reading:
    """Reads one file into passages.

    Raises Unreadable with the reason when it cannot be read.
    """
    read = reader_for(name)
    if read is None:
        raise Unreadable("is of a kind that is not read")
    try:
        with _opened(path) as stream:
            return reading(read(stream, os.fstat(stream.fileno()).st_size, limits), limits)
    except OSError as error:
        raise Unreadable(f"cannot be opened: {error.strerror}") from error


def _opened(path: Path) -> BinaryIO:
    if os.path.realpath(path) != os.fspath(path):
        raise Unreadable("is reached through a symbolic link")
    descriptor = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable("is no ordinary file")
    return os.fdopen(descriptor, "rb")


def answer(line: bytes) -> bytes:
    """The answer to one request, as the line to send."""
    request = json.loads(line)
    limits = Limits(**request["limits"])
    faulthandler.dump_traceback_later(limits.seconds + _GRACE_SECONDS, exit=True, file=2)
    try:
        found = _told(read_file(Path(request["path"]), request["name"], limits))
    except Unreadable as error:
        found = {"skipped": error.reason}
    except MemoryError:
        found = {"skipped": "needs too much memory"}
    except Exception as error:  # noqa: BLE001 - a file nobody foresaw costs that file, never the others
        found = {"skipped": f"is damaged ({type(error).__name__})"}
    finally:
        faulthandler.cancel_dump_traceback_later()
    return json.dumps(found).encode() + b"\n"


def _told(found: Reading) -> dict[str, Any]:
    return {
        "unit": found.unit,
        "title": found.title,
        "notes": found.notes,
        "passages": [(passage.heading, passage.text, passage.positions) for passage in found.passages],
    }


def _limit_memory() -> None:
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = _MEMORY if most == resource.RLIM_INFINITY else min(_MEMORY, most)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, most))


def main() -> None:
    """Answers requests until standard input ends, which it does at the latest when the asking process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the agent, which then closes our input
    _limit_memory()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # nothing a parser prints may end up between the answers
    for line in sys.stdin.buffer:
        answers.write(answer(line))
        answers.flush()


if __name__ == "__main__":
    main()
