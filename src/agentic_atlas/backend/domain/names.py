"""What things are called: the names that people give, ids, and traces.

The wire has the same rule for the names of agents (`protocol.messages.Name`). Ids sort by the time of their making, as
ULIDs do: 48 bits of milliseconds, then 80 bits of randomness. A task's place in a trace is a `traceparent` of the W3C
Trace Context recommendation, version 00; a trace that begins here has an id of the same two parts.
"""

import re
from collections.abc import Callable
from typing import Final

from agentic_atlas.errors import InvalidInput

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_RESERVED = frozenset({"tokens", "everyone"})
"""What follows an agent's name in addresses; and whom it may be shared with that is nobody in particular."""
_NOT_OF_USERS = frozenset({"system", "nobody", "me"})
"""Who the audit log says it was when it was no user; and whom `/users/me` means."""

MAX_LABEL = 100
"""Characters of a name that people give, of a token for instance."""
MAX_DESCRIPTION = 1_000
"""Characters of what people say of an agent or a token."""

TASK: Final = "tsk"
"""What the ids of tasks begin with."""
RANDOM_BITS: Final = 80
"""Bits of an id that are chance; the others are its time."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_TIME_PAIRS = 5
_RANDOM_PAIRS = 8
_LAST_MS = 2**48 - 1

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def check_name(name: str, what: str) -> str:
    """Return the name of an agent or user, or raise InvalidInput (`invalid_name`)."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name[:80]!r} can't be the name of {what}: use 1 to 64 lower-case letters, digits, '-' and '_', "
            "with a letter or digit at both ends",
            code="invalid_name",
        )
    if name in _RESERVED:
        raise InvalidInput(f"{name!r} can't be the name of {what}: it has a meaning of its own", code="invalid_name")
    return name


def check_user_name(name: str) -> str:
    """Return the name of a user who is made, or raise InvalidInput (`invalid_name`).

    Whoever is there already may be called so, and goes on.
    """
    if name in _NOT_OF_USERS:
        raise InvalidInput(f"{name!r} can't be the name of a user: it has a meaning of its own", code="invalid_name")
    return check_name(name, "a user")


def check_label(label: str, what: str) -> str:
    """Return free text that people give a thing, without what breaks a line; raises InvalidInput."""
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidInput(f"{what} is one line of at most {MAX_LABEL} printable characters", code="invalid_name")
    return label


def check_description(text: str) -> str:
    """Return what people say of a thing, or raise InvalidInput: it is too long."""
    if len(text) > MAX_DESCRIPTION:
        raise InvalidInput(f"a description has at most {MAX_DESCRIPTION} characters")
    return text


def split_agent(name: str) -> tuple[str | None, str]:
    """Return owner and name of `owner/name`, or None and the name."""
    owner, slash, rest = name.rpartition("/")
    return (owner if slash else None), rest


def full_name(name: str, user: str) -> str:
    """Return `owner/name` of the agent that `name` or `owner/name` means to the user of this name."""
    owner, short = split_agent(name)
    return f"{user if owner is None else owner}/{short}"


def sortable(prefix: str, milliseconds: int, random: int) -> str:
    """Return the id `prefix_…` of 26 digits in Crockford's base 32."""
    return f"{prefix}_{_digits(milliseconds, _TIME_PAIRS)}{_digits(random, _RANDOM_PAIRS)}"


def earliest(prefix: str, at: float) -> str:
    """Return the smallest id that is made at this time, in seconds since the epoch, or later."""
    return sortable(prefix, _milliseconds(at), 0)


def _milliseconds(at: float) -> int:
    return min(max(int(at * 1000), 0), _LAST_MS)


def _digits(number: int, pairs: int) -> str:
    """Return a number in so many pairs of digits."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(10 * (pairs - 1), -1, -10)])


def trace_id(traceparent: str) -> str:
    """Return the 32 hexadecimal digits that all tasks of one trace share."""
    return traceparent[3:35]


def child_trace(parent: str | None, now: float, entropy: Callable[[int], bytes]) -> str:
    """Return a new span: in the parent's trace when that is well-formed, else in a trace of its own.

    That one's id begins with its time: traces that begin together are neighbours in the store, where ids of nothing but
    chance would each be written to a page of its own. Samplers take the end, of which all is chance.
    """
    if parent is not None and _TRACEPARENT.fullmatch(parent):
        return f"00-{trace_id(parent)}-{entropy(8).hex()}-01"
    drawn = entropy(18).hex()
    return f"00-{_milliseconds(now):012x}{drawn[:20]}-{drawn[20:]}-01"
