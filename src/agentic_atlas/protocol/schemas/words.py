"""What is said of a value that does not fit: the same at every place where it is checked."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

MOST_TOLD: Final = 5
"""Faults in one sentence; the rest is counted, and in the error's `detail`."""
FORMS: Final = {
    "date": "2024-02-29",
    "date-time": "2024-02-29T12:00:00Z",
    "time": "12:00:00",
    "duration": "PT1H30M",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "email": "ada@example.org",
    "uri": "https://example.org/",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "decimal": "1.5",
}
"""Formats of text, and a text of each."""
_NAMES: Final = 20
_LENGTH: Final = 64
_GUESSED: Final = 3
"""Names of which it is guessed what was meant: comparing takes its time."""
_PAIRS: Final = 30_000
"""Pairs of letters that a name is compared by with others: a hundred names of usual length."""
_COMPARED: Final = 100


@dataclass(frozen=True, slots=True)
class Unknown:
    """A name that an object may not have.

    Attributes:
        path: of the object, as JSON Pointer.
        names: those that it may have; None where they are not known.
    """

    path: str
    name: str
    names: Sequence[str] | None


Told = tuple[str, str]
"""Where something is wrong, as JSON Pointer (RFC 6901) into the value, and what."""


def of_names(unknown: Iterable[Unknown], lacking: Iterable[tuple[str, str]], whose: str) -> list[Told]:
    """Say which names are not known to `whose` they are, and which are missing, each with the path of its object.

    Who mistypes a name lacks the right one: that is one mistake, and told once.
    """
    told: list[Told] = []
    guessed: set[tuple[str, str]] = set()
    for place, one in enumerate(unknown):
        near = nearest(one.name, one.names or ()) if place < _GUESSED else None
        guessed |= set() if near is None else {(one.path, near)}
        who = "it" if one.path else whose
        takes = "" if one.names is None else f"; {who} takes {listed(one.names) or 'nothing'}"
        hint = _meant(near)
        told.append((one.path, f"there is no {_short(one.name)}{takes}{hint}"))
    return told + [(path, f"{_short(name)} is missing") for path, name in lacking if (path, name) not in guessed]


def one_of(names: Iterable[str]) -> str:
    """Say that only one of these will do."""
    return f"has to be one of {listed(names)}"


def of_form(name: str) -> str | None:
    """Say what a text of this format looks like; None for one that is not known."""
    return f"has to be {'an' if name[0] in 'ei' else 'a'} {name} such as {FORMS[name]}" if name in FORMS else None


def nearest(name: str, names: Sequence[str]) -> str | None:
    """Return the one of these names that may have been meant."""
    name = name[:_LENGTH]
    known = [one for one in names if len(one) <= _LENGTH][:_COMPARED]
    # Names come from agents and callers: long ones that are much alike take some milliseconds at the most.
    so_far = accumulate(len(one) * len(name) for one in known)
    bounded = [one for one, pairs in zip(known, so_far, strict=True) if pairs <= _PAIRS]
    return next(iter(difflib.get_close_matches(name, bounded, 1)), None)


def meant(name: str, names: Sequence[str]) -> str:
    """Return a question that names the one of these names that may have been meant; nothing when none is near."""
    return _meant(nearest(name, names))


def _meant(near: str | None) -> str:
    return "" if near is None else f" (did you mean {near}?)"


def listed(names: Iterable[str]) -> str:
    """Return the names with commas between, not too many of them."""
    every = [_short(name) for name in names]
    return ", ".join(every[:_NAMES]) + (f" and {len(every) - _NAMES} more" if len(every) > _NAMES else "")


def sentence(faults: Sequence[Told]) -> str:
    """Join faults, each a JSON Pointer and what is wrong there."""
    told = [f"{path}: {message}" if path else message for path, message in faults[:MOST_TOLD]]
    more = len(faults) - MOST_TOLD
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def pointer(steps: Iterable[int | str]) -> str:
    """Return a path into a value as JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def _short(name: str) -> str:
    return name if len(name) <= _LENGTH else f"{name[:_LENGTH]}…"
