"""Reads files in a process of its own, within a time limit. The other side is worker.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from library.document import Limits, Passage, Reading
from library.errors import Closed, Unreadable

_HOME = Path(__file__).resolve().parent.parent
_SECRET = "AGENT_JWT_TOKEN"  # noqa: S105 - the name of the variable, not its value
_START_SECONDS = 10.0
"""Added to the time limit of the first file, for the process to start."""


class FileReader:
    """Reads one file after another; used by one thread at a time. `close` may come from another."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def read(self, path: Path, name: str) -> Reading:
        """Reads the file at `path`; `name` says its kind.

        Raises Unreadable with the reason when the file cannot be read, also because it took too long or ended
        the process; Closed when this reader was closed.
        """
        request = json.dumps({"path": os.fspath(path), "name": name, "limits": asdict(self._limits)})
        line = self._exchange(request.encode() + b"\n")
        answer = json.loads(line)
        if "skipped" in answer:
            raise Unreadable(answer["skipped"])
        passages = tuple(Passage(heading, text, tuple(positions)) for heading, text, positions in answer["passages"])
        return Reading(answer["unit"], answer["title"], passages, tuple(answer["notes"]))

    def close(self) -> None:
        """Ends the process; whatever it is reading is given up."""
        self._closed = True
        self._end()

    def _exchange(self, request: bytes) -> bytes:
        started, process = self._running()
        late = threading.Event()

        def end_late() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self._limits.seconds + (_START_SECONDS if started else 0), end_late)
        timer.start()
        try:
            line = _asked(process, request)
        finally:
            timer.cancel()
            timer.join()
        if late.is_set() or not line.endswith(b"\n"):
            self._end()
            self._give_up(late=late.is_set())
        return line

    def _give_up(self, *, late: bool) -> None:
        if self._closed:
            raise Closed
        if late:
            raise Unreadable(f"takes longer than {self._limits.seconds:g} seconds to read")
        raise Unreadable("ended the process that reads it")

    def _running(self) -> tuple[bool, subprocess.Popen[bytes]]:
        """Whether the process was only now started, and the process."""
        if self._closed:
            raise Closed
        if self._process is not None and self._process.poll() is None:
            return False, self._process
        self._end()
        # Files nobody vouches for are read there, so the agent's token stays here.
        environment = {name: value for name, value in os.environ.items() if name != _SECRET}  # noqa: TID251
        self._process = subprocess.Popen(
            [sys.executable, "-m", "library.worker"],
            cwd=_HOME,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return True, self._process

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):  # a request that was not sent any more
                if pipe is not None:
                    pipe.close()


def _asked(process: subprocess.Popen[bytes], request: bytes) -> bytes:
    """The answer to a request; cut short or empty when the process ended meanwhile."""
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(request)
        process.stdin.flush()
        return process.stdout.readline()
    except (BrokenPipeError, ValueError):  # ValueError: the pipes were closed by another thread
        return b""
