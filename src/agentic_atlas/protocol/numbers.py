"""Numbers in a JSON text that no reader could take, found without building what the text says. Pure.

JSON sets no bound for a number (RFC 8259 §6). Readers take those that a double has room for, and integers of as many
digits as Python reads. A payload is passed on as it is, so one with 1e999 in it would spoil whatever it is part of.
Reading it would tell; of four megabytes of brackets that takes seconds.
"""

import math
import re

_DIGITS = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT = b"0e000"
_LONG = b"0" * 200
"""No number is too large that has neither three digits in its exponent nor so many before it."""
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
MOST_DIGITS = 4_299
"""Digits of an integer. Python reads 4,300, which keeps longer ones from taking long; a sign may count as one."""


def numbers_fit(text: bytes) -> bool:
    """Tell whether all numbers of a well-formed JSON text fit into doubles, or are integers of `MOST_DIGITS`."""
    plain = text.translate(_DIGITS, b"+.")
    if _LONG_EXPONENT not in plain and _LONG not in plain:
        return True
    return all(_fits(number) for number in _NUMBER.findall(_outside_strings(text)))


def _fits(number: bytes) -> bool:
    return len(number) <= MOST_DIGITS if number.isdigit() else not math.isinf(float(number))


def is_object(text: bytes | memoryview) -> bool:
    """Tell whether a well-formed JSON text is an object."""
    return bytes(text).lstrip()[:1] == b"{"


def _outside_strings(text: bytes) -> bytes:
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b" ".join(text.split(b'"')[::2])
