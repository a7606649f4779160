"""Message tracing at the agent's end: what opens connections is wrapped, when it is wanted."""

from collections.abc import Awaitable, Callable
from typing import cast

from agentic_atlas.observe.frames import Frames
from agentic_atlas.observe.logs import TRACE, Log
from agentic_atlas.transport.receiver import Receiver
from agentic_atlas.transport.websocket import WebSocket

Connect = Callable[[str, Receiver], Awaitable[WebSocket]]
"""Opens a connection with a token; see `dial.Dialer.connect`."""


def traced(connect: Connect, log: Log) -> Connect:
    """Return what opens connections and tells of each message on them, at level trace; else what was given."""
    if not log.is_enabled_for(TRACE):
        return connect

    async def opened(token: str, receiver: Receiver) -> WebSocket:
        frames = Frames(log)
        socket = await connect(token, cast("Receiver", frames.receiving(receiver)))
        return cast("WebSocket", frames.sending(socket))

    return opened
