"""Answers that nobody takes: each reader has to read on, and all that waits to be read is bounded. Pure.

The system cuts a peer that acknowledges nothing; one that acknowledges and leaves its window closed, or reads a byte
now and then, is found here, on every system.
"""

import asyncio

READ_WITHIN = 30.0
"""Seconds within which what waits for a reader has to get less."""
UNREAD_BYTES = 128 * 1024 * 1024
"""Bytes that may wait for all readers together; the one that has been behind for longest is cut."""


class Unsent:
    """The readers that are behind: connections, each with an answer under way."""

    def __init__(self, *, within: float = READ_WITHIN, most_bytes: int = UNREAD_BYTES) -> None:
        self._within = within
        self._most_bytes = most_bytes
        self._bytes = 0
        self._behind: dict[asyncio.Transport, tuple[int, float]] = {}

    @property
    def behind(self) -> int:
        """How many they are."""
        return len(self._behind)

    def falls_behind(self, reader: asyncio.Transport, now: float) -> None:
        """More waits for it than the system takes at once; others may be cut to make room."""
        self._note(reader, now)
        self._make_room()

    def caught_up(self, reader: asyncio.Transport) -> None:
        """It has read on, or is gone. May be said again."""
        waited, _ = self._behind.pop(reader, (0, 0.0))
        self._bytes -= waited

    def sweep(self, now: float) -> None:
        """Cut whoever has not read on in time, and those who have been behind for longest until there is room."""
        for reader, (before, since) in list(self._behind.items()):
            left = reader.get_write_buffer_size()
            if left < before:
                self._note(reader, now)
            elif now - since >= self._within:
                self._cut(reader)
            else:
                self._note(reader, since)
        self._make_room()

    def _note(self, reader: asyncio.Transport, since: float) -> None:
        before, _ = self._behind.get(reader, (0, 0.0))
        self._behind[reader] = reader.get_write_buffer_size(), since
        self._bytes += self._behind[reader][0] - before

    def _make_room(self) -> None:
        while self._bytes > self._most_bytes:
            self._cut(next(iter(self._behind)))

    def _cut(self, reader: asyncio.Transport) -> None:
        self.caught_up(reader)
        reader.abort()
