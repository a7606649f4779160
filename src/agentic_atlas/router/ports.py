"""What the router needs of the world: a connection's transport, a log; and what all connections share."""

from asyncio import Task
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

from agentic_atlas.protocol.inside.messages import FromRouter, Heard, InstanceRef, Receipt
from agentic_atlas.protocol.messages import Limits, Message
from agentic_atlas.router.settings import RouterSettings

if TYPE_CHECKING:
    from agentic_atlas.observe.logs import Log


class Transport(Protocol):
    """One open connection, below the protocol: a `transport.websocket.WebSocket`, or a test's.

    Calls return at once; after `close` nothing is sent. It tells the `Connection` what a `transport.receiver.Receiver`
    is told.
    """

    def send(self, data: bytes) -> None:
        """Send one text frame."""

    def ping(self) -> None:
        """Send a ping frame; the peer's library answers it, which the connection is told by `ponged`."""

    def close(self, code: int, reason: bytes) -> None:
        """Send a close frame and end the connection, within a bounded time also when the peer does not read."""

    def pause_reading(self) -> None:
        """Take nothing more from the socket: the peer is slowed down by TCP."""

    def resume_reading(self) -> None:
        """Take again."""

    def buffered(self) -> int:
        """Return the bytes that wait to be sent."""


@dataclass
class Traffic:
    """What went over all connections since the start: counted where it passes, and told by `figures`.

    Attributes:
        came: messages of agents, by their type.
        sent: messages to agents, likewise.
        came_bytes: of those that came.
        sent_bytes: of those that were sent.
        ended: connections that ended, by the reason of their close.
    """

    came: Counter[type[Message]] = field(default_factory=Counter)
    sent: Counter[type[Message]] = field(default_factory=Counter)
    came_bytes: int = 0
    sent_bytes: int = 0
    ended: Counter[str] = field(default_factory=Counter)


@dataclass
class RouterContext:
    """Handed to each connection by the router.

    Attributes:
        clock: seconds that only ever pass.
        wall: seconds since the epoch.
        log: structured. No payload and no token is ever in it.
        spawn: starts a coroutine that the router owns; None when the router does not run.
        numbers: of what is said to the backend and answered by it.
        heard: beats that the backend is told of with the next tick.
        receipts: whom to tell of each receipt that the backend has still to give, by its number.
        traffic: what went over all connections.
        log_bytes: bytes of agents' log lines that the backend has not kept yet.
        renew: asks for another token for a connection of an instance; set by the router.
        tell: tells the backend something, which keeps the order, never fails, and answers by `Router.say`; set once,
            before anybody connects.
    """

    limits: Limits
    settings: RouterSettings
    clock: Callable[[], float]
    wall: Callable[[], float]
    log: "Log"
    spawn: Callable[[Coroutine[object, object, None]], Task[None] | None]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    heard: list[Heard] = field(default_factory=list)
    receipts: dict[int, Callable[[Receipt], None]] = field(default_factory=dict)
    traffic: Traffic = field(default_factory=Traffic)
    log_bytes: int = 0
    renew: Callable[[InstanceRef], None] = field(init=False)
    tell: Callable[[FromRouter], None] = field(init=False)
