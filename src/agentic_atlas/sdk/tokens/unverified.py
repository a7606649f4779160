"""What a token says of itself, read without verifying anything: that is for the router to do.

Names of claims: RFC 7519 section 4.1; `lineage` is the id of the first of the tokens that one came out of by renewal or
rotation, and absent in the first.
"""

import base64
import binascii
import hashlib
import re
from typing import Final

import msgspec

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


class SaidOfItself(msgspec.Struct, frozen=True):
    """What is read of a token; nothing of what is missing or odd."""

    jti: str = ""
    lineage: str = ""
    iat: int | None = None
    exp: int | None = None


def read(token: str) -> SaidOfItself:
    """Return what the token says; nothing when it is none of ours."""
    payload = token.split(".")[1:2]
    try:
        said = msgspec.json.decode(base64.urlsafe_b64decode(payload[0] + "=="), type=SaidOfItself)
    except (IndexError, binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return SaidOfItself()
    return said


def token_name(token: str) -> str:
    """Return the token's id (`jti`), or a digest of it; usable as a file's name."""
    return _usable(read(token).jti) or _digest(token)


def lineage_name(token: str) -> str:
    """Return the id of the first of the tokens that this one came out of; of one alone, what `token_name` returns."""
    return _usable(read(token).lineage) or token_name(token)


def _usable(name: str) -> str:
    return name if _NAME.fullmatch(name) else ""


def _digest(token: str) -> str:
    return "sha256-" + hashlib.sha256(token.encode()).hexdigest()[:32]
