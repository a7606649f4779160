"""Whom a request comes from, behind a proxy. Pure; the same rule at both doors.

A proxy writes the address of whoever asks it behind those in `X-Forwarded-For`, and anybody can send that header with
addresses of their choice. So only a proxy that whoever runs the network has named is believed, and of what it sends
only what it wrote itself, or what a named proxy before it did: read from the right, the first address that is none of
theirs.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from agentic_atlas.errors import ConfigurationError

FORWARDED_FOR: Final = "x-forwarded-for"
"""The header's name, in small letters."""
_MOST_HOPS: Final = 32
"""Addresses that are looked at; a longer way is none."""


class Proxies:
    """The proxies that are believed."""

    def __init__(self, named: Iterable[str] = ()) -> None:
        """Take addresses and networks, for instance `127.0.0.1` and `10.0.0.0/8`.

        Raises:
            ConfigurationError: one is neither.
        """
        self._networks = [_network(name.strip()) for name in named if name.strip()]

    def __bool__(self) -> bool:
        return bool(self._networks)

    def origin(self, peer: str, forwarded: Sequence[str]) -> str:
        """Return the address that a request comes from.

        Args:
            peer: address that its connection comes from.
            forwarded: values of all its `X-Forwarded-For` headers.
        """
        origin = peer
        if not self._networks or not forwarded:
            return origin
        hops = ",".join(forwarded).rsplit(",", _MOST_HOPS)
        for hop in reversed(hops[-_MOST_HOPS:]):
            if not self._believed(origin):
                break
            address = _address(hop.strip())
            if address is None:
                break
            origin = str(address)
        return origin

    def _believed(self, address: str) -> bool:
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


NO_PROXY: Final = Proxies()
"""Nobody is believed."""


def _network(name: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(name, strict=False)
    except ValueError:
        raise ConfigurationError(
            f"{name[:64]!r} in ATLAS_TRUSTED_PROXIES is no address or network: write for instance 127.0.0.1, 10.0.0.0/8"
        ) from None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
