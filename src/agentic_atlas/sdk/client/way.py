"""The way to the API as this machine is set up: through which proxy, and whose certificates are trusted.

One host is ever asked, so the proxy is decided once, as Python's own library does: what it can't read in `NO_PROXY` is
a name that matches nothing, no error.
"""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.sdk.environment import check_trust, first_set

if TYPE_CHECKING:
    import httpx

    from agentic_atlas.sdk.address import Address

_TRUST = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def proxy(address: Address) -> httpx.Proxy | None:
    """Return the proxy that the environment names for this address; None for none, as for this machine always.

    Raises:
        ConfigurationError: it can't be used; the message names the variable, and never holds its value.
    """
    if address.loopback:
        return None
    from urllib.request import getproxies, proxy_bypass

    import httpx

    scheme, host = urlsplit(address.url).scheme, urlsplit(address.url).netloc
    known = getproxies()
    which = scheme if known.get(scheme) else "all"
    url = known.get(which)
    if not url or proxy_bypass(host):
        return None
    name, _ = first_set(f"{which}_proxy", f"{which.upper()}_PROXY") or ("the system's proxy", "")
    fix = f"or add {urlsplit(address.url).hostname} to NO_PROXY"
    if url.lower().startswith("socks") and find_spec("socksio") is None:
        raise ConfigurationError(
            f'{name} names a SOCKS proxy, which needs one more package: pip install "httpx[socks]", {fix}'
        )
    try:
        return httpx.Proxy(url if "://" in url else f"http://{url}")
    except (ValueError, httpx.InvalidURL):
        raise ConfigurationError(f"{name} is not the address of a proxy: correct it, {fix}") from None


def trust(address: Address) -> ssl.SSLContext:
    """Return whose certificates are trusted: what `SSL_CERT_FILE` or `SSL_CERT_DIR` names, else those of certifi.

    Raises:
        ConfigurationError: what is named can't be read; the message names the variable.
    """
    if not address.secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # Without encryption no certificates have to be loaded.
    import httpx

    check_trust()
    try:
        return httpx.create_ssl_context()
    except ssl.SSLError:
        named = first_set(*_TRUST)
        if named is None:
            raise
        raise ConfigurationError(f"{named[0]} can't be used: {named[1]}: it holds no certificate") from None
