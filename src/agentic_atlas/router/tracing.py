"""Message tracing at the router: what takes connections is wrapped, and what router and backend tell each other."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, cast

from agentic_atlas.observe.frames import Direction, Frames
from agentic_atlas.observe.logs import TRACE
from agentic_atlas.protocol.inside.codec import encode
from agentic_atlas.protocol.inside.messages import FromRouter, Identity, ToRouter
from agentic_atlas.router.ports import Transport
from agentic_atlas.transport.receiver import Receiver

if TYPE_CHECKING:
    from agentic_atlas.observe.logs import Log

Connect = Callable[[Identity, Transport], Receiver]
"""Takes a connection whose handshake is done; see `router.Router.connect`."""


def traced(connect: Connect, log: "Log") -> Connect:
    """Return what takes connections and tells of each message on them, at level trace; else what was given."""
    if not log.is_enabled_for(TRACE):
        return connect

    def taken(identity: Identity, transport: Transport) -> Receiver:
        its_log = log.bind(agent=identity.agent_id)
        its_log.trace("token_verified", token=identity.token_id, address=identity.address)
        frames = Frames(its_log)
        receiver = connect(identity, cast("Transport", frames.sending(transport)))
        return cast("Receiver", frames.receiving(receiver))

    return taken


class ToldRouter(NamedTuple):
    """A router as the backend has it, when it is told of what is said to it."""

    say: Callable[..., None]


def told(say: Callable[..., None], direction: Direction, frames: Frames) -> Callable[..., None]:
    """Return what passes on what router and backend say, and tells of it, at level trace; else what was given.

    `frames` is the same for both directions: what is said of a task in one is known in the other.
    """
    if not frames.log.is_enabled_for(TRACE):
        return say

    def passed(message: FromRouter | ToRouter) -> None:
        frames.tell(direction, encode(message))
        say(message)

    return passed
