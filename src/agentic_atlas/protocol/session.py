"""One side of one connection, without any input or output: bytes in, messages out, and the other way round.

The same class drives agent and router. It knows the state of the connection and the limits in force, and refuses
whatever the table in `states` does not allow, from the peer and from its own side alike.
"""

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import HELLO_BYTES, Limits, Message, Side, Welcome, name_of, sent_by
from agentic_atlas.protocol.states import ConnectionState, after


class Session:
    """The protocol state of one connection, seen from one side.

    Attributes:
        side: which end this is.
        state: where the connection is; changes with each message that is sent or received, and with `close`.
        limits: the limits in force. The agent's become the router's when `welcome` arrives.
    """

    __slots__ = ("_containers", "limits", "side", "state")

    def __init__(self, side: Side, limits: Limits | None = None) -> None:
        self.side = side
        self.state = ConnectionState.CONNECTED
        self.limits = limits or Limits()
        # A router passes on what it has taken, sometimes the parts of several messages in one.
        self._containers = codec.CONTAINERS if side is Side.ROUTER else self.limits.message_bytes

    def receive(self, data: bytes) -> Message:
        """Take one whole message of the peer's.

        Raises:
            ProtocolError: the bytes are no message, or the message is not allowed now. The session is closed then, and
                the connection is to be closed with the error's `close_code`.
        """
        try:
            if self.state is ConnectionState.CONNECTED and len(data) > HELLO_BYTES:
                raise hello_too_big()
            message = codec.decode(data, self.limits, self._containers)
            self._step(message, self.side.peer)
        except ProtocolError:
            self.close()
            raise
        if isinstance(message, Welcome):
            self.limits = message.limits
        return message

    def send(self, message: Message) -> bytes:
        """Return the bytes to send for one of our own messages.

        Raises:
            ProtocolError: it is not ours to send, or not now; the state is as before.
        """
        self._step(message, self.side)
        return codec.encode(message)

    def close(self) -> None:
        """The connection ended, or is about to: from now on nothing is sent or taken."""
        self.state = ConnectionState.CLOSED

    def _step(self, message: Message, sender: Side) -> None:
        kind = type(message)
        if not sent_by(kind, sender):
            raise ProtocolError(f"{name_of(kind)} is not for the {sender} to send", code="wrong_sender")
        state = after(self.state, kind)
        if state is None:
            raise ProtocolError(f"{name_of(kind)} is not allowed while {self.state}", code="out_of_order")
        self.state = state


def hello_too_big() -> ProtocolError:
    """Return the error for a `hello` that is longer than any may be."""
    return ProtocolError(
        f"a hello is over the limit of {HELLO_BYTES} bytes",
        close_code=CloseCode.INVALID_REGISTRATION,
        code="hello_too_big",
    )
