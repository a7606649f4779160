"""Where the lines of one agent's log go: to the network, and into a file on this machine."""

import os
from collections.abc import Callable, Mapping

from agentic_atlas.protocol.messages import LogLine
from agentic_atlas.sdk.lines.file import LogFile
from agentic_atlas.sdk.lines.line import fitting
from agentic_atlas.sdk.lines.own import own_line
from agentic_atlas.sdk.lines.ring import LogRing


class Outlet:
    """One agent's, in the process that it was made in. Safe from any thread, and never fails.

    Attributes:
        ring: what is to be sent.
        wake: told when there is something to send and nothing waited before; set by whoever sends it.
    """

    def __init__(self) -> None:
        self.ring = LogRing()
        self.wake: Callable[[], object] = _nobody
        self._file: LogFile | None = None
        self._process = os.getpid()

    @property
    def copied(self) -> bool:
        """Whether this process is a copy (`fork`) of the agent's: nothing that is said here comes to anybody."""
        return os.getpid() != self._process

    def keep(self, file: LogFile) -> None:
        """Write what is told from now on into a file too."""
        self._file = file

    def hear(self, event: Mapping[str, object]) -> None:
        """Take a line of the agent's own log, where it is one for the network."""
        line = own_line(event)
        if line is not None:
            self.tell(line)

    def tell(self, line: LogLine) -> None:
        """Take a line."""
        if self.copied:
            return
        line, size = fitting(line)
        if self._file is not None:
            self._file.write(line)
        if self.ring.add(line, size):
            self.wake()

    def close(self) -> None:
        """Nothing more is said."""
        if self._file is not None and not self.copied:
            self._file.close()


def _nobody() -> None:
    pass
