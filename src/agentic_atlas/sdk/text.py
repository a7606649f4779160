"""Text that leaves a handler for a log, an event or an error: bounded, valid Unicode, without tokens."""

import re
from typing import Final

SHORT: Final = 1_000
"""Characters of an event's name, a field or a message that are kept."""

_JWT = r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"
_API_KEY = r"atlas_(?:[a-z]{1,16}_)?[A-Za-z0-9_-]{43}"
_SECRETS = re.compile(f"{_JWT}|{_API_KEY}")
_REDACTED = "[redacted]"


def redact(text: str) -> str:
    """Replace what looks like a JWT (RFC 7519) or an API key: handlers quote headers and environments in errors."""
    return _SECRETS.sub(_REDACTED, text)


def presentable(text: str, limit: int = SHORT) -> str:
    """Return the text without tokens and lone surrogates (no UTF-8 for those), cut to `limit` characters."""
    # What is far beyond the limit need not be searched; the margin keeps a token at the cut from showing its head.
    clean = redact(text[: limit + 8_192]).encode("utf-8", "replace").decode("utf-8")
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def describe(value: object) -> str:
    """Return `str(value)` in a presentable form, also of objects that fail to describe themselves."""
    try:
        return presentable(str(value))
    except Exception as error:  # noqa: BLE001 - the object is the user's, so __str__ may raise anything
        return f"<{type(value).__name__}, whose text fails with {type(error).__name__}>"
