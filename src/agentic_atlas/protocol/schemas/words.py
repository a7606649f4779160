"""What is said of a value that does not fit: the same at every place where it is checked."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

MOST_TOLD: Final = 5
"""Faults in one sentence; the rest is counted, and in the error's `detail`."""
_NAMES: Final = 20
_LENGTH: Final = 64
_COMPARED: Final = 200


def unknown(name: str, names: Sequence[str], whose: str) -> str:
    """Say that there is no such name, which ones `whose` takes, and which one may have been meant."""
    meant = nearest(name, names)
    hint = f" (did you mean {meant}?)" if meant is not None else ""
    return f"there is no {_short(name)}; {whose} takes {listed(names) or 'nothing'}{hint}"


def missing(name: str) -> str:
    """Say that a name is missing."""
    return f"{_short(name)} is missing"


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the one of these names that may have been meant."""
    known = [one for one in names if len(one) <= _LENGTH][:_COMPARED]
    return next(iter(difflib.get_close_matches(name[:_LENGTH], known, 1)), None)


def listed(names: Iterable[str]) -> str:
    """Return the names with commas between, not too many of them."""
    every = [_short(name) for name in names]
    return ", ".join(every[:_NAMES]) + (f" and {len(every) - _NAMES} more" if len(every) > _NAMES else "")


def sentence(faults: Sequence[tuple[str, str]]) -> str:
    """Join faults, each a JSON Pointer and what is wrong there."""
    told = [f"{path}: {message}" if path else message for path, message in faults[:MOST_TOLD]]
    more = len(faults) - MOST_TOLD
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def pointer(steps: Iterable[int | str]) -> str:
    """Return a path into a value as JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _short(name: str) -> str:
    return name if len(name) <= _LENGTH else f"{name[:_LENGTH]}…"
