"""Is a request meant for this network, and did nobody else's web page send it? Pure; the same rule at both doors.

A page can let its own name resolve to 127.0.0.1 or to a machine behind a firewall (DNS rebinding), and then reads what
answers there as if it were the page's own server. The name it came by stands in `Host`, and a door that answers only
to names which such a page cannot have is out of its reach. Those are: addresses, for they resolve to nothing;
`localhost` and names without a dot, for no public DNS has them; and the names that whoever runs the network gave it.

A page needs no answer to do harm. Browsers say with every request whether it came from another site (Fetch Metadata),
or at least from where (`Origin`): what comes from elsewhere changes nothing here. Programs send neither.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from agentic_atlas.errors import Forbidden, InvalidInput

ANY: Final = "*"
"""In place of a name: answer to all of them."""

_AUTHORITY: Final = re.compile(
    r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,253})(?::[0-9]{0,5})?",
)
"""Host and port (RFC 9112 section 3.2), without the parts of a name that no DNS has."""
OWN_PAGE: Final = frozenset(("same-origin", "none"))
_FIX: Final = "add it to ATLAS_ALLOWED_HOSTS, or set ATLAS_PUBLIC_URL and ATLAS_PUBLIC_ROUTER_URL"


class Hosts:
    """The names that a door answers to."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take the network's own names, or addresses (URLs) that hold them; `.example.org` is all names below it."""
        own = [_name_in(name) for name in names]
        self._all = ANY in own
        self._names = frozenset(own)
        self._below = tuple(name for name in own if name.startswith("."))

    def check(self, values: Sequence[str]) -> str:
        """Return the authority that a request names, given the values of all its `Host` headers.

        Raises:
            InvalidInput: there is none, several, or one that is no host (`bad_host`, RFC 9112 section 3.2).
            Forbidden: it is a name that is not this network's (`foreign_host`).
        """
        match = _AUTHORITY.fullmatch(values[0]) if len(values) == 1 else None
        if match is None or (match[1].startswith("[") and not _is_bracketed(match[1])):
            raise InvalidInput("a request names the host it is for, once", code="bad_host")
        if not self._ours(match[1].lower().removesuffix(".")):
            raise Forbidden(f"this network does not go by the name in Host: {_FIX}", code="foreign_host")
        return values[0]

    def check_page(self, authority: str, origins: Sequence[str], sites: Sequence[str]) -> None:
        """Let a request pass that no page of another site sent.

        Args:
            authority: what `check` returned.
            origins: values of all `Origin` headers.
            sites: values of all `Sec-Fetch-Site` headers.

        Raises:
            Forbidden: a page elsewhere sent it (`cross_site`).
        """
        own = OWN_PAGE.issuperset(sites) if sites else all(self._own_origin(one, authority) for one in origins)
        if not own:
            raise Forbidden("a web page of another site may not act here", code="cross_site")

    def _own_origin(self, origin: str, authority: str) -> bool:
        # Behind a proxy the page's address is a public one, and Host may be the proxy's name for this server.
        host = origin.partition("://")[2].lower()
        return host == authority.lower() or _name_in(origin) in self._names - {""}

    def _ours(self, name: str) -> bool:
        return (
            self._all
            or name in self._names
            or "." not in name
            or name.endswith(".localhost")
            or _is_address(name)
            or any(name.endswith(suffix) for suffix in self._below)
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def _is_bracketed(host: str) -> bool:
    """Tell whether what is in brackets is an IPv6 address: nothing else is (RFC 3986 section 3.2.2)."""
    return ":" in host and _is_address(host)


def _name_in(name: str) -> str:
    """Return the host in a name or URL, in small letters; nothing when there is none."""
    try:
        host = urlsplit(name).hostname if "://" in name else name
    except ValueError:
        host = ""
    return (host or "").strip().lower().removesuffix(".")
