"""A connection without sockets: whole frames, in order, from one end to the other.

What travels are the bytes that would travel on a WebSocket: each side encodes and decodes with a `Session` of its own.
A frame arrives in a later turn of the loop, never while its sender is still at it.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.connection import Connection
from agentic_atlas.sdk.link.session import AgentSession

End: TypeAlias = Connection | AgentSession
"""Who takes what comes."""


class MemorySocket:
    """One end; implements `router.ports.Transport` and `sdk.link.session.AgentSocket`.

    Attributes:
        paused: the peer does not read at the moment.
        heard: set after each frame of the peer's, and at the end.
        over: holds the code and reason that the connection was ended with.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Callable[["MemorySocket"], End]) -> None:
        """Prepare; `begin` is given this end and returns who takes what comes."""
        self.paused = False
        self.heard = asyncio.Event()
        self.over: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._loop = loop
        self._receiver = begin(self)
        # Set by `join`, before the first frame.
        self._peer: MemorySocket

    def join(self, peer: "MemorySocket") -> None:
        """Make this and another end one connection."""
        self._peer, peer._peer = peer, self

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        self._loop.call_soon(self._peer._received, data)

    def ping(self) -> None:
        """Ask for a sign of life, which a peer in memory always gives."""
        self._loop.call_soon(self._receiver.ponged)

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        """End the connection."""
        self._loop.call_soon(self._peer._closed, code, reason)
        self._closed(code, reason)

    def abort(self, why: str) -> None:
        """End without a word, which is the same here."""
        self.close(0, why.encode())

    def pause_reading(self) -> None:
        """Slow the peer down, as TCP would."""
        self._peer.paused = True

    def resume_reading(self) -> None:
        """Let it go on."""
        self._peer.paused = False
        self._loop.call_soon(self._peer._receiver.writable)

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
