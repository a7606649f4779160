"""A name for a token that tells nobody the token."""

import base64
import binascii
import hashlib
import re
from typing import Final

import msgspec

NAMES: Final = ("tok_*", "sha256-*")
"""Patterns of the names that tokens of ours have, for who looks for them in a folder."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class _Claims(msgspec.Struct):
    jti: str


def token_name(token: str) -> str:
    """Return the token's id (`jti`), read without verifying anything, or a digest of it; usable as a file's name."""
    payload = token.split(".")[1:2]
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload[0] + "=="), type=_Claims)
    except (IndexError, binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        claims = _Claims("")
    if _NAME.fullmatch(claims.jti):
        return claims.jti
    return "sha256-" + hashlib.sha256(token.encode()).hexdigest()[:32]
