"""Where a connection waits until its request's head is whole, and where one that is refused is shown out.

An answer has to reach its reader: whoever still sends when we close gets a reset from the system, which throws away
what was not read yet. So after a refusal the rest is read and dropped, within bounds, until the peer has gone.
"""

from typing import Final

from agentic_atlas.transport.head import MAX_HEAD, no_tls, too_long

LINGER: Final = 2 * 1024 * 1024
"""Bytes dropped after a refusal; none is kept. A token of a megabyte is somebody's mistake, and is told so."""

_END: Final = b"\r\n\r\n"
_TLS_HANDSHAKE: Final = 0x16
"""First byte of a client that speaks TLS (RFC 8446 section 5.1), and of no request."""
_ROOM: Final = 4 * 1024


class Lobby:
    """The bytes of one connection before its upgrade."""

    def __init__(self) -> None:
        self._room = bytearray(_ROOM)
        self._head = bytearray()
        self._dropped = 0

    def room(self) -> bytearray:
        """Return where the next bytes go."""
        return self._room

    def take(self, nbytes: int) -> tuple[bytes, bytes] | None:
        """Take so many bytes from the room; return the head and what came after it, once the head is whole.

        Raises:
            HeadRefused: it is longer than it may be (`head_too_long`), or the beginning of TLS (`no_tls`).
        """
        searched = max(0, len(self._head) - len(_END) + 1)
        self._head += self._room[:nbytes]
        if self._head[0] == _TLS_HANDSHAKE:
            # Else it would wait for the end of a head that never comes; what is not TLS tells the peer at once.
            raise no_tls()
        end = self._head.find(_END, searched)
        if end > MAX_HEAD or (end < 0 and len(self._head) > MAX_HEAD):
            raise too_long()
        return None if end < 0 else (bytes(self._head[:end]), bytes(self._head[end + len(_END) :]))

    def drop(self, nbytes: int) -> bool:
        """Drop so many bytes; True when it has been enough."""
        self._head.clear()
        self._dropped += nbytes
        return self._dropped > LINGER
