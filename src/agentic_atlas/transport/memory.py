"""A connection without sockets: whole frames, in order, from one end to the other, in one event loop.

What travels are the bytes that would travel on a WebSocket. A frame arrives in a later turn of the loop, never while
its sender is still at it.
"""

import asyncio
from collections.abc import Callable

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport.receiver import Receiver


class MemorySocket:
    """One end; what a `WebSocket` is for a router (`router.ports.Transport`) and for an agent (`AgentSocket`).

    Attributes:
        paused: the peer does not read at the moment.
        peer: the other end; set before the first frame.
        heard: set after each frame of the peer's, and at the end.
        over: holds the code and reason that the connection was ended with.
    """

    peer: "MemorySocket"

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: "Callable[[MemorySocket], Receiver]") -> None:
        """Prepare; `begin` is given this end and returns who takes what comes."""
        self.paused = False
        self.heard = asyncio.Event()
        self.over: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._soon = loop.call_soon
        self._receiver = begin(self)

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        self._soon(self.peer._received, data)

    def ping(self) -> None:
        """Ask for a sign of life, which a peer in memory always gives."""
        self._soon(self._receiver.ponged)

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        """End the connection."""
        self._soon(self.peer._closed, code, reason)
        self._closed(code, reason)

    def abort(self, why: str) -> None:
        """End without a word, which is the same here."""
        self.close(0, why.encode())

    def pause_reading(self) -> None:
        """Slow the peer down, as TCP would."""
        self.peer.paused = True

    def resume_reading(self) -> None:
        """Let it go on."""
        self.peer.paused = False
        self._soon(self.peer._receiver.writable)

    def buffered(self) -> int:
        """Return 0: what is sent has arrived as soon as the loop turns."""
        return 0

    def limit(self, limits: Limits) -> None:
        """Do nothing: both sessions keep the limits themselves."""

    def _received(self, data: bytes) -> None:
        if self.over.done():
            return
        try:
            self._receiver.received(data)
        except ProtocolError as error:
            self._receiver.fail(error)
            self.close(error.close_code, error.message.encode())
        self.heard.set()

    def _closed(self, code: int, reason: bytes) -> None:
        if not self.over.done():
            self.over.set_result((code, reason))
            self.heard.set()
            self._receiver.closed(left=True)
