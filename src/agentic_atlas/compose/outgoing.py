"""Requests that this server makes for somebody, and to where others say: none reaches inside the network that it is in.

A name is resolved once, each of its addresses is looked at, and it is one of them that is connected to: a name that
means something else a moment later (DNS rebinding) leads nowhere. No redirect is followed, and no proxy of the
environment asked, for it would resolve names by itself.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import httpx

from agentic_atlas.errors import Unavailable

OUTGOING_TIMEOUT = 5.0
"""Seconds within which who is asked has to have answered, all of it."""
OUTGOING_ANSWER = 64 * 1024
"""Bytes of the answer to a request of this server's own; a longer one counts as none."""

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host; raises OSError."""

_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses in whose last bits another one stands (RFC 6052)."""
_UNICAST: Final = ipaddress.IPv6Network("2000::/3")


class OutgoingAnswer(NamedTuple):
    """What was answered."""

    status: int
    body: bytes


async def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses that the system has for a host, those first that it would connect to; see `Resolve`."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return [str(address[0]) for *_, address in found]


class Outgoing:
    """The one way by which this server asks others.

    Args:
        named: hosts, or addresses (URLs) that hold them, that whoever runs the network has named: they may be inside.
        resolve: finds the addresses of a host.
        within: seconds for one request.
    """

    def __init__(self, named: Iterable[str], resolve: Resolve = resolved, *, within: float = OUTGOING_TIMEOUT) -> None:
        self._named = frozenset(_host(name.strip()) for name in named if name.strip())
        self._resolve = resolve
        self._within = within
        # As httpx makes it by itself: with a private authority of SSL_CERT_FILE, if there is one.
        self._tls = httpx.create_ssl_context()

    async def ask(self, url: str, fields: Mapping[str, str], form: bytes | None = None) -> OutgoingAnswer:
        """Send a request, with POST where there is a form; return its answer, a redirect as well.

        Raises:
            Unavailable: the address is not to be asked, or does not answer, or not within the bounds
                (`outgoing_failed`); neither the message nor the time tells what there is at an address inside.
        """
        try:
            async with asyncio.timeout(self._within):
                return await self._asked(httpx.URL(url), fields, form)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, UnicodeError) as fault:
            raise _failed(_why(fault)) from None

    async def _asked(self, url: httpx.URL, fields: Mapping[str, str], form: bytes | None) -> OutgoingAnswer:
        named = url.host.lower() in self._named
        if url.scheme not in (("https", "http") if named else ("https",)) or url.userinfo:
            raise _failed("can't be asked: it has to be an https:// address without a name and password in it")
        addresses = await self._resolve(url.host, url.port or _PORTS[url.scheme])
        if not addresses or not (named or all(map(is_public, addresses))):
            raise _failed("can't be asked: it is inside this network, and ATLAS_OUTGOING_HOSTS does not name it")
        # Nothing is decompressed: what is short on the way may be endless.
        said = {**fields, "host": url.netloc.decode("ascii"), "accept-encoding": "identity"}
        async with (
            httpx.AsyncClient(
                verify=self._tls, trust_env=False, follow_redirects=False, timeout=self._within
            ) as client,
            client.stream(
                "GET" if form is None else "POST",
                url.copy_with(host=addresses[0]),
                headers=said,
                content=form,
                extensions={"sni_hostname": url.host},
            ) as answer,
        ):
            body = b""
            async for part in answer.aiter_raw():
                body += part
                if len(body) > OUTGOING_ANSWER:
                    raise _failed("says too much")
        return OutgoingAnswer(answer.status_code, body)


def is_public(address: str) -> bool:
    """Tell whether this is one machine's address on the Internet, in whatever form it is written."""
    try:
        return _is_public(ipaddress.ip_address(address))
    except ValueError:
        return False


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return _is_public(inner)
        return address in _UNICAST and address.is_global and address.teredo is None
    return address.is_global and not address.is_multicast


def _host(name: str) -> str:
    host = httpx.URL(name).host if "://" in name else name
    return host.lower().strip("[]")


def _why(fault: BaseException) -> str:
    """Say why there was no answer: of a certificate too, which is nobody's secret and what most often is wrong."""
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                "has a certificate that is not trusted here, give `atlas up` its authority with SSL_CERT_FILE "
                f"({cause.verify_message})"
            )
        cause = cause.__cause__ or cause.__context__
    return f"does not answer ({type(fault).__name__})"


def _failed(why: str) -> Unavailable:
    return Unavailable(f"the address {why}", code="outgoing_failed", retry_after=5.0)
