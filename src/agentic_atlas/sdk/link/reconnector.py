"""Keeps an agent connected: one connection after the other, for ever, until a code says that it is of no use.

Where the token is of no use any more, or the agent is disabled, it keeps quiet until that has changed.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from agentic_atlas.errors import AtlasError
from agentic_atlas.observe.logs import Log
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import Hello, Renewal, Welcome
from agentic_atlas.sdk.link import explain
from agentic_atlas.sdk.link.backoff import Backoff, longest_after
from agentic_atlas.sdk.link.dial import HandshakeRefused, NotARouter, Unreachable, plain
from agentic_atlas.sdk.link.expiry import Expiry, in_date
from agentic_atlas.sdk.link.explain import KeptOut, Remedy
from agentic_atlas.sdk.link.renewal import RenewalTimes
from agentic_atlas.sdk.link.session import AgentSession, AgentSocket
from agentic_atlas.sdk.link.settings import Runtime, Timeouts
from agentic_atlas.sdk.tokens.source import TokenSource
from agentic_atlas.transport.receiver import Closed

_NEXT_TOKEN = "going on with the token that was made in the place of this one"  # noqa: S105 - no token


class OpenSocket(AgentSocket, Protocol):
    """A connection that was made (`transport.websocket.WebSocket`)."""

    async def ended(self) -> Closed:
        """Wait until it has ended."""


Connect: TypeAlias = Callable[[str, AgentSession], Awaitable[OpenSocket]]
"""Opens a connection with a token; what is said on it is for the session. It raises as `Dialer.connect` does."""


class Reconnector:
    """All of it belongs to the link's loop.

    Attributes:
        session: the one that goes on, or None between two.
    """

    def __init__(
        self,
        url: str,
        tokens: TokenSource,
        base: Hello,
        connect: Connect,
        new_session: Callable[[], AgentSession],
        *,
        timeouts: Timeouts,
        runtime: Runtime,
        log: Log,
    ) -> None:
        self.session: AgentSession | None = None
        self._url = url
        self._tokens = tokens
        self._base = base
        self._connect = connect
        self._new_session = new_session
        self._timeouts = timeouts
        self._clock = runtime.clock
        self._log = log
        self._backoff = Backoff(runtime.random)
        self._outage = explain.Outage(timeouts.tell_again)
        self._expiry = Expiry()
        self._renewal = RenewalTimes(runtime.random)
        self._not_renewed = False
        # By how much the server's clock is ahead of ours, and what the agent is called there.
        self._ahead = 0.0
        self._agent = ""
        self._using = ""
        # A person had another one made in its place, which may be beside us by now.
        self._retiring = False
        self._known = False
        self._random = runtime.random
        # While the agent is kept out: what it was told, and how long it waits before the next try.
        self._told: str | None = None
        # Why the first of the tokens was refused that were tried in a row; None: none was, or one was waited for.
        self._first: KeptOut | None = None
        self._pause = timeouts.watch
        self._cut_at: float | None = None
        # Ends the connection of `session`, with a reason, to come back on another one.
        self._cut: Callable[[str], None] = lambda _: None
        # Without bound until the first `welcome`: there is nothing yet to be in time for.
        self._grace = math.inf
        self._finishing = False
        self._wake = asyncio.Event()

    async def run(self) -> AtlasError | None:
        """Stay connected; return None after `finish`, or the error that makes coming back useless."""
        while not self._finishing:
            end = await self._once()
            if isinstance(end, KeptOut):
                if not await self._goes_on(end):
                    return end.error
            elif not self._finishing:
                await self._rest(end)
        return None

    def tick(self) -> None:
        """Let time pass on the connection."""
        if self.session is not None:
            self.session.tick()
            self._tell_of_end()
            if self._renewal.due(self._clock()):
                self.session.renew()
            elif self._retiring and self._tokens.current() != self._using:
                # Not at the end: what runs then would have to be waited for, with no new task until it is over.
                self._retiring = False
                self._cut(_NEXT_TOKEN)

    def slept(self) -> None:
        """The machine slept: have the connection prove itself, or try again without further waiting."""
        self._backoff.reset()
        self._wake.set()
        if self.session is not None:
            self.session.probe()

    def finish(self) -> bool:
        """Begin to end; False when there is no connection to close, so that nothing more is to be waited for."""
        self._finishing = True
        self._wake.set()
        if self.session is None:
            return False
        self.session.finish()
        return True

    @property
    def parted(self) -> bool:
        """See `AgentSession.parted`; True without a connection: nothing is on its way."""
        return self.session is None or self.session.parted

    def welcomed(self, welcome: Welcome) -> None:
        """The router has let the agent in."""
        self._grace, self._cut_at = welcome.grace, None
        self._known, self._told, self._first, self._pause = True, None, None, self._timeouts.watch
        self._tokens.let_in()
        line = self._outage.back(self._clock())
        self._log.info("connected", message=line or f"connected to {self._url}")
        if welcome.token_expires_at is not None:
            self._ahead = welcome.now - self._clock()
            self._agent = welcome.agent
            self._holds(welcome.token_expires_at, renewable=welcome.token_renewable)

    def _renewed(self, answer: Renewal) -> None:
        """The router has another token for this connection, or says why there is none."""
        if answer.refused is None:
            self._tokens.renew(self._using, answer.token)
            self._using = answer.token
            self._holds(answer.expires_at, renewable=answer.renewable)
            self._log.info("token_got", until=in_date(answer.expires_at))
            return
        if answer.expires_at:
            self._replaced(answer.expires_at)
            return
        self._renewal.refused(answer.retry_after, self._clock())
        why = plain(answer.refused.message or answer.refused.code)
        if answer.retry_after is None:
            self._log.warning("renewal_refused", why=why)
            self._expiry.alone()
        elif not self._not_renewed:
            self._not_renewed = True
            self._log.warning("renewal_delayed", why=why)

    def _replaced(self, ends_at: float) -> None:
        """A person had another token made in the place of the connection's, which ends then, on the server's clock."""
        now = self._clock()
        left = ends_at - self._ahead - now
        self._retiring = True
        self._renewal.refused(None, now)
        self._expiry.begin(self._agent, ends_at, now + left, renewable=False, replaced=True)
        self._log.info("token_replaced", until=in_date(ends_at))

    def _holds(self, expires_at: float, *, renewable: bool) -> None:
        """The connection has a token that expires then, on the server's clock."""
        now = self._clock()
        left = expires_at - self._ahead - now
        self._not_renewed = False
        self._renewal.begin(self._using, left, now, renewable=renewable)
        self._expiry.begin(self._agent, expires_at, now + left, renewable=renewable)
        self._tell_of_end()

    def _tell_of_end(self) -> None:
        """Say that the token ends, where nothing else is known to come after it."""
        line = self._expiry.line(self._clock())
        if line is not None and self._tokens.newest() == self._using:
            self._log.warning("token_ends", message=line)

    async def _once(self) -> KeptOut | float:
        """Go through one connection; return why there is no point in another, or the seconds to wait before it."""
        session = self._new_session()
        session.renewed = self._renewed
        self._retiring = False
        self._using = self._tokens.current()
        try:
            socket = await self._connect(self._using, session)
        except HandshakeRefused as why:
            return explain.refused_for_good(why) if why.final else self._not_reached(why, why.retry_after)
        except (Unreachable, NotARouter) as why:
            return self._not_reached(why, None)
        except AtlasError as why:  # it is no token
            return KeptOut(why)
        began_at = self._clock()
        self.session, self._cut = session, socket.abort
        try:
            self._tokens.show(self._using)
            session.begin(socket, self._base)
            closed = await socket.ended()
        finally:
            self.session = None
            session.end()
            socket.abort("the agent ends")
        if session.welcome is not None and self._clock() - began_at >= self._timeouts.stable:
            self._backoff.reset()
        return self._lost(closed, session)

    async def _goes_on(self, refusal: KeptOut) -> bool:
        """Wait until there is a point in another try; False when there will never be one."""
        if refusal.of_token:
            self._tokens.refuse(self._using)
            if self._tokens.usable:
                self._first = self._first or refusal
                self._log.info("token_refused", why=refusal.happened)
                self._outage.kept_out(self._clock())
                await self._rest(self._wait(None))
                return True
            refusal, self._first = refusal.since(self._first), None
        remedy = refusal.remedy(known=self._known)
        if remedy is Remedy.NONE:
            return False
        if self._told != refusal.error.code:
            self._told = refusal.error.code
            self._log.warning("kept_out", message=explain.waiting(refusal))
        self._outage.kept_out(self._clock())
        if not self._known:
            self._tokens.show(None)
        await self._changed(again=remedy is Remedy.ENABLING)
        return True

    async def _changed(self, *, again: bool) -> None:
        """Wait for another token; with `again`, for no longer than it takes to the next try with the same."""
        until = self._clock() + self._pause * (1.0 + self._random()) / 2 if again else math.inf
        self._pause = min(2 * self._pause, self._timeouts.shut_out)
        while not self._finishing and (left := until - self._clock()) > 0:
            if self._tokens.usable and self._tokens.current() != self._using:
                return
            await self._rest(min(self._timeouts.watch, left))

    def _not_reached(self, why: AtlasError, retry_after: float | None) -> float:
        self._tell(self._outage.failed(explain.unreachable(self._url, why), why.message, self._clock()))
        return self._wait(retry_after)

    def _lost(self, closed: Closed, session: AgentSession) -> KeptOut | float:
        end = explain.final(closed)
        if end is not None or self._finishing:
            return end or 0.0
        if closed.bug is not None:
            self._log.error("fault", exc_info=closed.bug)
        if closed.why == _NEXT_TOKEN:
            self._log.info("token_taken", message=_NEXT_TOKEN)
            self._outage.kept_out(self._clock())
        else:
            self._tell(self._outage.lost(explain.reason(closed), self._clock()))
        asked = explain.retry_after(closed)
        if asked is None:
            asked = session.retry_after
        if closed.code == CloseCode.RESTART:
            self._backoff.reset()
        if closed.code == CloseCode.TOKEN_IN_USE:
            self._tokens.in_use(self._using)
            asked = max(asked or 0.0, self._timeouts.in_use)
        return self._wait(asked)

    def _wait(self, asked: float | None) -> float:
        """Return the seconds to wait before the next try."""
        now = self._clock()
        if self._cut_at is None:
            self._cut_at = now
        return self._backoff.next(asked, longest=longest_after(now - self._cut_at, self._grace))

    def _tell(self, line: str | None) -> None:
        if line is not None:
            self._log.warning("not_connected", message=line)

    async def _rest(self, seconds: float) -> None:
        self._wake.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
