"""An echo at the router's own transport, for public suites that test how WebSockets are spoken.

    python -m tests.security.echo PORT

What is said is sent back. Only text is taken, within the limits of an agent's connection: cases of binary messages, and
of longer ones, end with 1003 and 1009. It is a program, so it has a loop of its own.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

import structlog

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.loops import loop_factory
from agentic_atlas.transport.crowd import Crowd, raise_limit
from agentic_atlas.transport.head import HandshakeDenied, Head, HttpAnswer, upgrade_key
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.receiver import Receiver, Terms
from agentic_atlas.transport.server import Listener, Upgrade, listen
from agentic_atlas.transport.websocket import WebSocket

TERMS = Terms(Limits(), message_within=10.0, close_within=2.0)


class Echo(Receiver):
    """Says again what it hears."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def received(self, data: bytes) -> None:
        """See `Receiver`."""
        self._socket.send(data)


class Hall:
    """Lets everybody in; a `transport.server.Door`."""

    unknown_bytes = TERMS.limits.message_bytes
    farewell = (1001, "stopping")

    def origin(self, head: Head, peer: str) -> str:
        """See `transport.server.Door`."""
        return peer

    def answer(self, head: Head, address: str, *, crowded: bool) -> Upgrade | HttpAnswer:
        """See `transport.server.Door`."""
        return Upgrade(upgrade_key(head), "", Echo)

    def refuse(self, error: Exception, address: str) -> HttpAnswer:
        """See `transport.server.Door`."""
        if not isinstance(error, HandshakeDenied):
            raise error
        return HttpAnswer(error.status, error.headers, error.message.encode())

    def too_much(self) -> ProtocolError:
        """See `transport.server.Door`."""
        return ProtocolError("too much", code="too_much")

    def left(self, count: int) -> None:
        """See `transport.server.Door`."""


async def echoing(port: int) -> Listener:
    """Listen on this port; 0 for a free one."""
    return await listen(
        Hall(),
        TERMS,
        host="127.0.0.1",
        port=port,
        limiter=ConnectionLimiter(0, 0),
        crowd=Crowd(raise_limit(), structlog.get_logger(), time.monotonic),
        clock=time.monotonic,
    )


async def main(port: int) -> None:
    """Echo until Ctrl-C."""
    listener = await echoing(port)
    print(f"ws://127.0.0.1:{listener.port} says what it hears; Ctrl-C stops", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await listener.close()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main(int(sys.argv[1])))
