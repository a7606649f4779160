"""Server-Sent Events: bytes in, events out (WHATWG HTML, section 9.2.6). No connection, clock or log."""

import re
from typing import TypeAlias

from agentic_atlas.errors import PayloadTooLarge

MAX_EVENT = 4 * 1024 * 1024
"""Longest event that is gathered, in bytes; a stream that sends a longer one is refused."""

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


ServerEvent: TypeAlias = tuple[str, bytes]
"""One event of a stream, complete: its kind, which is the `event` field or `message` when the stream gave none, and its
`data` lines joined by line feeds, as sent. Its `id` is in our data too (`seq`)."""


class Parser:
    """Reads one stream; a new connection needs a new parser. An event cut off by the end of the stream never shows."""

    def __init__(self, limit: int = MAX_EVENT) -> None:
        self._limit = limit
        self._rest = b""
        self._started = False
        self._after_return = False
        self._kind = ""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Take the next bytes, cut anywhere, and return the events they complete.

        Raises:
            PayloadTooLarge: an event is longer than the limit.
        """
        if self._after_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        elif not chunk:
            return []
        buffer = self._rest + chunk
        self._after_return = buffer.endswith(b"\r")
        *lines, self._rest = _LINE_END.split(buffer)
        if lines and not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        events = [event for line in lines if (event := self._line(line)) is not None]
        self._check(len(self._rest))
        return events

    def _line(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._complete()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._check(len(value) + 1)
            self._size += len(value) + 1
            self._data.append(value)
        elif name == b"event":
            self._kind = value.decode(errors="replace")
        return None

    def _complete(self) -> ServerEvent | None:
        data, kind = self._data, self._kind
        self._data, self._kind, self._size = [], "", 0
        if not data:
            return None
        return kind or "message", b"\n".join(data)

    def _check(self, more: int) -> None:
        if self._size + more > self._limit:
            raise PayloadTooLarge(f"the event stream sent an event of more than {self._limit} bytes")
