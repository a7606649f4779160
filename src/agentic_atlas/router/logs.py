"""Log lines of one agent on their way to the backend: one message at a time, and no faster than was offered.

An agent that has more to say waits for its acknowledgement, and drops and counts on its side what it has no room for.
So nothing is dropped here, and a flood costs this process one message of each agent at the most.
"""

import asyncio
from collections.abc import Callable

from agentic_atlas.protocol.codec import ProtocolError, is_object, numbers_fit
from agentic_atlas.protocol.inside.messages import InstanceRef, Logged
from agentic_atlas.protocol.messages import LINE_BYTES, LogLine, Logs, LogsAck, LogTerms, Message
from agentic_atlas.router.ports import RouterContext

_AT_ONCE = 1.0
"""Seconds whose lines may come at once."""


class LogIntake:
    """Takes the lines of one connection."""

    __slots__ = ("_context", "_held", "_instance", "_paid_until", "_said", "_send", "_terms", "_under_way", "_waits")

    def __init__(
        self, context: RouterContext, instance: InstanceRef, terms: LogTerms, send: Callable[[Message], bool]
    ) -> None:
        """Begin with what `welcome` offers; `send` says something to the agent."""
        self._context = context
        self._instance = instance
        self._terms = terms
        self._send = send
        # Whether a message is not answered yet; how many bytes of it are here; what of it the backend is to be told,
        # None when there is no room for it; and what comes back to it when its turn is.
        self._under_way = False
        self._held = 0
        self._said: Logged | None = None
        self._waits: asyncio.TimerHandle | None = None
        # Up to when what came so far uses up what is offered.
        self._paid_until = 0.0

    def take(self, logs: Logs, data: bytes, now: float) -> None:
        """Have lines kept, now or when their turn is.

        Raises:
            ProtocolError: too long, not in turn, or with fields that are no object (4107).
        """
        if self._under_way:
            raise ProtocolError("log lines are sent again only when they were acknowledged", code="logs_out_of_turn")
        size = len(data)
        if size > self._terms.frame_bytes or any(_long(line) for line in logs.lines):
            most = self._terms.frame_bytes
            raise ProtocolError(f"log lines are over the limit of {most} bytes, or one of them is", code="logs_too_big")
        if not (numbers_fit(data) and all(is_object(line.fields) for line in logs.lines)):
            raise ProtocolError("the fields of a log line are a JSON object", code="invalid_logs")
        self._under_way = True
        if self._context.log_bytes + size <= self._context.settings.log_buffer:
            self._held = size
            self._context.log_bytes += size
            self._said = Logged(self._instance, logs.first, logs.lines, logs.dropped)
        cost = max(len(logs.lines) / self._terms.lines_per_second, size / self._terms.bytes_per_second)
        self._paid_until = max(self._paid_until, now - _AT_ONCE) + cost
        wait = self._paid_until - now
        if wait <= 0:
            self._go_on()
        else:
            self._waits = asyncio.get_running_loop().call_later(wait, self._go_on)

    def kept(self, up_to: int) -> None:
        """The backend has dealt with what is under way."""
        self._let_go()
        self._send(LogsAck(up_to))

    def end(self) -> None:
        """The connection is over. What waits for its turn has it now: the agent may never come back with it."""
        if self._waits is not None:
            self._waits.cancel()
            self._go_on()
        self._let_go()

    def _go_on(self) -> None:
        """It is the turn of what came."""
        said, self._waits, self._said = self._said, None, None
        if said is not None:
            self._context.tell(said)
        else:
            self.kept(0)

    def _let_go(self) -> None:
        self._under_way = False
        self._context.log_bytes -= self._held
        self._held = 0


def _long(line: LogLine) -> bool:
    return len(line.message) + len(line.exception) + memoryview(line.fields).nbytes > LINE_BYTES
