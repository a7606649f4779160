"""What makes two submits with one idempotency key the same (guarantee 11)."""

import hashlib
from typing import TypeAlias

import msgspec

from agentic_atlas.backend.domain.records import CallerRef

Key: TypeAlias = tuple[str, str, str, str]
"""A caller and one of its idempotency keys: user, kind, id, key."""

MOST_PARTS = 20_000
"""Arrays and objects in an input that is read for this."""


def key_of(caller: CallerRef, idempotency_key: str) -> Key:
    """Return what makes an idempotency key unique: it is the caller's own."""
    return caller.user_id, caller.kind, caller.id, idempotency_key


def digest(asked: msgspec.Struct, payload: bytes) -> bytes:
    """Return the 32 bytes in which two submits agree when they ask for the same.

    `asked` is all that was asked but for the input, `payload`, which is JSON: how it is written, and the order of its
    fields, is of no account, unless it has so many parts that reading it would keep others waiting.
    """
    parts = payload.count(b"[") + payload.count(b"{")
    said = msgspec.json.decode(payload) if parts <= MOST_PARTS else payload.hex()
    return hashlib.sha256(msgspec.json.encode([asked, said], order="deterministic")).digest()
