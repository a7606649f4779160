"""Whether something that did not answer in plain text speaks TLS: asked once, without a token and without trust."""

import asyncio
import ssl
from urllib.parse import urlsplit

WITHIN = 2.0
"""Seconds for a handshake."""
_PLAIN_PORT = 80


async def speaks_tls(url: str) -> bool:
    """Tell whether a TLS handshake succeeds at the host and port of an address."""
    parts = urlsplit(url)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE  # nothing is said there, and nothing that is heard counts
    try:
        async with asyncio.timeout(WITHIN):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or _PLAIN_PORT, ssl=anybody)
    except OSError:  # TimeoutError and ssl.SSLError are some
        return False
    writer.transport.abort()
    return True
