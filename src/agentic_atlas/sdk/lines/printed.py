"""What a program prints, line by line, told beside what becomes of it anyway."""

import threading
from collections.abc import Callable, Iterable
from typing import Final, TextIO

from agentic_atlas.sdk.lines.origin import Origin, current

_LONGEST: Final = 8_192
"""Characters of a line that has no end yet; what is longer is told in pieces."""
_OPEN: Final = 100
"""Lines without an end that are remembered, each of one thread and attempt; of more, the oldest is told as it is."""


class Printed:
    """Stands in the place of a text stream: passes on what is written, and tells each line and whose it is.

    What several threads or tasks print at the same time is put together for each by itself: no line is made of parts of
    two. Anything else about the stream is the stream's own.
    """

    def __init__(self, stream: TextIO, tell: Callable[[str, Origin | None], None], heard: Callable[[], bool]) -> None:
        """Begin; `tell` gets each line, unless `heard` says that nobody listens now."""
        self.stream: Final = stream
        self._tell = tell
        self._heard = heard
        self._lock = threading.Lock()
        self._open: dict[tuple[int, Origin | None], str] = {}

    def write(self, text: str) -> int:
        """Write it, and tell what of it ends a line."""
        written = self.stream.write(text)
        if self._heard() and isinstance(text, str):
            for line, origin in self._taken(text, current()):
                self._tell(line, origin)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        """Write all of these."""
        for line in lines:
            self.write(line)

    def rest(self) -> None:
        """Tell what has no end."""
        with self._lock:
            left, self._open = self._open, {}
        for (_, origin), line in left.items():
            self._tell(line, origin)

    def __getattr__(self, name: str) -> object:
        return getattr(self.stream, name)

    def _taken(self, text: str, origin: Origin | None) -> list[tuple[str, Origin | None]]:
        key = (threading.get_ident(), origin)
        with self._lock:
            *whole, rest = (self._open.pop(key, "") + text).split("\n")
            # A bar of progress draws itself anew in the same line: only its last state counts.
            rest = rest.rpartition("\r")[2] if "\r" in rest[:-1] else rest
            told = [(line.rstrip("\r").rpartition("\r")[2], origin) for line in whole]
            if len(rest) > _LONGEST:
                told.append((rest, origin))
            elif rest:
                self._open[key] = rest
            if len(self._open) > _OPEN:
                oldest = next(iter(self._open))
                told.append((self._open.pop(oldest), oldest[1]))
        return [(line, whose) for line, whose in told if line.strip()]
