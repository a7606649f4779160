"""Ids that sort by the time of their making, as ULIDs do: 48 bits of milliseconds, then 80 bits of randomness."""

from typing import Final

TASK: Final = "tsk"
"""What the ids of tasks begin with."""
RANDOM_BITS: Final = 80
"""Bits of an id that are chance; the others are its time."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_TIME_PAIRS = 5
_RANDOM_PAIRS = 8
_LAST_MS = 2**48 - 1


def sortable(prefix: str, milliseconds: int, random: int) -> str:
    """Return the id `prefix_…` of 26 digits in Crockford's base 32."""
    return f"{prefix}_{_digits(milliseconds, _TIME_PAIRS)}{_digits(random, _RANDOM_PAIRS)}"


def earliest(prefix: str, at: float) -> str:
    """Return the smallest id that is made at this time, in seconds since the epoch, or later."""
    return sortable(prefix, min(max(int(at * 1000), 0), _LAST_MS), 0)


def _digits(number: int, pairs: int) -> str:
    """Return a number in so many pairs of digits."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(10 * (pairs - 1), -1, -10)])
