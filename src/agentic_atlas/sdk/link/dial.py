"""Opening a connection to the router.

picows would follow redirects with the token, and its log can hold it: redirects are refused and the log is shut. The
socket is opened here, so that giving up in the middle of a handshake leaves nothing behind.
"""

import asyncio
import contextlib
import functools
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable
from typing import NamedTuple

from picows import WSError, ws_connect
from picows.common import WSHandshakeError, WSUpgradeRequest, WSUpgradeResponse
from picows.url import WSParsedURL

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.versions import SUBPROTOCOL
from agentic_atlas.sdk.encrypted import speaks_tls
from agentic_atlas.sdk.link.refusals import HungUp, NotARouter, Unreachable, os_error, refusal
from agentic_atlas.sdk.link.transport import CEILING, Connection, Receiver
from agentic_atlas.transport.addresses import reached

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{1,4096}=*")
"""RFC 6750 section 2.1."""
# Its own logger prints the upgrade request, and with it the token, at a low level: nothing of it is ever printed.
_SILENT = logging.Logger("agentic_atlas.picows", level=logging.CRITICAL + 1)


class _Opened(NamedTuple):
    """A socket, and what its number stood for when it was opened."""

    socket: socket.socket
    inode: int


class Dialer:
    """Opens connections to one address, each with the token of that moment."""

    def __init__(
        self, url: str, *, clock: Callable[[], float], timeout: float, close_timeout: float, tls: ssl.SSLContext | None
    ) -> None:
        self._url = url
        self._clock = clock
        self._timeout = timeout
        self._close_timeout = close_timeout
        self._tls = tls
        self._secure = url.lower().startswith("wss:")

    async def connect(self, token: str, receiver: Receiver) -> Connection:
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
        except (HungUp, NotARouter):
            if not self._secure and await speaks_tls(self._url):
                raise NotARouter("it speaks TLS: use wss://") from None
            raise

    async def _attempt(self, token: str, receiver: Receiver) -> Connection:
        connection = Connection(receiver, self._clock, self._close_timeout)
        sockets: list[_Opened] = []
        try:
            async with asyncio.timeout(self._timeout):
                await self._open(connection, token, sockets)
        except TimeoutError:
            raise Unreachable(f"no answer within {self._timeout:g} s") from None
        except OSError as error:
            _close(sockets)
            raise os_error(error) from None
        except WSHandshakeError as error:
            raise refusal(error.response, error.raw_body or b"") from None
        except WSError as error:
            raise NotARouter(str(error)) from None
        finally:
            if not connection.opened:
                _give_up(sockets)
        return connection

    async def _open(self, connection: Connection, token: str, sockets: list[_Opened]) -> None:
        def listener(_request: WSUpgradeRequest, response: WSUpgradeResponse) -> Connection:
            _check(response)
            return connection

        async def open_socket(address: WSParsedURL) -> socket.socket:
            return await _open_socket(address.host, address.port, sockets)

        open_connection = (
            functools.partial(ws_connect, ssl_handshake_timeout=self._timeout) if self._secure else ws_connect
        )
        _, opened = await open_connection(
            listener,
            self._url,
            ssl_context=self._context(),
            websocket_handshake_timeout=self._timeout,
            logger_name=_SILENT,
            enable_auto_pong=False,
            max_frame_size=CEILING,
            extra_headers={"Authorization": f"Bearer {token}", "Sec-WebSocket-Protocol": SUBPROTOCOL},
            max_redirects=0,
            proxy=None,
            socket_factory=open_socket,
            use_aiofastnet=False,  # its TLS reports a failed handshake to the loop as well, in a form nothing can print
        )
        if opened is None:  # what picows returns for a peer that hangs up without an answer
            raise HungUp("it hung up without an answer")

    def _context(self) -> ssl.SSLContext | None:
        if self._secure and self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls


def _check(response: WSUpgradeResponse) -> None:
    if response.headers.get("Sec-WebSocket-Protocol") != SUBPROTOCOL:
        raise NotARouter(f"what answers there does not speak {SUBPROTOCOL}")
    if "Sec-WebSocket-Extensions" in response.headers:
        raise NotARouter("it insists on an extension that was not asked for")


async def _open_socket(host: str, port: int, sockets: list[_Opened]) -> socket.socket:
    """Connect to the first address of the host that answers; owned here so that giving up closes it."""
    opened = await reached(host, port)
    sockets.append(_Opened(opened, _inode(opened)))
    return opened


def _close(sockets: list[_Opened]) -> None:
    """Close what no transport was made of, or what its transport closes too."""
    for opened, inode in sockets:
        if _inode(opened) == inode:
            opened.close()


def _give_up(sockets: list[_Opened]) -> None:
    """End what was opened. It is shut down, not closed: a transport may own it, and closes it when it reads the end.

    uvloop may have closed it already and left the object its number, which is that of another connection or file by
    now: such an object must never close it.
    """
    for opened, inode in sockets:
        if _inode(opened) != inode:
            opened.detach()
            continue
        with contextlib.suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def _inode(opened: socket.socket) -> int:
    """Return what tells sockets of the same number apart; 0 for none, and where sockets are not files (Windows)."""
    try:
        return os.fstat(opened.fileno()).st_ino
    except OSError:
        return 0
