"""The way to the API as this machine is set up: through which proxy, and whose certificates are trusted.

One host is ever asked, so the proxy is decided once, as Python's own library does: what it can't read in `NO_PROXY` is
a name that matches nothing, no error.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.environment import check_trust, first_set
from agentic_atlas.transport.addresses import reached

if TYPE_CHECKING:
    import socket

    from agentic_atlas.sdk.address import Address

_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_PORT = 80
_MOST_HEAD = 64 * 1024


@dataclass(frozen=True)
class Proxy:
    """A proxy that speaks HTTP."""

    host: str
    port: int
    headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    """What it is shown of who asks."""

    async def reach(self, host: str, port: int) -> socket.socket:
        """Return a socket to a host behind it; raises OSError."""
        opened = await reached(self.host, self.port)
        try:
            await self.tunnel(opened, host, port)
        except BaseException:
            opened.close()
            raise
        return opened

    async def tunnel(self, opened: socket.socket, host: str, port: int) -> None:
        """Have it pass on what is sent from now on (RFC 9110 section 9.3.6).

        Raises:
            OSError: it does not.
        """
        loop = asyncio.get_running_loop()
        target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{name}: {said}" for name, said in self.headers)]
        await loop.sock_sendall(opened, "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii"))
        head = b""
        # Nothing follows the head: the other end waits for ours.
        while b"\r\n\r\n" not in head:
            piece = await loop.sock_recv(opened, _MOST_HEAD)
            head += piece
            if not piece or len(head) > _MOST_HEAD:
                raise OSError("the proxy ended the connection")
        status = head.split(b" ", 2)[1:2]
        if not status or not status[0].startswith(b"2"):
            raise OSError(f"the proxy answered {b' '.join(status).decode('ascii', 'replace')}")


def proxy(address: Address) -> Proxy | None:
    """Return the proxy that the environment names for this address; None for none, as for this machine always.

    A WebSocket takes the way of a request to the same place: `ws://` that of `http://`, `wss://` that of `https://`.

    Raises:
        ConfigurationError: it can't be used; the message names the variable, and never holds its value.
    """
    if address.loopback:
        return None
    from urllib.request import getproxies, proxy_bypass

    scheme, host = urlsplit(address.url).scheme.replace("ws", "http"), urlsplit(address.url).netloc
    known = getproxies()
    which = scheme if known.get(scheme) else "all"
    url = known.get(which)
    if not url or proxy_bypass(host):
        return None
    name, _ = first_set(f"{which}_proxy", f"{which.upper()}_PROXY") or ("the system's proxy", "")
    fix = f"or add {urlsplit(address.url).hostname} to NO_PROXY"
    if url.lower().startswith(("socks", "https:")):
        kind = "SOCKS" if url.lower().startswith("socks") else "TLS"
        raise ConfigurationError(f"{name} names a proxy that speaks {kind}: name one that speaks HTTP, {fix}")
    try:
        return _proxy(url if "://" in url else f"http://{url}")
    except ValueError:
        raise ConfigurationError(f"{name} is not the address of a proxy: correct it, {fix}") from None


def _proxy(url: str) -> Proxy:
    parts = urlsplit(url)
    if parts.scheme.lower() != "http" or not parts.hostname:
        raise ValueError
    if parts.username is None:
        return Proxy(parts.hostname, parts.port or _PORT)
    from base64 import b64encode

    said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    shown = ("Proxy-Authorization", f"Basic {b64encode(said.encode()).decode()}")
    return Proxy(parts.hostname, parts.port or _PORT, [shown])


def trust(address: Address) -> ssl.SSLContext:
    """Return whose certificates are trusted: what `SSL_CERT_FILE` or `SSL_CERT_DIR` names, else the system's, and those
    of certifi, for not every Python finds the system's.

    Raises:
        ConfigurationError: what is named can't be read; the message names the variable.
    """
    if not address.secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Without encryption no certificates have to be loaded.
    check_trust()
    named = first_set(*_TRUST)
    try:
        if named is None:
            import certifi

            context = ssl.create_default_context()
            context.load_verify_locations(certifi.where())
            return context
        by_file = named[0] == "SSL_CERT_FILE"
        return ssl.create_default_context(cafile=named[1] if by_file else None, capath=None if by_file else named[1])
    except ssl.SSLError:
        if named is None:
            raise
        raise ConfigurationError(f"{named[0]} can't be used: {named[1]}: it holds no certificate") from None
