"""Names of variables that nobody reads, and the ones that were meant."""

from collections.abc import Iterable
from typing import Final

PREFIX: Final = "ATLAS_"
_ALIKE: Final = 0.7
"""Least likeness (Ratcliff and Obershelp's, 0 to 1) of a name with the one that was meant."""


def unread(names: Iterable[str], known: Iterable[str], *, ours: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """Return the names that are not known and seem to be meant for us, each with the nearest known one.

    Args:
        names: of what is set.
        known: of what is read.
        ours: beginnings of names that are told even when no known one is near, with "" for it.
    """
    all_known = set(known)
    return [
        (name, near)
        for name in sorted(set(names) - all_known)
        if (near := _nearest(name, all_known)) or name.startswith(ours)
    ]


def _nearest(name: str, known: set[str]) -> str:
    """Return the known name that is most like this one, or nothing. What they all begin with says nothing."""
    from difflib import get_close_matches  # rarely needed

    prefixed = name.startswith(PREFIX)
    among = {each.removeprefix(PREFIX): each for each in known if each.startswith(PREFIX) == prefixed}
    found = get_close_matches(name.removeprefix(PREFIX), among, n=1, cutoff=_ALIKE)
    return among[found[0]] if found else ""
