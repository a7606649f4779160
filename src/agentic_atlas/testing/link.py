"""An agent's link in memory: the SDK's ledger and session, and frames that go from one end to the other in order.

What travels are the bytes that would travel on a WebSocket: each side encodes and decodes with a `Session` of its own.
A frame arrives in a later turn of the loop, never while its sender is still at it.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import ADVICE, CloseCode, comes_back, decode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import Hello, Limits, Welcome
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.router import Router
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.session import AgentSession
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Outgoing
from agentic_atlas.sdk.runner.runner import LoopInbox, Runner

FLUSH = 5.0
"""Seconds an agent that ends waits for what it said to be acknowledged."""
NEVER = 1e11
"""When tokens expire: seconds since the epoch."""


class _End:
    """One end of a connection; implements `router.ports.Transport` and `sdk.link.session.AgentSocket`.

    Attributes:
        paused: the peer does not read at the moment.
        peer: the other end; set before the first frame.
        heard: set after each frame of the peer's, and at the end.
        over: holds the code and reason that the connection was ended with.
    """

    peer: "_End"

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: "Callable[[_End], Connection | AgentSession]") -> None:
        """Prepare; `begin` is given this end and returns who takes what comes."""
        self.paused = False
        self.heard = asyncio.Event()
        self.over: asyncio.Future[tuple[int, bytes]] = loop.create_future()
        self._soon = loop.call_soon
        self._receiver = begin(self)

    def send(self, data: bytes) -> None:
        self._soon(self.peer._received, data)

    def ping(self) -> None:
        self._soon(self._receiver.ponged)

    def close(self, code: int, reason: bytes = b"", *, why: str = "") -> None:
        self._soon(self.peer._closed, code, reason)
        self._closed(code, reason)

    def abort(self, why: str) -> None:
        self.close(0, why.encode())

    def pause_reading(self) -> None:
        self.peer.paused = True

    def resume_reading(self) -> None:
        self.peer.paused = False
        self._soon(self.peer._receiver.writable)

    def buffered(self) -> int:
        return 0  # what is sent has arrived as soon as the loop turns

    def limit(self, limits: Limits) -> None:
        pass  # both sessions keep the limits themselves

    def _received(self, data: bytes) -> None:
        if self.over.done():
            return
        try:
            self._receiver.received(data)
        except ProtocolError as error:
            self._receiver.fail(error)
            self.close(error.close_code, error.message.encode())
        self.heard.set()

    def _closed(self, code: int, reason: bytes) -> None:
        if not self.over.done():
            self.over.set_result((code, reason))
            self.heard.set()
            self._receiver.closed(left=True)


class MemoryLink:
    """Implements `sdk.agent.Link` for one connection to a router in the same loop."""

    def __init__(self, name: str, hello: Hello, runner: Runner, router: Router, welcomed: Callable[[], None]) -> None:
        """Prepare; `welcomed` is told when the router has let the agent in."""
        loop = self._loop = asyncio.get_running_loop()
        self._hello, self._told, self._stopping = hello, welcomed, False
        self._ledger, self._inbox = Ledger(), LoopInbox(runner, loop)
        self._session = AgentSession(
            self._ledger, self._inbox, timeouts=Timeouts(), clock=loop.time, welcomed=self._welcomed
        )
        self._end = _End(loop, lambda _: self._session)
        self._theirs = partial(_End, loop, partial(router.connect, Identity(f"tok_{name}", name, NEVER)))

    def start(self) -> None:
        """Connect, and say hello."""
        theirs = self._theirs()
        self._end.peer, theirs.peer = theirs, self._end
        self._end.over.add_done_callback(self._ended)
        self._session.begin(self._end, self._hello)

    def post(self, message: Outgoing) -> None:
        """Say this. From any thread."""
        self._do(partial(self._ledger.say, message))

    def forget_call(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more. From any thread."""
        self._do(partial(self._ledger.calls.forget, call_id))

    def pong(self, token: object) -> None:
        """Do nothing: a loop that stands still here stands still for all."""

    async def stop(self) -> None:
        """Have all that was said acknowledged, as far as that comes soon, then close the connection."""
        self._stopping = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                while self._owes and not self._end.over.done():
                    self._end.heard.clear()
                    await self._end.heard.wait()
        self._session.finish()

    @property
    def _owes(self) -> bool:
        attempts = self._ledger.attempts
        return attempts.owes or attempts.undecided or not self._session.parted

    def _do(self, action: Callable[[], None]) -> None:
        # RuntimeError: the loop is closed; a thread of a skill has outlived its agent.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._say, action)

    def _say(self, action: Callable[[], None]) -> None:
        action()
        self._session.flush()

    def _welcomed(self, welcome: Welcome) -> None:
        self._inbox.connected(welcome)
        self._told()

    def _ended(self, over: "asyncio.Future[tuple[int, bytes]]") -> None:
        self._session.end()
        self._inbox.ended(None if self._stopping else _error(*over.result()))


def _error(code: int, reason: bytes) -> AtlasError:
    """Return what an agent is told whose connection the router has ended."""
    known = CloseCode(code) if code in CloseCode._value2member_map_ else None
    said = decode_reason(reason).code or reason.decode(errors="replace")
    happened = f"{ADVICE[known].happened} ({said}): {ADVICE[known].fix}" if known else f"the connection ended: {said}"
    return AtlasError(happened) if comes_back(code) else ConfigurationError(happened, code=said or None)
