"""Opening a connection to the router with the token of that moment, and why that fails.

What the operating system or the router's answer to the handshake says becomes an error whose message is the reason
alone. What a server says reaches people's logs only cut short and without control characters.
"""

import re
import socket
import ssl
from collections.abc import Callable, Mapping

import msgspec

from agentic_atlas.errors import AtlasError, ConfigurationError, Unavailable
from agentic_atlas.protocol.caller.values import ErrorAnswer, ErrorInfo
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.versions import ERROR_HEADER, SUBPROTOCOL
from agentic_atlas.sdk.address import Address
from agentic_atlas.sdk.client.way import proxy, trust
from agentic_atlas.sdk.encrypted import speaks_tls
from agentic_atlas.sdk.link.settings import Timeouts
from agentic_atlas.transport import client
from agentic_atlas.transport.addresses import reached
from agentic_atlas.transport.receiver import Receiver, Terms
from agentic_atlas.transport.websocket import WebSocket

LONGEST_TEXT = 300
"""Characters that are told of why a connection was refused."""
_LONGEST_BODY = 16 * 1024
_NOT_OURS = (400, 404, 405, 426)
"""Statuses that say, without an error of ours beside them, that the address is some other server's."""
_NO_TLS = frozenset(
    ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG")
)
"""What OpenSSL, old and new, calls an answer that is no TLS."""
_OUR_API = "that is the HTTP API; the router is at another port, 8080 by default"
_EARLY = "token_not_yet_valid"
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")
"""RFC 6750 section 2.1."""


class Unreachable(Unavailable):
    """Nobody answers; the message is the reason alone, for instance `connection refused`.

    Attributes:
        unknown: the host's name leads to no address.
        hung_up: somebody is there and ends the connection without a word.
        untrusted: somebody is there whose certificate is not trusted here.
    """

    default_code = "unreachable"

    def __init__(self, message: str, *, unknown: bool = False, hung_up: bool = False, untrusted: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown
        self.hung_up = hung_up
        self.untrusted = untrusted


class NotARouter(Unavailable):
    """Something answers, and it is not a router of ours; the message is the reason alone."""

    default_code = "not_a_router"


class HandshakeRefused(AtlasError):
    """The router's answer to the handshake is not 101; code and message are the router's own.

    Attributes:
        status: the HTTP status.
        retry_after: seconds the router asks for, or None.
    """

    default_code = "handshake_refused"

    def __init__(self, status: int, message: str, *, code: str | None, retry_after: float | None) -> None:
        super().__init__(message, code=code)
        self.status = status
        self.retry_after = retry_after

    @property
    def final(self) -> bool:
        """Trying again with the same token is of no use: not so when only its time has not come, by the router's clock.

        A clock that is set back ten minutes must not end the agents whose tokens are younger than that.
        """
        return self.status in (401, 403) and self.code != _EARLY


class Dialer:
    """Opens connections to one address."""

    def __init__(self, url: str, *, clock: Callable[[], float], timeouts: Timeouts, tls: ssl.SSLContext | None) -> None:
        """Raises ConfigurationError: the proxy on the way can't be used."""
        self._url = url
        self._clock = clock
        self._timeout = timeouts.connect
        self._terms = Terms(Limits(), message_within=timeouts.message, close_within=timeouts.close)
        self._tls = tls
        self._secure = url.lower().startswith("wss:")
        self._address = Address(url, api_key="")
        between = proxy(self._address)
        self._reach = reached if between is None else between.reach

    async def connect(self, token: str, receiver: Receiver) -> WebSocket:
        """Open a connection.

        Raises:
            Unreachable: nobody answers at that address, or not in time.
            NotARouter: what answers there does not speak our protocol.
            HandshakeRefused: the router does not let this agent in; with the router's own code and message.
            ConfigurationError: the token is no token: sent as a header, it would be more than one.
        """
        if not _TOKEN.fullmatch(token):
            raise ConfigurationError("the token has characters that no token has: copy it again")
        try:
            return await self._attempt(token, receiver)
        except (Unreachable, NotARouter) as error:
            there = isinstance(error, NotARouter) or error.hung_up
            if there and not self._secure and await speaks_tls(self._url):
                raise NotARouter("it speaks TLS: use wss://") from None
            raise

    async def _attempt(self, token: str, receiver: Receiver) -> WebSocket:
        websocket = WebSocket(lambda _: receiver, self._terms, self._clock)
        try:
            await client.dial(
                self._url,
                websocket,
                subprotocol=SUBPROTOCOL,
                headers={"Authorization": f"Bearer {token}"},
                within=self._timeout,
                tls=self._context(),
                reach=self._reach,
            )
        except TimeoutError:
            raise Unreachable(f"no answer within {self._timeout:g} s") from None
        except OSError as error:
            raise os_error(error) from None
        except client.NotOpened as error:
            raise refusal(error) from None
        return websocket

    def _context(self) -> ssl.SSLContext | None:
        if self._secure and self._tls is None:
            self._tls = trust(self._address)
        return self._tls if self._secure else None


def plain(text: str) -> str:
    """Return a peer's text as one short line that cannot disturb a terminal or a log."""
    printable = "".join(character if character.isprintable() else " " for character in text[: LONGEST_TEXT * 4])
    return " ".join(printable.split())[:LONGEST_TEXT]


def refusal(error: client.NotOpened) -> AtlasError:
    """Return the error for what answers there and opens no connection."""
    if not error.answered:
        return Unreachable(error.message, hung_up=True)
    if error.headers is None:
        return NotARouter(error.message)
    return _refused(error, error.headers)


def _refused(answer: client.NotOpened, headers: Mapping[str, str]) -> AtlasError:
    status = answer.status
    if status is None:
        return NotARouter("what answers there does not speak HTTP/1.1")
    if status == 101:
        return NotARouter("its WebSocket handshake is not correct")
    said = _said(answer.body)
    code = headers.get(ERROR_HEADER) or said.code
    if ERROR_HEADER not in headers and status in _NOT_OURS:
        return NotARouter(_OUR_API if said.code else _by_status(status))
    return HandshakeRefused(
        status,
        plain(said.message) or _by_status(status),
        code=code if _CODE.fullmatch(code) else None,
        retry_after=_seconds(headers.get("Retry-After", "")),
    )


def os_error(error: OSError) -> Unreachable | NotARouter:
    """Return the error for a connection that could not be made."""
    match error:
        case ConnectionRefusedError():
            return Unreachable("connection refused")
        case TimeoutError():
            return Unreachable("no answer")
        case ConnectionError():
            return Unreachable("it hung up without an answer", hung_up=True)
        case socket.gaierror():
            return Unreachable("the host's name can't be resolved", unknown=True)
        case ssl.SSLCertVerificationError():
            reason = plain(error.verify_message)
            fix = "SSL_CERT_FILE names who signed it"
            return Unreachable(f"its certificate is not trusted: {reason}; {fix}", untrusted=True)
        case ssl.SSLError() if error.reason in _NO_TLS:
            return NotARouter("it does not speak TLS: use ws://")
        case ssl.SSLError():
            return Unreachable(f"TLS failed: {plain(error.reason or 'is it a ws:// address?')}")
        case _:
            return Unreachable(plain(error.strerror or type(error).__name__).lower())


def _said(body: bytes) -> ErrorInfo:
    try:
        return msgspec.json.decode(body[:_LONGEST_BODY], type=ErrorAnswer).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ErrorInfo(code="", message="")


def _by_status(status: int) -> str:
    if status == 404:
        return "there is nothing at this path: is what stands before /ws right?"
    if 300 <= status < 400:
        return "the address redirects elsewhere, which is not followed: put the final one into ROUTER_WS_URL"
    return f"HTTP {status}"


def _seconds(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
