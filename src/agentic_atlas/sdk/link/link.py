"""An agent's connection, kept alive on a thread of its own (design: Connection).

A handler that blocks its loop therefore does not lose the connection: the beats go on, and say how late that loop is.
This module is the thread and its doors; `reconnector` decides when to connect again, `session` what is said on a
connection, and `ledger` knows what is still owed to the router.
"""

import asyncio
import contextlib
import functools
import threading
import urllib.parse
from collections import deque
from collections.abc import Callable

from agentic_atlas.errors import AtlasError, ConfigurationError
from agentic_atlas.observe import logs
from agentic_atlas.protocol.messages import Hello, Welcome
from agentic_atlas.sdk.address import is_loopback
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.lines.capture import LINK_THREAD
from agentic_atlas.sdk.lines.flow import LogFlow
from agentic_atlas.sdk.link.dial import Dialer
from agentic_atlas.sdk.link.health import LoopLag, ProcessHealth
from agentic_atlas.sdk.link.reconnector import Reconnector
from agentic_atlas.sdk.link.session import AgentSession, Backlog
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.link.trace import traced
from agentic_atlas.sdk.loops import loop_factory
from agentic_atlas.sdk.ports import Inbox, Outgoing
from agentic_atlas.sdk.tokens.source import TokenSource

FLUSH = 5.0
"""Seconds an agent that ends waits for what it said to be acknowledged."""
LAST_LINES = 1.0
"""Seconds of these that it waits when no more than lines of its log are missing."""
ACCEPT_WITHIN = 0.002
"""Seconds for which an `accept` is kept back: a result that comes meanwhile says the same, and spares both ends a
message. Most quick skills are done by then, and to whoever watches a longer one it is no time: the way takes it too."""


class LinkThread:
    """Implements `ports.ToLink`. `pong` is what `Inbox.ping` asks to have called from the handlers' loop."""

    def __init__(
        self,
        url: str,
        tokens: TokenSource,
        base: Hello,
        inbox: Inbox,
        *,
        on_loop: Callable[[str], bool] = bool,
        log: logs.Log | None = None,
        timeouts: Timeouts | None = None,
        runtime: Runtime | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            url: `ws://` or `wss://` address of the router.
            tokens: gives the token for each try to connect; used on the link's thread only.
            base: `hello` without its `running` and `results`: instance, skills, concurrency, description, labels.
            inbox: the runner; all of it is called from the link's thread.
            on_loop: whether the skill of this name runs on the handlers' loop itself (an `async def`), so that it is
                one of those that a warning about a blocked loop names. Without it all skills are.
            log: where the few lines go that a person should see.
            timeouts: the defaults are those of the design.
            runtime: clocks, randomness, TLS, and what keeps results on disk.
        """
        self._url = url
        self._tokens = tokens
        self._base = base
        self._inbox = inbox
        self._on_loop = on_loop
        self._log: logs.Log = log or logs.logger()
        self._timeouts = timeouts or Timeouts()
        self._runtime = runtime or Runtime()
        self._lag = LoopLag(self._runtime.clock, threading.get_ident(), self._timeouts)
        self._spool = self._runtime.spool
        self._lines: LogFlow | None = None
        if self._runtime.outlet is not None:
            self._runtime.outlet.wake = functools.partial(self._do, _nothing)
            self._lines = LogFlow(self._runtime.outlet.ring, self._runtime.clock, self._end_when_flushed)
        self._ledger = Ledger(spool=self._spool, clock=self._runtime.clock, keep_back=True, lines=self._lines)
        self._thread = threading.Thread(target=self._run, name=LINK_THREAD, daemon=True)
        # Between threads: what is to be done on the link's loop, and whether that loop was told so.
        self._posted: deque[Callable[[], None]] = deque()
        self._told = False
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # On the link's loop.
        self._reconnector: Reconnector | None = None
        self._look: asyncio.TimerHandle | None = None
        self._patience: asyncio.Timeout | None = None
        self._flush_until: float | None = None
        self._lines_until = 0.0
        self._finished = False

    # -- for any thread

    def start(self) -> None:
        """Start the link's thread and connect; to be called once, from the thread of the handlers' loop."""
        if is_exposed(self._url):
            self._log.warning("token_unencrypted", url=self._url)
        self._lag.thread_id = threading.get_ident()
        self._thread.start()

    def post(self, message: Outgoing) -> None:
        """Say this, now or after the next reconnect. Never blocks, never fails."""
        self._do(functools.partial(self._ledger.say, message))

    def forget_call(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more."""
        self._do(functools.partial(self._ledger.calls.forget, call_id))

    def pong(self, token: object) -> None:
        """The handlers' loop got to the `ping`; called on its thread."""
        self._lag.pong(token)

    def stop_soon(self, flush: float = FLUSH) -> None:
        """Begin to end: say what is owed for at most `flush` seconds, close, then `inbox.ended(None)`. Never blocks."""
        self._do(functools.partial(self._begin_to_end, flush))

    def stop(self, flush: float = FLUSH) -> None:
        """`stop_soon`, and wait until the thread has ended: at most `flush` seconds and those of a close."""
        self.stop_soon(flush)
        self.join()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread has ended; False when it has not within `timeout` seconds."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _do(self, action: Callable[[], None]) -> None:
        """Have this done on the link's loop; many at once wake it up only once."""
        if self._ended:
            return
        self._posted.append(action)
        loop = self._loop
        if loop is None or self._told:
            return
        self._told = True
        # RuntimeError: the link has ended in this moment, and there is nobody any more to say it to.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._work)

    # -- on the link's thread

    def _run(self) -> None:
        error: AtlasError | None
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                error = runner.run(self._main())
        except Exception as bug:  # noqa: BLE001 - an agent whose link has died must not look alive
            self._log.error("fault", exc_info=bug)
            error = AtlasError(f"the link has failed: {type(bug).__name__}")
        self._ended = True
        self._posted.clear()
        self._leave()
        self._inbox.ended(error)

    async def _main(self) -> AtlasError | None:
        self._ledger.take_over(self._spool.open())
        loop = asyncio.get_running_loop()
        backlog = Backlog()
        health = ProcessHealth(
            self._lag,
            self._inbox.ping,
            lambda: filter(self._on_loop, self._ledger.attempts.running_skills()),
            backlog,
            timeouts=self._timeouts,
            runtime=self._runtime,
            log=self._log,
        )
        new_session = functools.partial(
            AgentSession,
            self._ledger,
            self._inbox,
            timeouts=self._timeouts,
            clock=self._runtime.clock,
            welcomed=self._welcomed,
            backlog=backlog,
            vitals=health.vitals,
        )
        try:
            dialer = Dialer(self._url, clock=self._runtime.clock, timeouts=self._timeouts, tls=self._runtime.tls)
        except ConfigurationError as no_way:  # through the proxy that is named
            return no_way
        self._reconnector = Reconnector(
            self._url,
            self._tokens,
            self._base,
            traced(dialer.connect, self._log),
            new_session,
            timeouts=self._timeouts,
            runtime=self._runtime,
            log=self._log,
        )
        if self._lines is not None:
            self._lines.later = lambda seconds: loop.call_later(seconds, self._flush)
        loop.set_exception_handler(functools.partial(_report, self._log))
        self._loop = loop
        self._work()
        async with asyncio.TaskGroup() as group:
            ticking = group.create_task(self._tick_for_ever(health))
            error = await self._keep(self._reconnector)
            ticking.cancel()
        return error

    async def _keep(self, reconnector: Reconnector) -> AtlasError | None:
        try:
            async with asyncio.timeout(None) as self._patience:
                return await reconnector.run()
        except TimeoutError:
            return None

    async def _tick_for_ever(self, health: ProcessHealth) -> None:
        assert self._reconnector is not None
        while True:
            await asyncio.sleep(self._timeouts.tick)
            health.tick()
            if health.slept:
                self._reconnector.slept()
            if health.crossed and self._reconnector.session is not None:
                self._reconnector.session.beat()
            self._reconnector.tick()
            self._end_when_flushed()

    def _work(self) -> None:
        # Before the first one is taken: whoever posts from now on wakes this loop again.
        self._told = False
        while self._posted:
            self._posted.popleft()()
        self._flush()
        self._end_when_flushed()

    def _flush(self) -> None:
        """Say all that may be said, and look again when something was kept back."""
        if self._reconnector is not None and self._reconnector.session is not None:
            self._reconnector.session.flush()
        if self._look is None and self._loop is not None and self._ledger.queue.keeps_back:
            self._look = self._loop.call_later(ACCEPT_WITHIN, self._let_go)

    def _let_go(self) -> None:
        self._look = None
        self._ledger.let_go(ACCEPT_WITHIN)
        self._flush()

    def _welcomed(self, welcome: Welcome) -> None:
        assert self._reconnector is not None
        self._reconnector.welcomed(welcome)
        self._inbox.connected(welcome)

    def _begin_to_end(self, flush: float) -> None:
        now = self._runtime.clock()
        self._flush_until, self._lines_until = now + flush, now + min(flush, LAST_LINES)
        self._ledger.let_go()

    def _end_when_flushed(self) -> None:
        if self._flush_until is None or self._finished:
            return
        assert self._reconnector is not None
        done = self._reconnector.parted and not (self._ledger.attempts.owes or self._ledger.attempts.undecided)
        if done and self._lines is not None and self._lines.owes:
            done = self._runtime.clock() >= self._lines_until
        if not done and self._runtime.clock() < self._flush_until:
            return
        self._finished = True
        wait = self._timeouts.close * 2 if self._reconnector.finish() else 0.0
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + wait)

    def _leave(self) -> None:
        """Say what becomes of the results that the router has not acknowledged."""
        kept = self._spool.close(running=self._ledger.attempts.running > 0)
        if kept:
            self._log.warning("results_kept", count=kept)
        if len(self._ledger.results) > kept:
            self._log.warning("results_lost", count=len(self._ledger.results) - kept)


def _nothing() -> None:
    """Say what may be said: whoever does anything on the link's loop does so."""


def _report(log: logs.Log, _: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    log.error("fault", what=context.get("message"), exc_info=context.get("exception"))


def is_exposed(url: str) -> bool:
    """Tell whether a token sent to this address can be read on the way: no TLS, and another machine."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "ws" and not is_loopback(parts.hostname or "")
