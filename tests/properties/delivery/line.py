"""A connection between an agent's process and a router, without a socket: it may delay, lose, and die on one side only.

Frames of one direction stay in order. What is in flight when a connection dies is lost, or still arrives at an end that
does not know yet: that is an old connection whose frames come late.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.router.connection import Connection
from agentic_atlas.sdk.link.session import AgentSession

Step = Callable[[], None]


class Way:
    """One direction: what is sent arrives in a later turn of the loop, or when it is released.

    Attributes:
        holding: nothing arrives for now.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.holding = False
        self._loop = loop
        self._flight: deque[Step] = deque()

    def __len__(self) -> int:
        return len(self._flight)

    def send(self, arrives: Step) -> None:
        self._flight.append(arrives)
        if not self.holding:
            self._loop.call_soon(self._carry)

    def hold(self) -> None:
        self.holding = True

    def release(self, most: int | None = None) -> None:
        """Let what is held arrive; with `most`, the first few of it, and the rest stays."""
        self.holding = most is not None
        for _ in range(min(len(self._flight), most or len(self._flight))):
            self._loop.call_soon(self._flight.popleft())

    def lose(self) -> None:
        """What is in flight never arrives."""
        self._flight.clear()

    def _carry(self) -> None:
        if self._flight and not self.holding:
            self._flight.popleft()()


class RouterEnd:
    """Implements `router.ports.Transport`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def send(self, data: bytes) -> None:
        self._line.to_agent.send(lambda: self._line.agent_hears(data))

    def ping(self) -> None:
        self._line.to_agent.send(self._line.agent_is_pinged)

    def close(self, code: int, reason: bytes) -> None:
        self._line.router_over = True
        self._line.to_agent.send(lambda: self._line.agent_is_closed(code))

    def pause_reading(self) -> None:
        """Nothing: what the model says is little."""

    def resume_reading(self) -> None:
        """Nothing."""

    def buffered(self) -> int:
        return 0


class Line:
    """Both ends; the agent's implements `sdk.link.session.AgentSocket`.

    Attributes:
        agent_over: the agent's process knows that it has ended.
        router_over: the router does.
        code: the code it was closed with by the router, once the agent has heard of it.
    """

    paused = False

    def __init__(self, loop: AbstractEventLoop, session: AgentSession, ended: Callable[[Line], None]) -> None:
        self.to_router, self.to_agent = Way(loop), Way(loop)
        self.agent_over = self.router_over = False
        self.code: int | None = None
        self.router_end = RouterEnd(self)
        self.connection: Connection
        """The router's end; set once, before the first frame."""
        self._session = session
        self._ended = ended

    # -- what can happen to it

    def hold(self) -> None:
        self.to_router.hold()
        self.to_agent.hold()

    def release(self, most: int | None = None) -> None:
        """See `Way.release`."""
        self.to_router.release(most)
        self.to_agent.release(most)

    @property
    def holding(self) -> bool:
        return self.to_router.holding or self.to_agent.holding

    def agent_loses_it(self) -> None:
        """The agent's side finds out that it is dead; what was sent to the router may still be on its way."""
        if not self.agent_over:
            self.agent_over = True
            self.to_agent.lose()
            self._session.end()
            self._ended(self)

    def router_loses_it(self) -> None:
        """The router's side finds out; nothing more arrives there."""
        self.to_router.lose()
        if not self.router_over:
            self.router_over = True
            self.connection.closed()

    # -- `sdk.link.session.AgentSocket`

    def limit(self, limits: Limits) -> None:
        """Nothing: both sessions keep the limits themselves."""

    def send(self, data: bytes) -> None:
        if not self.agent_over:
            self.to_router.send(lambda: self.router_hears(data))

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        self.to_router.send(self.router_loses_it)
        self.agent_loses_it()

    def abort(self, why: str) -> None:
        self.close(0)

    def pause_reading(self) -> None:
        """Nothing: the handlers' loop is never behind."""

    def resume_reading(self) -> None:
        """Nothing."""

    def buffered(self) -> int:
        return 0

    # -- arrivals

    def router_hears(self, data: bytes) -> None:
        if not self.router_over:
            self.connection.received(data)

    def agent_hears(self, data: bytes) -> None:
        if self.agent_over:
            return
        try:
            self._session.received(data)
        except ProtocolError as error:
            raise AssertionError("the router broke the protocol") from error

    def agent_is_pinged(self) -> None:
        if not self.agent_over:
            self.to_router.send(self._router_is_ponged)

    def agent_is_closed(self, code: int) -> None:
        if not self.agent_over:
            self.code = code
            self.agent_loses_it()

    def _router_is_ponged(self) -> None:
        if not self.router_over:
            self.connection.ponged()
