"""The messages between router and backend as bytes, for the day they are not in one process."""

import msgspec

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import FromRouter, ToRouter

_encoder = msgspec.json.Encoder()
_from_router: msgspec.json.Decoder[FromRouter] = msgspec.json.Decoder(FromRouter)
_to_router: msgspec.json.Decoder[ToRouter] = msgspec.json.Decoder(ToRouter)


def encode(message: FromRouter | ToRouter) -> bytes:
    """Return a message as JSON; payloads in it are passed on byte for byte."""
    return _encoder.encode(message)


def from_router(data: bytes) -> FromRouter:
    """Return what a router said. `data` must not change afterwards. Raises ProtocolError for what is none of it."""
    try:
        return _from_router.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _unreadable(error) from None


def to_router(data: bytes) -> ToRouter:
    """Return what the backend said. `data` must not change afterwards. Raises ProtocolError for what is none of it."""
    try:
        return _to_router.decode(data)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> ProtocolError:
    return ProtocolError(f"this is not said between router and backend: {error}", code="invalid_message")
