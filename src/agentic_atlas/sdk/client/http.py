"""One request to the API: seen to, sent, tried again where that is safe, and answered, or one of our errors."""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import quote, urlencode, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from agentic_atlas._version import __version__
from agentic_atlas.errors import AtlasError, Busy, ConfigurationError, InvalidInput, PayloadTooLarge, Unavailable
from agentic_atlas.protocol.caller.tasks import EventInfo
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.sdk.client import sse, way
from agentic_atlas.sdk.client.connection import Connections, Headers, HttpConnection, TransportError
from agentic_atlas.sdk.client.errors import ConnectionCut, UnexpectedAnswer, from_answer
from agentic_atlas.sdk.environment import check_plaintext
from agentic_atlas.sdk.forms.plain import encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentic_atlas.protocol.caller.values import Asked, Page
    from agentic_atlas.sdk.address import Address

PREFIX = "/api/v1"
_LONGEST_SEGMENT = 256
TIMEOUT = 30.0
"""Seconds to wait for an answer, unless a client is given another time."""
PATIENCE = 5.0
"""Seconds during which a request that got no answer is sent again, unless a client is given another time."""
STREAM_SILENCE = 45.0
"""Seconds without a byte after which an event stream counts as cut; the server says something every 15 s."""
WAITING_PATIENCE = 60.0
"""Seconds during which a wait or an event stream outlives a server that does not answer: the task is safe meanwhile."""
LONGEST_WAIT = 30.0
"""Seconds the server is asked to wait in one request; a longer wait is several."""
MAX_ANSWER = 64 * 1024 * 1024
"""Longest answer that is read, in bytes; a task holds an input, an output, and what people were asked."""
MAX_CONNECTIONS = 100
"""Connections of one client at the same time; further requests wait for one."""

FIRST_PAUSE = 0.1
"""Seconds: the window before the first repetition."""
LONGEST_PAUSE = 3.0
"""Seconds: the window never grows beyond this."""
TOO_OFTEN = "too_many_requests"
"""Code of whoever asks more often than they may: each wait is short, though more of theirs may wait as well."""
LASTING = frozenset({"agent_offline", "agent_disabled", "storage_full"})
"""Codes of what is away, or full, until somebody does something: waiting a moment does not help."""

A = TypeVar("A", bound="Asked")
T = TypeVar("T")
QueryValue = str | int | float | Sequence[str] | None
Query = Mapping[str, QueryValue]


@dataclass(frozen=True)
class Sources:
    """What the client takes from outside: clock, sleep, chance and keys."""

    clock: Callable[[], float] = time.monotonic
    """Seconds; only differences count."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """A number in [0, 1)."""
    key: Callable[[], str] = lambda: secrets.token_hex(16)
    """A new idempotency key, never the same twice."""


def pause(error: AtlasError, *, tries: int, waited: float, patience: float, repeatable: bool) -> float | None:
    """Return the seconds to wait before the next try, or None when the error is the answer.

    Args:
        error: why the try failed.
        tries: how many have failed, this one included.
        waited: seconds since the first of them failed.
        patience: seconds after which no other try begins; longer for who asks too often, while a wait is within it.
        repeatable: the request can arrive twice without harm; else only one that was refused or never sent is repeated.
    """
    if not isinstance(error, Busy | Unavailable) or (isinstance(error, ConnectionCut) and not repeatable):
        return None
    if error.code in LASTING:
        return None
    seconds = max(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(tries - 1, 16)), error.retry_after)
    if error.code == TOO_OFTEN and seconds <= patience:
        patience = max(patience, WAITING_PATIENCE)
    return seconds if waited + seconds <= patience else None


class Tries:
    """The failures of one request, or of one stream that is opened again and again."""

    def __init__(self, sources: Sources, patience: float) -> None:
        self.patience = patience
        self._sources = sources
        self._failed = 0
        self._since: float | None = None

    def alive(self) -> None:
        """The server showed that it is there: patience counts anew from the next failure."""
        self._since = None

    def progress(self) -> None:
        """What was asked for goes on: earlier failures do not count any more."""
        self._since, self._failed = None, 0

    async def again(self, error: AtlasError, *, repeatable: bool = True) -> None:
        """Return when the next try may begin; raise the error when there is none (see `pause`)."""
        now = self._sources.clock()
        self._since = now if self._since is None else self._since
        self._failed += 1
        seconds = pause(
            error, tries=self._failed, waited=now - self._since, patience=self.patience, repeatable=repeatable
        )
        if seconds is None:
            raise error
        # Up to a half longer, so that many clients do not come back at the same moment.
        await self._sources.sleep(seconds * (1 + self._sources.chance() / 2))


class Api(Protocol):
    """What a network can be asked: over HTTP, or in memory."""

    @property
    def sources(self) -> Sources:
        """Clock, sleep, chance and keys of whoever asks."""

    @property
    def longest_wait(self) -> float:
        """Seconds that may be waited in one request; a longer wait is several."""

    async def send(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        query: Query | None = None,
        body: Asked | None = None,
        repeatable: bool = True,
        patience: float | None = None,
    ) -> T:
        """Send a request and return its answer.

        Args:
            method: of HTTP.
            path: below `/api/v1`, already quoted.
            answer: what the answer is read as.
            query: its values; None leaves one out. `wait` also prolongs the time for the answer.
            body: what is asked.
            repeatable: False when arriving twice would do harm.
            patience: instead of the client's.

        Raises:
            AtlasError: the API's error (`client.errors.ERRORS`), or that there was no answer of its.
        """

    def events(self, path: str, after: int) -> AsyncGenerator[Sequence[EventInfo], None]:
        """Yield what follows the event with this `seq`, as it comes; nothing at all is a sign of life.

        Raises:
            AtlasError: as `send` does, and when the stream is cut.
        """


async def pages(api: Api, path: str, answer: type[Page[T, str]], query: Query | None = None) -> AsyncGenerator[T, None]:
    """Yield the items of a list, part after part; raises what `Api.send` does."""
    after: str | None = None
    while True:
        page = await api.send("GET", path, answer, query={**(query or {}), "after": after})
        for item in page.items:
            yield item
        if page.next in (None, after):
            return
        after = page.next


class Http:
    """Implements `Api`: requests to one address with one key. Each event loop it is used in has connections of its own.

    Args:
        address: where, and with which key.
        timeout: seconds to wait for an answer, beyond what the server is asked to wait itself.
        patience: seconds during which a request that got no answer, or "later", is tried again.
        sources: clock, sleep and chance.

    Raises:
        ConfigurationError: see `environment.check_plaintext`.
    """

    longest_wait = LONGEST_WAIT

    def __init__(self, address: Address, *, timeout: float, patience: float, sources: Sources) -> None:
        check_plaintext(address.url, "the API key", "the platform is at")
        self.address = address
        self.sources = sources
        self.patience = patience
        self._timeout = timeout
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, Connections] = WeakKeyDictionary()
        self._answered = False

    async def send(
        self,
        method: str,
        path: str,
        answer: type[T],
        *,
        query: Query | None = None,
        body: Asked | None = None,
        repeatable: bool = True,
        patience: float | None = None,
    ) -> T:
        """See `Api.send`."""
        content = None if body is None else encode_request(body)
        tries = Tries(self.sources, self.patience if patience is None else patience)
        while True:
            try:
                read = _decode(await self._once(method, path, query or {}, content), answer)
            except AtlasError as error:
                await self._see_scheme(error)
                if isinstance(error, ConnectionCut) and query and "wait" in query:
                    # The server was there, and what is waited for is safe with it: wait for its return.
                    tries.patience = max(tries.patience, WAITING_PATIENCE)
                await tries.again(error, repeatable=repeatable)
            else:
                self._answered = True
                return read

    async def events(self, path: str, after: int) -> AsyncGenerator[Sequence[EventInfo], None]:
        """Open an event stream once, behind the event with this `seq`; see `Api.events`."""
        parser = sse.Parser()
        async with self._stream(path, last_event_id=str(after) if after else "") as chunks:
            async for chunk in chunks:
                yield [_event(sent) for sent in parser.feed(chunk)]

    async def stream(self, path: str, query: Query, kinds: Mapping[str, type[T]]) -> AsyncGenerator[Sequence[T], None]:
        """Open an event stream once, and yield what comes of these kinds of events; nothing at all is a sign of life.

        Raises:
            AtlasError: as `send` does, and when the stream is cut.
        """
        parser = sse.Parser()
        async with self._stream(_target(path, query), last_event_id="") as chunks:
            async for chunk in chunks:
                sent = parser.feed(chunk)
                yield [_read_event(data, kinds[kind]) for kind, data in map(_not_refused, sent) if kind in kinds]

    async def _see_scheme(self, error: AtlasError) -> None:
        """Say so when plain text was sent where TLS is spoken: such a server hangs up, or answers in words of its own.

        Raises:
            ConfigurationError: it was.
        """
        if self._answered or self.address.secure or not isinstance(error, ConnectionCut | UnexpectedAnswer):
            return
        from agentic_atlas.sdk.encrypted import speaks_tls

        if way.proxy(self.address) is None and await speaks_tls(self.address.url):
            raise ConfigurationError(f"{self.address.url} speaks TLS: use https://") from error

    async def _once(self, method: str, path: str, query: Query, content: bytes | None) -> bytes:
        seconds = self._timeout + float(str(query.get("wait") or 0.0))
        target = _target(path, query)
        more = () if content is None else (("Content-Type", "application/json"),)
        with self._transport_errors():
            async with self._asked(method, target, more, content or b"", seconds) as answer:
                return await _read(answer)

    @asynccontextmanager
    async def _stream(self, path: str, *, last_event_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        headers = [("Accept", "text/event-stream"), ("Cache-Control", "no-store")]
        if last_event_id:
            headers.append(("Last-Event-ID", last_event_id))
        with self._transport_errors():
            async with self._asked("GET", path, headers, b"", STREAM_SILENCE) as answer:
                if answer.status == 204:
                    # No event follows that one, and none ever will (WHATWG HTML §9.2).
                    yield answer.pieces()
                    return
                if answer.status != 200:
                    await _read(answer)
                if not (answer.header("content-type") or "").startswith("text/event-stream"):
                    raise UnexpectedAnswer("the server did not answer with events: check the address")
                yield answer.pieces()

    async def aclose(self) -> None:
        """Close the connections of this loop; its next request opens new ones."""
        opened = self._opened.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.aclose()

    def _asked(
        self, method: str, target: str, headers: Headers, body: bytes, seconds: float
    ) -> AbstractAsyncContextManager[HttpConnection]:
        key = self.address.api_key
        said = [("User-Agent", f"agentic-atlas/{__version__}"), ("Accept-Encoding", "identity"), *headers]
        if not any(name == "Accept" for name, _ in headers):
            said.append(("Accept", "application/json"))
        if key:
            said.append(("Authorization", f"Bearer {key}"))
        path = urlsplit(self.address.url).path + PREFIX + target
        return self._connections().asked(method, path, said, body, seconds)

    def _connections(self) -> Connections:
        """Return the connections of this loop. Nothing but the API's own host is ever asked, so the key goes nowhere
        else: no redirects, and no proxy on the way to this machine.
        """
        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is None:
            where = self.address
            opened = self._opened[loop] = Connections(
                where.url, proxy=way.proxy(where), trusted=way.trust(where), most=MAX_CONNECTIONS
            )
        return opened

    @contextmanager
    def _transport_errors(self) -> Iterator[None]:
        """Turn what the connection raises into our errors, in this one place."""
        url = self.address.url
        try:
            yield
        except TransportError as error:
            raise self._ours(error) from error
        except UnicodeError as error:
            raise ConfigurationError(f"nothing can be asked at {url}: check the address") from error

    def _ours(self, error: TransportError) -> Unavailable:
        url = self.address.url
        match error.fault:
            case "not_reached":
                return Unavailable(f"cannot reach Agentic Atlas at {url}: {self._why(error)}", retry_after=0.0)
            case "full":
                return Unavailable("too many requests of this client are open already", retry_after=0.0)
            case "silent":
                return ConnectionCut(f"Agentic Atlas at {url} did not answer in time", retry_after=0.0)
            case "cut":
                return ConnectionCut(f"the connection to Agentic Atlas at {url} was cut", retry_after=0.0)

    def _why(self, error: BaseException) -> str:
        for cause in _causes(error):
            if isinstance(cause, ssl.SSLCertVerificationError):
                return "its certificate is not trusted here; set SSL_CERT_FILE to the authority that signed it"
            if isinstance(cause, ssl.SSLError):
                return "it does not speak TLS; use http:// if it has no certificate"
            if isinstance(cause, socket.gaierror):
                return "no such host is known; check the address"
        if self.address.loopback:
            return "nothing answers there; start it with `atlas up`, or look with `atlas platforms` which ones answer"
        return "nothing answers there; check the address and the network"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and what it came from, as far as ten steps."""
    for _ in range(10):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__


async def _read(answer: HttpConnection) -> bytes:
    """Return the body of a success.

    Raises:
        AtlasError: the answer says so, or is longer than `MAX_ANSWER`.
    """
    body = bytearray()
    async for piece in answer.pieces():
        body += piece
        if len(body) > MAX_ANSWER:
            raise PayloadTooLarge(f"the server's answer is longer than {MAX_ANSWER} bytes")
    if not 200 <= answer.status < 300:
        raise from_answer(answer.status, bytes(body), answer.header("retry-after"))
    return bytes(body)


def _decode(body: bytes, answer: type[T]) -> T:
    try:
        # Nothing at all is the answer to a request that asks for none (204).
        return msgspec.json.decode(body or b"null", type=answer)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer("the server did not answer as Agentic Atlas does: check the address") from error


def _target(path: str, query: Query) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return path if not given else f"{path}?{urlencode(given, doseq=True)}"


def _event(sent: sse.ServerEvent) -> EventInfo:
    return _read_event(_not_refused(sent)[1], EventInfo)


def _not_refused(sent: sse.ServerEvent) -> sse.ServerEvent:
    """Return an event; raises the error for one that says that no other follows."""
    kind, data = sent
    if kind == "refused":
        raise from_answer(401, data, None)
    return sent


def _read_event(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise UnexpectedAnswer("the server sent an event this version cannot read: upgrade agentic-atlas") from error


def checked(asked: A) -> A:
    """Return what is asked, with each field within its bounds; raises InvalidInput."""
    given = msgspec.structs.asdict(asked)
    kind = type(asked)
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        found = refusal(error, kind, given)
        raise InvalidInput(found.sentence, detail=[{"path": found.path, "message": found.message}]) from None


def aware(name: str, at: datetime | None) -> str | None:
    """Return a time as it is asked for; raises InvalidInput for one without a time zone."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise InvalidInput(f"`{name}` needs a time zone: datetime.now(UTC) - timedelta(…), for instance")
    return at.astimezone(UTC).isoformat()


def segment(value: str) -> str:
    """Return an id or a name as one segment of a path, which it cannot leave.

    Raises:
        InvalidInput: no id or name looks like this.
    """
    if not value or value in (".", "..") or len(value) > _LONGEST_SEGMENT:
        raise InvalidInput(f"{value[:64]!r} is no id or name: give 1 to {_LONGEST_SEGMENT} characters, not . or ..")
    return quote(value, safe="")


def agent_path(agent: str) -> str:
    """Return the path of an agent given as `name` or `owner/name`.

    Raises:
        InvalidInput: the name has more than one slash, or an empty part.
    """
    owner, slash, name = agent.rpartition("/")
    return f"/agents/{segment(owner)}/{segment(name)}" if slash else f"/agents/{segment(name)}"
