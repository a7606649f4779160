"""What the router needs of the world: the backend, a connection's transport, and a log."""

from asyncio import Future
from typing import Any, Protocol

import msgspec

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import (
    Answer,
    Call,
    Hello,
    Reply,
    Report,
    RunningAttempt,
    Task,
    Verdict,
)
from agentic_atlas.protocol.tasks import Holdup, Loss


class Identity(msgspec.Struct, frozen=True):
    """Who a token says a connection is; its signature and times are verified already."""

    token_id: str
    agent_id: str
    expires_at: float
    """Seconds since the epoch; the connection is closed then."""
    presented_at: float = 0.0
    """When the token was presented; seconds since the epoch."""


class Arrival(msgspec.Struct, frozen=True):
    """A connection that said `hello`."""

    identity: Identity
    hello: Hello


class Admission(msgspec.Struct, frozen=True):
    """The backend lets an instance in."""

    agent: str
    owner: str
    generation: int
    attempts: tuple[Verdict, ...] = ()
    """One for each attempt, running or finished, that `hello` announced, those of ended processes included."""
    held: tuple[Task, ...] = ()
    """Attempts this instance holds and did not announce: it never received them, so they are delivered again."""
    cancels: tuple[tuple[RunningAttempt, str], ...] = ()
    """Announced attempts that are to be canceled, with the reason."""
    answers: tuple[Answer, ...] = ()
    """All that announced attempts were answered so far: any of it may not have reached them."""
    lost: tuple[RunningAttempt, ...] = ()
    """Attempts, of this instance or of ended ones whose place it takes, that are over: they need no lease any more."""


class Refused(AtlasError):
    """The backend does not let an instance in; `code` is a `CloseCode`."""

    def __init__(self, close_code: int, code: str, message: str) -> None:
        super().__init__(message, code=code)
        self.close_code = close_code


class Receipt(msgspec.Struct, frozen=True):
    """A report was dealt with: stored, or of no account any more."""

    recorded: bool
    n: int = 0
    """For events: number of the attempt's last stored one."""


class Instance(msgspec.Struct, frozen=True):
    """A registered connection, as the backend names it: all that it says is fenced by the generation."""

    agent_id: str
    instance_id: str
    generation: int


class Occupied(msgspec.Struct, frozen=True):
    """A registered instance and its slots."""

    instance_id: str
    used: int
    slots: int
    draining: bool
    silent: float
    """Seconds since it was heard last."""
    holdup: Holdup | None = None


class Replies(Protocol):
    """Where the answers to one `call` go."""

    def __call__(self, reply: Reply) -> bool:
        """Send a reply; False when the connection is gone, or the call was sent again, and no more are wanted."""

    async def drained(self) -> None:
        """Return when the agent has read enough for another reply, or is gone; for streams of any length."""


class Backend(Protocol):
    """The backend, as the router sees it.

    `report` keeps order: reports are stored in the order of the calls. Nothing here is retried by the router; a failed
    future means that the connection is closed with 4004 and the agent says it all again after it has come back.
    """

    async def admit(self, arrival: Arrival) -> Admission:
        """Register an instance: revocation, the agent's state, its skills. Raises Refused, or AtlasError (4004)."""

    async def departed(self, instance: Instance, silent: float) -> None:
        """The connection ended, whatever the reason; its attempts stay leased through the grace period.

        It was heard last so many seconds before.
        """

    def report(self, instance: Instance, report: Report) -> "Future[Receipt]":
        """Store what an agent says of an attempt; resolved after the commit."""

    async def lost(self, task: str, attempt: int, why: Loss) -> None:
        """The attempt's lease ran out: its instance did not come back within the grace period."""

    def absent(self, agent_id: str) -> None:
        """No instance of the agent has been connected for one grace period, since the last one left."""

    def freed(self, agent_id: str) -> None:
        """The agent has this many free slots: queued tasks may be claimed for them."""

    async def call(self, instance: Instance, call: Call, replies: Replies) -> None:
        """Make the child task that `call` asks for, and answer through `replies` until its end.

        The same call (task, attempt, id) sent again is answered for the same child task. Returns after the final reply,
        or as soon as `replies` returns False. Errors are answered as a final reply with a `Fault`.
        """


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


class RouterLog(Protocol):
    """A structured log, as structlog's: an event's name, and facts. No payload and no token is ever among them."""

    def info(self, event: str, **facts: Any) -> Any:
        """What an operator may want to know."""

    def warning(self, event: str, **facts: Any) -> Any:
        """What an operator should know."""

    def error(self, event: str, **facts: Any) -> Any:
        """What is a fault of ours; `exc_info` may be among the facts."""
