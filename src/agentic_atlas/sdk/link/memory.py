"""An agent's link in memory: the ledger and the session of any link, on the loop of the handlers, for one connection.

It has no thread of its own, does not connect again, and needs no token; the other end is in the same loop.
"""

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.protocol.closing import ADVICE, CloseCode, comes_back, decode_reason
from agentic_atlas.protocol.messages import Hello, Welcome
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.link.link import FLUSH
from agentic_atlas.sdk.link.session import AgentSession
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.sdk.ports import Outgoing
from agentic_atlas.sdk.runner.runner import LoopInbox, Runner
from agentic_atlas.transport.memory import MemorySocket
from agentic_atlas.transport.receiver import Receiver


class MemoryLink:
    """Implements `ports.ToLink` for one connection within a loop."""

    def __init__(
        self, hello: Hello, runner: Runner, dial: Callable[[MemorySocket], Receiver], welcomed: Callable[[], None]
    ) -> None:
        """Prepare.

        Args:
            hello: what the agent says first.
            runner: of its skills.
            dial: gives the router its end, and returns who takes there what comes.
            welcomed: told when the router has let the agent in.
        """
        loop = self._loop = asyncio.get_running_loop()
        self._hello, self._told, self._stopping = hello, welcomed, False
        self._ledger, self._inbox = Ledger(), LoopInbox(runner, loop)
        self._session = AgentSession(
            self._ledger, self._inbox, timeouts=Timeouts(), clock=loop.time, welcomed=self._welcomed
        )
        self._end = MemorySocket(loop, lambda _: self._session)
        self._theirs = partial(MemorySocket, loop, dial)

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
