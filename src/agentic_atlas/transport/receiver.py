"""Who takes what comes on a WebSocket, the terms a peer is held to, and how a connection ended."""

import msgspec

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits


class Closed(msgspec.Struct, frozen=True):
    """How a connection ended.

    Attributes:
        code: of the side that began to close; 1006 for a cut.
        ours: this side began.
        why: for the log, when this side closed because of a fault.
        bug: what this process itself did wrong.
    """

    code: int
    reason: bytes = b""
    ours: bool = False
    why: str = ""
    bug: Exception | None = None


class Terms(msgspec.Struct, frozen=True):
    """What a peer is given of room and of time, in seconds."""

    limits: Limits
    message_within: float
    """From a message's first fragment to its last."""
    close_within: float
    """For the peer's part in a close, and to read what was sent before it."""
    tls_within: float = 10.0
    """For the TLS handshake, where somebody listens."""
    handshake_within: float = 10.0
    """From the accepted connection, or the end of its TLS handshake, to the whole request."""


class Receiver:
    """Who takes what comes on a connection; called on its loop. What a subclass leaves out does nothing."""

    __slots__ = ()

    @property
    def known(self) -> bool:
        """The peer has said who it is; a server reads little of one that has not."""
        return True

    def received(self, data: bytes) -> None:
        """Take one whole text message, which does not change any more.

        Raises:
            ProtocolError: the connection is to be closed because of it.
        """

    def ponged(self) -> None:
        """A pong came."""

    def writable(self) -> None:
        """The peer reads again, and what was held back may be sent; or it does not read all that was sent in a turn of
        the loop, and the rest waits."""

    def fail(self, error: ProtocolError) -> None:
        """The peer broke the protocol. After this the connection is closed with the error's code, if it is not yet."""

    def unfinished(self) -> None:
        """A message was begun and is not finished in time; said again for as long as that stays so."""

    def crashed(self, bug: Exception) -> None:
        """It raised by mistake, which ends this connection and nothing else; `closed` follows."""

    def closed(self, *, left: bool = False) -> None:
        """The connection is gone: cut, or (`left`) closed by the peer. May be said twice."""
