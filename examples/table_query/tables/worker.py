"""The process that reads one file or runs one query, and ends: `python -m tables.worker`.

It says `ready`, takes one job on standard input and answers on standard output, each a line of JSON; see jobs.py. It
ends at once when standard input is closed, so it never outlives the agent.

A process of its own, because SQL and files come from anywhere: whatever they do (never end, eat all memory, crash
DuckDB) happens here. The operating system holds it to its memory and, while it runs SQL, keeps it from writing files,
should DuckDB's own limits and locks fail.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Final

from tables.describing import describe
from tables.engine import locked
from tables.errors import QueryFailed, Unreadable
from tables.jobs import Ask, Convert, Describe, Job, read_job, write_error, write_result
from tables.limits import Limits
from tables.selecting import select

_OVERHEAD: Final = 2 * 1024**3
"""Address space for the interpreter, DuckDB's code and its threads, on top of what DuckDB may use."""
_DESCRIBED: Final = "described"


def result(job: Job, limits: Limits) -> bytes:
    """Does a job, and returns the line to answer."""
    try:
        return _done(job, limits)
    except Unreadable as error:
        return write_error("unreadable", error.reason, passing=error.passing)
    except QueryFailed as error:
        return write_error(error.code, str(error))
    except MemoryError:
        if isinstance(job, Convert):
            return write_error("unreadable", "needs too much memory")
        return write_error("too_much_memory", f"the query needs more than {limits.memory_megabytes} MB of memory")
    except OSError as error:
        if isinstance(job, Convert):
            return write_error("unreadable", f"cannot be read: {error.strerror}", passing=True)
        return write_error("query_failed", f"the query cannot be run: {error.strerror}")
    except Exception as error:  # noqa: BLE001 - a file or query nobody foresaw costs this one answer
        code = "unreadable" if isinstance(job, Convert) else "query_failed"
        what = "is damaged" if code == "unreadable" else "the query failed"
        return write_error(code, f"{what} ({type(error).__name__})")


def _done(job: Job, limits: Limits) -> bytes:
    match job:
        case Convert(file, kind, target):
            # Only now: what reads Excel is slow to import, and most jobs are queries.
            from tables.convert import convert

            return write_result(convert(file, kind, target, limits))
        case Ask(views, sql, limit):
            with locked(views, limits) as connection:
                return write_result(select(connection, sql, limit))
        case Describe(file):
            with locked({_DESCRIBED: file}, limits) as connection:
                return write_result(describe(connection, _DESCRIBED))


def bound(job: Job, limits: Limits) -> None:
    """Has the operating system hold this process to its limits, from here on."""
    if sys.platform == "win32":
        return
    import resource

    converting = isinstance(job, Convert)
    seconds = limits.import_seconds if converting else limits.query_seconds
    megabytes = limits.import_megabytes if converting else limits.memory_megabytes
    _lower(resource.RLIMIT_AS, megabytes * 1024**2 + _OVERHEAD)
    _lower(resource.RLIMIT_CPU, int(seconds * (limits.threads + 1)) + 10)
    _lower(resource.RLIMIT_FSIZE, limits.file_bytes if converting else 0)
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    import resource

    _, most = resource.getrlimit(kind)
    wanted = value if most == resource.RLIM_INFINITY else min(value, most)
    try:
        resource.setrlimit(kind, (wanted, most))
    except (ValueError, OSError):
        return  # macOS knows some of these and does not take them


def _read_line() -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1024 * 1024)
        if not piece:
            return b""
        line += piece
    return line


def _end_with_agent() -> None:
    """Ends the process when nobody waits for it any more. Not through `sys.stdin`, whose lock would outlive us."""
    while os.read(0, 1024):
        pass
    os._exit(1)


def main() -> None:
    """Does the one job."""
    # Whatever else is printed in here, by anyone, is not for the agent.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    answers.write(b"ready\n")
    answers.flush()
    line = _read_line()
    if not line:
        return
    threading.Thread(target=_end_with_agent, daemon=True).start()
    job, limits = read_job(line)
    bound(job, limits)
    answers.write(result(job, limits))
    answers.flush()
    # Without tidying up: DuckDB's threads may be in the middle of something that takes long.
    os._exit(0)


if __name__ == "__main__":
    main()
