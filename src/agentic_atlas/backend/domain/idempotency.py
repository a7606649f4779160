"""What makes two submits with one idempotency key the same (guarantee 11)."""

import hashlib

import msgspec


def digest(asked: msgspec.Struct, payload: bytes) -> bytes:
    """Return the 32 bytes in which two submits agree when they ask for the same.

    `asked` is all that was asked but for the input, `payload`, which is JSON: how it is written, and the order of its
    fields, is of no account.
    """
    parsed = msgspec.json.decode(payload)
    return hashlib.sha256(msgspec.json.encode([asked, parsed], order="deterministic")).digest()
