"""An agent's link in memory: the SDK's ledger and session, without a socket, a thread or a second connection."""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import ADVICE, CloseCode, comes_back, decode_reason
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import Hello, Welcome
from agentic_atlas.router.router import Router
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.health import Resources
from agentic_atlas.sdk.link.session import AgentSession
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Outgoing
from agentic_atlas.sdk.runner.inbox import LoopInbox
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.testing.pipe import MemorySocket

FLUSH = 5.0
"""Seconds an agent that ends waits for what it said to be acknowledged."""
NEVER = 1e11
"""When tokens expire: seconds since the epoch."""


class MemoryLink:
    """Implements `sdk.agent.Link` for one connection to a router in the same loop."""

    def __init__(self, name: str, hello: Hello, runner: Runner, router: Router, welcomed: Callable[[], None]) -> None:
        """Prepare; `welcomed` is told when the router has let the agent in."""
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._hello = hello
        self._identity = Identity(f"tok_{name}", name, NEVER)
        self._router = router
        self._told = welcomed
        self._ledger = Ledger()
        self._inbox = LoopInbox(runner, loop)
        self._session = AgentSession(
            self._ledger, self._inbox, _Calm(), timeouts=Timeouts(), clock=loop.time, welcomed=self._welcomed
        )
        self._socket = MemorySocket(loop, lambda _: self._session)
        self._stopping = False

    def start(self) -> None:
        """Connect, and say hello."""
        theirs = MemorySocket(self._loop, partial(self._router.connect, self._identity))
        self._socket.join(theirs)
        self._socket.over.add_done_callback(self._ended)
        self._session.begin(self._socket, self._hello)

    def post(self, message: Outgoing) -> None:
        """Say this. From any thread."""
        self._do(partial(self._ledger.say, message))

    def forget_call(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more. From any thread."""
        self._do(partial(self._ledger.calls.forget, call_id))

    def pong(self, token: object) -> None:
        """Do nothing: a loop that stands still here stands still for all."""

    async def stop(self) -> None:
        """Have all that was said acknowledged, then close the connection."""
        self._stopping = True
        try:
            async with asyncio.timeout(FLUSH):
                while self._owes and not self._socket.over.done():
                    self._socket.heard.clear()
                    await self._socket.heard.wait()
        except TimeoutError:
            pass  # an agent that ends does not wait for ever; what it owes is of no account any more
        self._session.finish()

    @property
    def _owes(self) -> bool:
        ledger = self._ledger
        return ledger.attempts.owes or ledger.attempts.undecided or not self._session.parted

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


class _Calm:
    """A process that has enough of everything; implements `sdk.link.session.HealthView`."""

    full = False

    def hand(self, size: int) -> None:
        """Do nothing: what is handed over has arrived in the next turn of the loop."""

    def lag(self) -> float:
        """Return 0."""
        return 0.0

    def resources(self) -> Resources:
        """Return zeros."""
        return Resources()


def _error(code: int, reason: bytes) -> AtlasError:
    """Return what an agent is told whose connection the router has ended."""
    known = CloseCode(code) if code in CloseCode._value2member_map_ else None
    said = decode_reason(reason).code or reason.decode(errors="replace")
    happened = f"{ADVICE[known].happened} ({said}): {ADVICE[known].fix}" if known else f"the connection ended: {said}"
    return AtlasError(happened) if comes_back(code) else ConfigurationError(happened, code=said or None)
