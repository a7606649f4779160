"""Where the API and the router are, and what the API is asked with: checked once, before anything is sent."""

import ipaddress
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.versions import PATH

API_EXAMPLES: Final = "http://localhost:8000 or https://example.org"
ROUTER_EXAMPLES: Final = "ws://localhost:8080/ws or wss://example.org/ws"

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


@dataclass(frozen=True)
class Address:
    """The API's address and the key it is asked with. The key stays out of every text form."""

    url: str
    """Scheme, host, port and, behind a proxy, a path; without a slash at the end."""
    api_key: str = field(repr=False)
    """Empty for the few requests that need none."""

    @property
    def secure(self) -> bool:
        """True when the connection is encrypted."""
        return self.url.startswith(("https:", "wss:"))

    @property
    def loopback(self) -> bool:
        """True when the API is on this machine: no proxy is ever in between."""
        return on_loopback(self.url)


def address(url: str, api_key: str) -> Address:
    """Return the checked address.

    Raises:
        ConfigurationError: the URL or the key cannot be used; the message never holds the key.
    """
    if not _KEY.fullmatch(api_key):
        raise ConfigurationError("the API key holds characters no key has: copy it again, without quotes or line ends")
    return Address(url=base_url(url), api_key=api_key)


def base_url(url: str, name: str = "the platform's address") -> str:
    """Return the address of a platform in its one form, so that two can be compared.

    Args:
        url: as it was given.
        name: of what holds it, for the error.

    Raises:
        ConfigurationError: not an `http` or `https` URL, or one that carries more than a path; never holds the URL.
    """
    parts = _parts(url, name, ("http", "https"), API_EXAMPLES)
    path = parts.path.rstrip("/")
    if path.endswith("/api/v1"):
        raise ConfigurationError(f"{name} has to end before /api/v1: it has to look like {API_EXAMPLES}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{path}"


def router_url(url: str, name: str) -> str:
    """Return the address that agents connect to, without white space around it.

    Args:
        url: as it was given.
        name: of the variable that holds it, for the error.

    Raises:
        ConfigurationError: not a `ws` or `wss` URL that ends in `/ws`; never holds the URL, which may hold a secret.
    """
    parts = _parts(url, name, ("ws", "wss"), ROUTER_EXAMPLES)
    if not parts.path.endswith(PATH):
        raise ConfigurationError(f"{name} has to end in {PATH}: it has to look like {ROUTER_EXAMPLES}")
    return url.strip()


def _parts(url: str, name: str, schemes: tuple[str, ...], examples: str) -> SplitResult:
    try:
        parts = urlsplit(url.strip())
        fault = _fault(url.strip(), parts, parts.port, schemes)
    except ValueError:
        parts, fault = urlsplit(""), "is not a URL"
    if fault is not None:
        raise ConfigurationError(f"{name} {fault}: it has to look like {examples}")
    return parts


def _fault(url: str, parts: SplitResult, port: int | None, schemes: tuple[str, ...]) -> str | None:
    checks = (
        (url[:1] in QUOTES or url[-1:] in QUOTES, "has quotes around it"),
        (any(character.isspace() or not character.isprintable() for character in url), "has spaces in it"),
        (parts.scheme not in schemes, f"does not begin with {' or '.join(f'{scheme}://' for scheme in schemes)}"),
        (not parts.hostname or port == 0, "names no host"),
        ("@" in parts.netloc, "holds a user name or password"),
        ("?" in url, "has a ? in it"),
        ("#" in url, "has a # in it"),
        (not _is_host(parts.hostname or ""), "names a host that cannot be one"),
    )
    return next((fault for is_wrong, fault in checks if is_wrong), None)


QUOTES: Final = ("'", '"', "`")
"""What files and shells leave around a value that was quoted for another one."""


def _is_host(host: str) -> bool:
    """Tell whether such a host could be looked up (RFC 5891, RFC 4291): no part of a name is empty or too long."""
    try:
        if ":" in host:
            ipaddress.ip_address(host)
        else:
            host.encode("idna")
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Tell whether a host name or IP address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def on_loopback(url: str) -> bool:
    """Tell whether an address that was checked leads to this machine itself."""
    return is_loopback(urlsplit(url).hostname or "")
