"""Processes that a command starts, and that end with it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agentic_atlas.errors import Unavailable

STOP_WITHIN = 15.0
"""Seconds a process has to end after SIGTERM."""

_SHOWN_OF_LOG = 2_000


@dataclass(frozen=True)
class Child:
    """A process, and the file its output goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        """Raise Unavailable, with the end of its output, when it is not running any more."""
        code = self.process.poll()
        if code is not None:
            said = self.log.read_text(errors="replace")[-_SHOWN_OF_LOG:].strip()
            raise Unavailable(f"{self.name} ended with exit code {code}; its last words:\n{said}")


@contextmanager
def started(
    name: str, command: Sequence[str], *, folder: Path, environ: Mapping[str, str], log: Path
) -> Iterator[Child]:
    """Run a process through the block; at its end it is asked to stop, and made to when it does not."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield Child(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
