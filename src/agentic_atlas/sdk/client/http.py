"""One request to the API: sent, tried again where that is safe, and answered, or one of our errors."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlencode, urlsplit
from weakref import WeakKeyDictionary

import msgspec

from agentic_atlas._version import __version__
from agentic_atlas.errors import AtlasError, ConfigurationError, PayloadTooLarge, Unavailable
from agentic_atlas.sdk.client import way
from agentic_atlas.sdk.client.connection import (
    Connections,
    Cut,
    Full,
    Headers,
    HttpRequest,
    HttpResponse,
    NotReached,
    Patience,
    Silent,
)
from agentic_atlas.sdk.client.errors import ConnectionCut, UnexpectedAnswer, from_answer
from agentic_atlas.sdk.client.retry import Sources, Tries
from agentic_atlas.sdk.forms.encode import encode_request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentic_atlas.protocol.caller.values import Asked
    from agentic_atlas.sdk.address import Address

PREFIX = "/api/v1"
TIMEOUT = 30.0
"""Seconds to wait for an answer, unless a client is given another time."""
PATIENCE = 5.0
"""Seconds during which a request that got no answer is sent again, unless a client is given another time."""
CONNECT_TIMEOUT = 5.0
"""Seconds for a connection to be made."""
STREAM_SILENCE = 45.0
"""Seconds without a byte after which an event stream counts as cut; the server says something every 15 s."""
WAITING_PATIENCE = 60.0
"""Seconds during which a wait or an event stream outlives a server that does not answer: the task is safe meanwhile."""
MAX_ANSWER = 64 * 1024 * 1024
"""Longest answer that is read, in bytes; a task holds an input, an output, and what people were asked."""
MAX_CONNECTIONS = 100
"""Connections of one client at the same time; further requests wait for one."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
QueryValue = str | int | float | Sequence[str] | None
Query = Mapping[str, QueryValue]


class Page(Protocol[T_co]):
    """Part of a list."""

    @property
    def items(self) -> Sequence[T_co]:
        """What is in it."""

    @property
    def next(self) -> str | None:
        """What leads to the part after it."""


class Http:
    """Requests to one address with one key. Each event loop it is used in has connections of its own.

    Args:
        address: where, and with which key.
        timeout: seconds to wait for an answer, beyond what the server is asked to wait itself.
        patience: seconds during which a request that got no answer, or "later", is tried again.
        sources: clock, sleep and chance.
    """

    def __init__(self, address: Address, *, timeout: float, patience: float, sources: Sources) -> None:
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

    async def pages(self, path: str, answer: type[Page[T]], query: Query | None = None) -> AsyncGenerator[T, None]:
        """Yield the items of a list, part after part; raises what `send` does."""
        after: str | None = None
        while True:
            page = await self.send("GET", path, answer, query={**(query or {}), "after": after})
            for item in page.items:
                yield item
            if not page.items or page.next is None:
                return
            after = page.next

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
        given = {name: value for name, value in query.items() if value is not None}
        seconds = self._timeout + float(str(given.get("wait", 0.0)))
        target = path if not given else f"{path}?{urlencode(given, doseq=True)}"
        more = () if content is None else (("Content-Type", "application/json"),)
        with self._transport_errors():
            async with self._asked(method, target, more, content or b"", seconds) as answer:
                return await _read(answer)

    @asynccontextmanager
    async def stream(self, path: str, *, last_event_id: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an event stream once and give its bytes as they come; what goes wrong is one of our errors."""
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
    ) -> AbstractAsyncContextManager[HttpResponse]:
        key = self.address.api_key
        said = [("User-Agent", f"agentic-atlas/{__version__}"), ("Accept-Encoding", "identity"), *headers]
        if not any(name == "Accept" for name, _ in headers):
            said.append(("Accept", "application/json"))
        if key:
            said.append(("Authorization", f"Bearer {key}"))
        path = urlsplit(self.address.url).path + PREFIX + target
        return self._connections().asked(HttpRequest(method, path, said, body), Patience(CONNECT_TIMEOUT, seconds))

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
        except NotReached as error:
            raise Unavailable(f"cannot reach Agentic Atlas at {url}: {self._why(error)}", retry_after=0.0) from error
        except Full as error:
            raise Unavailable("too many requests of this client are open already", retry_after=0.0) from error
        except Silent as error:
            raise ConnectionCut(f"Agentic Atlas at {url} did not answer in time", retry_after=0.0) from error
        except Cut as error:
            raise ConnectionCut(f"the connection to Agentic Atlas at {url} was cut", retry_after=0.0) from error
        except UnicodeError as error:
            raise ConfigurationError(f"nothing can be asked at {url}: check the address") from error

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


async def _read(answer: HttpResponse) -> bytes:
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
