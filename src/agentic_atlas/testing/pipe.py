"""A connection without sockets: whole frames, in order, from one end to the other.

What travels are the bytes that would travel on a WebSocket: each side encodes and decodes with a `Session` of its own.
A frame arrives in a later turn of the loop, never while its sender is still at it.
"""

import asyncio

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.connection import Connection
from agentic_atlas.sdk.link.session import AgentSession


class RouterEnd:
    """The router's end; implements `router.ports.Transport`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open = True
        # Set by `MemoryLink.start`, before the first frame.
        self.connection: Connection
        self.peer: AgentEnd

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        self._loop.call_soon(self.peer.received, data)

    def ping(self) -> None:
        """Ask for a sign of life, which an agent in memory always gives."""
        self._loop.call_soon(self.connection.ponged)

    def close(self, code: int, reason: bytes) -> None:
        """End the connection."""
        self._open = False
        self._loop.call_soon(self.peer.closed, code, reason)

    def pause_reading(self) -> None:
        """Slow the agent down, as TCP would."""
        self.peer.paused = True

    def resume_reading(self) -> None:
        """Let it go on."""
        self.peer.paused = False
        self._loop.call_soon(self.peer.writable)

    def buffered(self) -> int:
        """Return 0: what is sent has arrived as soon as the loop turns."""
        return 0

    def received(self, data: bytes) -> None:
        """Take a frame of the agent's."""
        if self._open:
            self.connection.received(data)

    def closed(self) -> None:
        """The agent closed the connection."""
        if self._open:
            self._open = False
            self.connection.closed()


class AgentEnd:
    """The agent's end; implements `sdk.link.session.AgentSocket`.

    Attributes:
        paused: the router does not read at the moment.
        heard: set after each frame of the router's, and at the end.
        over: holds the code and reason that the connection was ended with.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.paused = False
        self.heard = asyncio.Event()
        self.over: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._loop = loop
        # Set by `MemoryLink.start`, before the first frame.
        self.session: AgentSession
        self.peer: RouterEnd

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        self._loop.call_soon(self.peer.received, data)

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        """End the connection."""
        self._loop.call_soon(self.peer.closed)
        self.closed(code, reason)

    def abort(self, why: str) -> None:
        """End without a word, which is the same here."""
        self.close(0, why.encode())

    def received(self, data: bytes) -> None:
        """Take a frame of the router's."""
        if self.over.done():
            return
        try:
            self.session.received(data)
        except ProtocolError as error:
            self.close(error.close_code, error.message.encode())
        self.heard.set()

    def writable(self) -> None:
        """The router reads again."""
        self.session.writable()

    def closed(self, code: int, reason: bytes) -> None:
        """The connection is over."""
        if not self.over.done():
            self.session.end()
            self.over.set_result((code, reason))
            self.heard.set()

    # -- what only a socket has

    def limit(self, limits: Limits) -> None:
        """Do nothing: both sessions keep the limits themselves."""

    def pause_reading(self) -> None:
        """Do nothing: nothing is read ahead."""

    def resume_reading(self) -> None:
        """Do nothing."""

    def buffered(self) -> int:
        """Return 0: what is sent has arrived as soon as the loop turns."""
        return 0
