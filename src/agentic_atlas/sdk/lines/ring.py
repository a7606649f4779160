"""Log lines that the router has not kept yet: numbered, bounded, sent in order, and again after a cut.

Lines are numbered 1, 2, … in the order in which they came. When there are too many the oldest that are not on their way
are dropped, and their numbers are left out; the last of these numbers is that of a line that says how many were. Safe
from any thread.
"""

import threading
from collections import deque
from typing import Final

from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.protocol.messages import LINES_AT_ONCE, LogLine, Logs

HELD_LINES: Final = 10_000
"""Most log lines of an agent that wait to be kept; with more, the oldest are dropped and counted."""
HELD_LINE_BYTES: Final = 4 * 1024 * 1024
"""Most bytes of JSON that these take."""

_OF_FRAME: Final = 512
"""Bytes of a message beside its lines, the line about dropped ones included."""


class LogRing:
    """What is to be told of one process's log.

    Attributes:
        waiting: whether there is something to send; nothing is sent while other lines are on their way.
        dropped: how many were dropped so far.
    """

    def __init__(self, most_lines: int = HELD_LINES, most_bytes: int = HELD_LINE_BYTES) -> None:
        self.waiting = False
        self.dropped = 0
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._lines: deque[tuple[LogLine, int]] = deque()
        self._bytes = 0
        # Number of the first line in `_lines`, and how many of the dropped ones were told of.
        self._first = 1
        self._told = 0
        # What was sent and is not kept yet, and whether it is to be sent again.
        self._under_way: Logs | None = None
        self._again = False

    def add(self, line: LogLine, size: int) -> bool:
        """Take a line of so many bytes; True when nothing waited before it: whoever sends it has to be told."""
        with self._lock:
            self._lines.append((line, size))
            self._bytes += size
            while len(self._lines) > self._most_lines or self._bytes > self._most_bytes:
                self._bytes -= self._lines.popleft()[1]
                self._first += 1
                self.dropped += 1
            news, self.waiting = not self.waiting, True
            return news

    def next(self, most_bytes: int) -> Logs | None:
        """Return what goes next, as much of it as fits; None while some is on its way, and when there is nothing."""
        with self._lock:
            if self._again:
                self._again, self.waiting = False, bool(self._lines)
                return self._under_way
            if self._under_way is not None or not self._lines:
                return None
            lines: list[LogLine] = []
            first, room = self._first, most_bytes - _OF_FRAME
            if self.dropped > self._told:
                lines.append(_about_dropped(self.dropped - self._told, self._lines[0][0].at))
                first, self._told = first - 1, self.dropped
            # One at the least: a line fits into any message.
            while self._lines and len(lines) < LINES_AT_ONCE and (not lines or self._lines[0][1] < room):
                line, size = self._lines.popleft()
                lines.append(line)
                self._first += 1
                self._bytes -= size
                room -= size + 1
            self.waiting = bool(self._lines)
            self._under_way = Logs(first, tuple(lines), self.dropped)
            return self._under_way

    @property
    def owed(self) -> bool:
        """Whether there is anything that is not kept yet."""
        return self._under_way is not None or bool(self._lines)

    def again(self) -> None:
        """What is on its way may not have come: it goes once more."""
        with self._lock:
            if self._under_way is not None:
                self._again = self.waiting = True

    def kept(self, up_to: int) -> bool:
        """The router has all lines up to this number; False when some of those on their way have to go again."""
        with self._lock:
            sent = self._under_way
            if sent is None:
                return True
            left = sent.lines[max(0, up_to + 1 - sent.first) :]
            first = sent.first + len(sent.lines) - len(left)
            self._under_way = replace(sent, first=first, lines=left) if left else None
        if left:
            self.again()
        return not left


def _about_dropped(count: int, at: float) -> LogLine:
    lines = "1 line was" if count == 1 else f"{count} lines were"
    text = f"{lines} dropped here: more were logged than the network took meanwhile"
    return LogLine(at, "warning", text, "agent", fields=Raw(b'{"dropped":%d}' % count))
