"""Ids that sort by the time of their making, as ULIDs do: 48 bits of milliseconds, then 80 bits of randomness."""

from typing import Final

TASK: Final = "tsk"
"""What the ids of tasks begin with."""
RANDOM_BITS: Final = 80
"""Bits of an id that are chance; the others are its time."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TIME_DIGITS = 10
_RANDOM_DIGITS = 16
_LAST_MS = 2**48 - 1


def sortable(prefix: str, milliseconds: int, random: int) -> str:
    """Return the id `prefix_…` of 26 digits in Crockford's base 32."""
    return f"{prefix}_{_digits(milliseconds, _TIME_DIGITS)}{_digits(random, _RANDOM_DIGITS)}"


def earliest(prefix: str, at: float) -> str:
    """Return the smallest id that is made at this time, in seconds since the epoch, or later."""
    return sortable(prefix, min(max(int(at * 1000), 0), _LAST_MS), 0)


def _digits(number: int, count: int) -> str:
    digits = []
    for _ in range(count):
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
