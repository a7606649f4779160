"""Numbers in a JSON text that no reader could take, found without building what the text says. Pure.

JSON sets no bound for a number (RFC 8259 §6), and readers take those that a double has room for. A payload is passed on
as it is, so one with 1e999 in it would spoil whatever it is part of. Reading it would tell; of four megabytes of
brackets that takes seconds.
"""

import math
import re

_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT = b"0e000"
_LONG = b"0" * 200
"""No number is too large that has neither three digits in its exponent nor so many before it."""
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+(?:[eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")


def numbers_fit(text: bytes) -> bool:
    """Tell whether all numbers of a well-formed JSON text fit into doubles; integers may have any length."""
    plain = text.translate(_DIGITS, b"+.")
    if _LONG_EXPONENT not in plain and _LONG not in plain:
        return True
    return not any(math.isinf(float(number)) for number in _NUMBER.findall(_outside_strings(text)))


def is_object(text: bytes | memoryview) -> bool:
    """Tell whether a well-formed JSON text is an object."""
    return bytes(text).lstrip()[:1] == b"{"


def _outside_strings(text: bytes) -> bytes:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b" ".join(text.split(b'"')[::2])
