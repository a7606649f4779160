"""Dialling a server of WebSockets. The socket is opened here, so that giving up in the middle leaves nothing behind."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeAlias

from picows import WSError, ws_connect
from picows.common import WSHandshakeError, WSUpgradeRequest, WSUpgradeResponse
from picows.url import WSParsedURL

from agentic_atlas.errors import Unavailable
from agentic_atlas.transport.addresses import reached
from agentic_atlas.transport.websocket import CEILING, SILENT, WebSocket


class NotOpened(Unavailable):
    """What is there did not open a WebSocket; the message is the reason alone.

    Attributes:
        answered: it said something, and did not only hang up.
        status: of the answer in place of an upgrade; None for one that is no HTTP/1.1, or an upgrade that is not right.
        headers: of such an answer, whatever case their names are asked for in; None where there was none.
        body: as much of it as came.
    """

    default_code = "not_a_websocket"

    def __init__(
        self,
        message: str,
        *,
        answered: bool = True,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.answered = answered
        self.status = status
        self.headers = headers
        self.body = body


Opened: TypeAlias = dict[socket.socket, int]
"""Sockets, and what the number of each stood for when it was opened."""
Reach: TypeAlias = Callable[[str, int], Awaitable[socket.socket]]
"""Returns a socket to a host and port; raises OSError."""


async def dial(
    url: str,
    websocket: WebSocket,
    *,
    subprotocol: str,
    headers: Mapping[str, str],
    within: float,
    tls: ssl.SSLContext | None,
    reach: Reach = reached,
) -> None:
    """Open a connection for a `WebSocket`, which begins when this returns.

    Args:
        url: `ws://` or `wss://`.
        websocket: this end of it.
        subprotocol: what has to be spoken there.
        headers: of the request, beside those that every one has.
        within: seconds for the whole of it.
        tls: whom to trust, for `wss://`.
        reach: connects to a host and port; through a proxy, for instance.

    Raises:
        OSError: nobody answers, or not in time (TimeoutError), or TLS fails.
        NotOpened: what answers opens no WebSocket, or not one of this subprotocol.
    """
    sockets: Opened = {}
    try:
        async with asyncio.timeout(within):
            await _open(url, websocket, subprotocol, headers, within, tls, partial(_reached, reach, sockets))
    except TimeoutError:
        raise
    except OSError:
        _close(sockets)
        raise
    except WSHandshakeError as error:
        raise _refused(error) from None
    except WSError as error:
        raise NotOpened(str(error)) from None
    finally:
        if not websocket.opened:
            _give_up(sockets)


async def _open(
    url: str,
    websocket: WebSocket,
    subprotocol: str,
    headers: Mapping[str, str],
    within: float,
    tls: ssl.SSLContext | None,
    open_socket: Callable[[WSParsedURL], Awaitable[socket.socket]],
) -> None:
    def listener(_request: WSUpgradeRequest, response: WSUpgradeResponse) -> WebSocket:
        _check(response, subprotocol)
        return websocket

    connect = ws_connect if tls is None else partial(ws_connect, ssl_handshake_timeout=within)
    _, opened = await connect(
        listener,
        url,
        ssl_context=tls,
        websocket_handshake_timeout=within,
        logger_name=SILENT,
        enable_auto_pong=False,
        max_frame_size=CEILING,
        extra_headers={**headers, "Sec-WebSocket-Protocol": subprotocol},
        max_redirects=0,
        proxy=None,
        socket_factory=open_socket,
        use_aiofastnet=False,
    )
    if opened is None:  # what picows returns for a peer that hangs up without an answer
        raise NotOpened("it hung up without an answer", answered=False)


def _check(response: WSUpgradeResponse, subprotocol: str) -> None:
    if response.headers.get("Sec-WebSocket-Protocol") != subprotocol:
        raise NotOpened(f"what answers there does not speak {subprotocol}")
    if "Sec-WebSocket-Extensions" in response.headers:
        raise NotOpened("it insists on an extension that was not asked for")


def _refused(error: WSHandshakeError) -> NotOpened:
    reason, status = "what answers there opens no WebSocket", getattr(error.response, "status", None)
    if error.response is None or status is None:
        return NotOpened(reason, headers={})
    return NotOpened(reason, status=int(status), headers=error.response.headers, body=error.raw_body or b"")


async def _reached(reach: Reach, sockets: Opened, address: WSParsedURL) -> socket.socket:
    """Connect; owned here so that giving up closes it."""
    opened = await reach(address.host, address.port)
    sockets[opened] = _inode(opened)
    return opened


def _close(sockets: Opened) -> None:
    """Close what no transport was made of, or what its transport closes too."""
    for opened, inode in sockets.items():
        if _inode(opened) == inode:
            opened.close()


def _give_up(sockets: Opened) -> None:
    """End what was opened. It is shut down, not closed: a transport may own it, and closes it when it reads the end.

    uvloop may have closed it already and left the object its number, which is that of another connection or file by
    now: such an object must never close it.
    """
    for opened, inode in sockets.items():
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
