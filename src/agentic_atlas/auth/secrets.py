"""Secrets: random ones (API keys, one-time links) made, stored and found by a digest; any taken out of a request.

Random secrets hold 256 bits, so a plain SHA-256 is enough to store them: there is nothing to guess. Passwords are
another matter and are not handled here.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final

from agentic_atlas.auth import base64url
from agentic_atlas.auth.errors import TokenRefused
from agentic_atlas.errors import ConfigurationError

SECRET_BYTES: Final = 32
"""Random bytes of an API key, or of a code that only programs say."""
PREFIX: Final = "atlas_"
"""Every random secret starts with it, so that it is recognised wherever it leaks to."""
MAX_TOKEN_BYTES: Final = 4096
"""A longer token is refused unread (design: connection)."""

_BEARER: Final = re.compile(r"(?i:Bearer) +([A-Za-z0-9._~+/-]+=*)")  # RFC 6750, 2.1; RFC 9110, 11.1 and 11.4
_MAX_HEADER_VALUE: Final = len("Bearer ") + MAX_TOKEN_BYTES
_PREFIX: Final = re.compile(r"atlas_(?:[a-z]{1,16}_)?")


def new_secret(prefix: str, entropy: Callable[[int], bytes]) -> str:
    """Make a secret: `prefix`, then 43 characters of base64url.

    `prefix` is `atlas_`, or tells the kind as in `atlas_key_`. `entropy(n)` returns n bytes from a cryptographic
    source, in production `secrets.token_bytes`.

    Raises:
        ConfigurationError: `prefix` is of another form, so `redact` would not know the secret, or `entropy` gave
            another number of bytes than was asked for (`secret_refused`).
    """
    if _PREFIX.fullmatch(prefix) is None:
        raise ConfigurationError(f"the prefix of a secret is {PREFIX} or {PREFIX}<kind>_", code="secret_refused")
    random = entropy(SECRET_BYTES)
    if len(random) != SECRET_BYTES:
        raise ConfigurationError(
            f"the source of randomness gave {len(random)} bytes instead of {SECRET_BYTES}", code="secret_refused"
        )
    return prefix + base64url.encode(random)


def digest(secret: str) -> bytes:
    """Return the 32 bytes to store and to look up in place of `secret`; any text has a digest."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def read_bearer(header_values: Sequence[str]) -> str:
    """Return the token of a request, given the values of all its `Authorization` headers; it is not verified yet.

    Raises:
        TokenRefused: there is no such header, or it is empty (`token_missing`), it is longer than any token
            (`token_too_long`), or there are several, of another scheme than `Bearer`, or not exactly one token is in it
            (`token_malformed`).
    """
    if not header_values:
        raise TokenRefused("the request has no Authorization header", code="token_missing")
    if len(header_values) > 1:
        raise TokenRefused("the request has more than one Authorization header", code="token_malformed")
    value = header_values[0]
    if len(value) > _MAX_HEADER_VALUE:
        raise TokenRefused(
            f"the Authorization header is longer than {_MAX_HEADER_VALUE} characters", code="token_too_long"
        )
    if value.strip().lower() in ("", "bearer"):
        raise TokenRefused("the Authorization header has no token", code="token_missing")
    match = _BEARER.fullmatch(value)
    if match is None:
        raise TokenRefused(
            "the Authorization header is not the word Bearer, a space and one token", code="token_malformed"
        )
    return match[1]
