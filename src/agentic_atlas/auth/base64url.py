"""Base64url as JOSE writes it (RFC 7515 section 2), with exactly one spelling for every value.

The standard library skips characters it does not know and ignores the unused bits of the last one, so a token
could be written in many ways that all verify. Here every spelling but the canonical one is refused.
"""

import base64
import re

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    """Write `data` without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Read what `encode` writes and nothing else: no padding, no whitespace, unused bits zero.

    Raises:
        ValueError: `text` is not the canonical spelling of any value.
    """
    if _ALPHABET.fullmatch(text) is None:
        raise ValueError("a character outside the base64url alphabet")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(data) != text:
        raise ValueError("not the canonical base64url spelling")
    return data
