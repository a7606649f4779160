"""Bytes in JSON: base64 in the standard alphabet, padded (RFC 4648 section 4)."""

import base64
import binascii


def to_text(data: bytes | bytearray | memoryview) -> str:
    """Return the text that stands for these bytes."""
    return base64.b64encode(data).decode("ascii")


def from_text(value: object) -> object:
    """Return the bytes that a text stands for; what is no text stays as it is, for a check that follows.

    Raises:
        ValueError: the text is not base64.
    """
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("Input should be base64 (RFC 4648 section 4)") from None
