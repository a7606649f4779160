"""Where the API is and what it is asked with: checked once, before anything is sent."""

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from agentic_atlas.errors import ConfigurationError, InvalidInput

_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_LONGEST_SEGMENT = 256


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
        return self.url.startswith("https:")

    @property
    def loopback(self) -> bool:
        """True when the API is on this machine: no proxy is ever in between."""
        return is_loopback(urlsplit(self.url).hostname or "")


def address(url: str, api_key: str) -> Address:
    """Return the checked address.

    Raises:
        ConfigurationError: the URL or the key cannot be used; the message never holds the key.
    """
    if not _KEY.fullmatch(api_key):
        raise ConfigurationError("the API key holds characters no key has: copy it again, without quotes or line ends")
    return Address(url=base_url(url), api_key=api_key)


def base_url(url: str) -> str:
    """Return the address of a platform in its one form, so that two can be compared.

    Raises:
        ConfigurationError: not an `http` or `https` URL, or one that carries a password or a query.
    """
    fault = ConfigurationError("the platform's address has to look like http://localhost:8000 or https://example.org")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise fault from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise fault
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigurationError("the platform's address must not hold a password, a query or a fragment")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Tell whether a host name or IP address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


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
