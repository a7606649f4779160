"""Which protocol this is. One number on the wire; a new one only for what an older peer could not ignore."""

PROTOCOL_VERSION = 1
"""Sent in `hello`; a router that does not speak it closes with 4106."""

SUBPROTOCOL = "atlas.v1"
"""The WebSocket subprotocol (RFC 6455 §1.9) both sides name in the handshake."""

PATH = "/ws"
"""The path of the router's endpoint."""

ERROR_HEADER = "Atlas-Error"
"""HTTP header that carries the error code when the handshake is refused."""
