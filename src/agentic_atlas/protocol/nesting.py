"""How deeply brackets nest in a JSON text, and how many there are, told without a step for each character. Pure.

What is not a bracket is dropped, and each bracket becomes a bit: 1 opens, 0 closes. Eight bits are one byte, for which
a table knows how many open and how high they climb above where they begin. Neighbours are then joined, all of them at
once: the bytes of a whole text are one long integer, whose additions are as fast as memory. After three such rounds a
step is 64 brackets long, and the few that are left are counted one by one.
"""

from typing import Literal

_AS_BIT = bytes.maketrans(b"[{]}", b"1100")
_NO_BRACKET_OR_QUOTE = bytes(set(range(256)) - set(b'"[]{}'))
_NOT_ESCAPED = bytes(set(_NO_BRACKET_OR_QUOTE) - set(b"\\/bfnrtu"))
"""What never follows a backslash (RFC 8259 §7), nor is one."""
_ROUNDS = (8, 16, 32)
_STEP = 64
"""Brackets in a step after these rounds, the widest whose numbers stay below 128, so that a byte holds each."""


def _climb(step: int) -> int:
    depth = deepest = 0
    for place in range(7, -1, -1):
        depth += 1 if step >> place & 1 else -1
        deepest = max(deepest, depth)
    return deepest


_OPENING = bytes(step.bit_count() for step in range(256))
_CLIMB = bytes(map(_climb, range(256)))


def excess(text: bytes, depth: int, containers: int) -> Literal["depth", "containers"] | None:
    """Tell whether brackets nest deeper than `depth` in JSON as UTF-8, or open more than `containers` times.

    Those in strings do not count. Of what is not JSON this is right up to the first fault, where every parser ends.
    """
    bits = _bits(text)
    if bits.count(b"1") > containers:
        return "containers"
    return "depth" if bits and _deepest_above(bits, depth) else None


def _bits(text: bytes) -> bytes:
    """Return the brackets that are not in strings, as a number in base 2."""
    if b"\\" in text:
        # Shorter first: what is left of a backslash and its follower stays side by side.
        text = text.translate(None, _NOT_ESCAPED).replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side go: whether a bracket is inside a string depends on odd or even quotes before it alone.
    bare = text.translate(_AS_BIT, _NO_BRACKET_OR_QUOTE).replace(b'""', b"")
    return b"".join(bare.split(b'"')[::2]) if b'"' in bare else bare


def _deepest_above(bits: bytes, limit: int) -> bool:
    bits += b"0" * (-len(bits) % _STEP)
    steps = int(bits, 2).to_bytes(len(bits) // 8, "big")
    opening, climbs = steps.translate(_OPENING), steps.translate(_CLIMB)
    for width in _ROUNDS:
        opening, climbs = _joined(opening, climbs, width)
    depth = 0
    for opened, climb in zip(opening, climbs, strict=True):
        if depth + climb > limit:
            return True
        depth += 2 * opened - _STEP
    return False


def _joined(opening: bytes, climbs: bytes, width: int) -> tuple[bytes, bytes]:
    """Join each two neighbours, of `width` brackets: how many open in both, and how high the two of them climb."""
    count = len(opening) // 2
    ones = _number(b"\1" * count)
    marks = ones << 7
    first, second = _number(opening[::2]), _number(opening[1::2])
    low = _number(climbs[::2])
    # How high the second climbs above the beginning of the first: `width` more than that, so that none is negative.
    above = 2 * first + _number(climbs[1::2])
    # The mark of a byte stays where the second climbs higher than the first; it then covers the difference.
    difference = (above | marks) - (low + width * ones)
    higher = difference & marks
    climb = low + (difference & (higher - (higher >> 7)))
    return (first + second).to_bytes(count, "big"), climb.to_bytes(count, "big")


def _number(values: bytes) -> int:
    return int.from_bytes(values, "big")
