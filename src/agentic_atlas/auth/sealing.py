"""Secrets that have to be read again, and so cannot be kept as a digest: sealed for the database that they lie in.

The key is in the folder of the keys: the database alone, or a copy of it, is worth nothing. What is sealed belongs to
whom it was sealed for, and is none of anybody else's.
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from agentic_atlas.auth import base64url

SEALING_KEY_BYTES: Final = 32
"""Bytes of a key that seals."""
_NONCE_BYTES: Final = 12


class Seal:
    """Seals and opens (RFC 8439); a `backend.accounts.Sealing`."""

    def __init__(self, key: bytes, entropy: Callable[[int], bytes]) -> None:
        """Take `SEALING_KEY_BYTES` random bytes; `entropy(n)` returns n more from a cryptographic source."""
        self._cipher = ChaCha20Poly1305(key)
        self._entropy = entropy

    def close(self, secret: str, whose: str) -> str:
        """Return a secret as it is kept, in base64url."""
        nonce = self._entropy(_NONCE_BYTES)
        return base64url.encode(nonce + self._cipher.encrypt(nonce, secret.encode(), whose.encode()))

    def open(self, kept: str, whose: str) -> str:
        """Return what was sealed; nothing when it was with another key, for somebody else, or never."""
        try:
            sealed = base64url.decode(kept)
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], whose.encode()).decode()
        except (InvalidTag, ValueError):
            return ""
