"""What differs between two JSON values, place by place."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias

from agentic_atlas.platform.page import View
from agentic_atlas.platform.readable import readable
from agentic_atlas.platform.wording import visible

MOST_PLACES: Final = 5_000
"""Places of a payload that are compared."""
MOST_DIFFERENCES: Final = 100
"""Differences that are shown."""
_MOST_VALUE = 500
_MOST_PLACE = 200


class JsonDifference(View, frozen=True):
    """A place at which two values differ.

    Attributes:
        place: where: `$` is the whole, `$.cities[0]` a part.
        first: what there is in the first; empty: nothing.
        second: likewise in the second.
    """

    place: str
    first: str
    second: str


class DifferencesView(View, frozen=True):
    """Two values beside each other.

    Attributes:
        found: where they differ.
        same: places at which they do not.
        more: there are more differences, or places that were not compared.
    """

    found: Sequence[JsonDifference]
    same: int
    more: bool


def differences(first: bytes | None, second: bytes | None) -> DifferencesView:
    """Return where two JSON texts differ; None is one that there is not. Of one too long to be read both stay texts."""
    read = all(one is None or readable(one) for one in (first, second))
    one, cut = _places(first, read=read)
    other, other_cut = _places(second, read=read)
    found = [place for place in dict.fromkeys((*one, *other)) if one.get(place) != other.get(place)]
    return DifferencesView(
        found=[
            JsonDifference(place=_written(place), first=_told(one.get(place)), second=_told(other.get(place)))
            for place in found[:MOST_DIFFERENCES]
        ],
        same=sum(other.get(place) == value for place, value in one.items()),
        more=cut or other_cut or len(found) > MOST_DIFFERENCES,
    )


_Place: TypeAlias = tuple[str | int, ...]
"""The keys and numbers that lead to a value. Written out, those of thousands of values could be gigabytes."""


def _places(raw: bytes | None, *, read: bool) -> tuple[dict[_Place, str], bool]:
    """Return what stands where in a JSON text, as text, and whether some of it was left out."""
    if raw is None:
        return {}, False
    if not read:
        return {(): raw.decode(errors="replace")}, True
    try:
        value = json.loads(raw, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
        found: dict[_Place, str] = {}
        for place, text in _leaves((), value):
            if len(found) == MOST_PLACES:
                return found, True
            found[place] = text
    except (ValueError, RecursionError):
        # It is nested deeper than anybody reads.
        return {(): raw.decode(errors="replace")}, True
    return found, False


class _Number(str):
    """A number as it was sent."""


def _leaves(place: _Place, value: Any) -> Iterator[tuple[_Place, str]]:
    match value:
        case dict() if value:
            for key, one in value.items():
                yield from _leaves((*place, key), one)
        case list() if value:
            for number, one in enumerate(value):
                yield from _leaves((*place, number), one)
        case _Number():
            yield place, value
        case _:
            yield place, json.dumps(value, ensure_ascii=False)


def _written(place: _Place) -> str:
    """Return the beginning of a place as it is written; no more of a key is looked at than is shown."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{step[:_MOST_PLACE]}" for step in place[:_MOST_PLACE])
    return visible(f"${''.join(steps)}"[:_MOST_PLACE])


def _told(text: str | None) -> str:
    if text is None:
        return ""
    return visible(text if len(text) <= _MOST_VALUE else f"{text[:_MOST_VALUE]}…", lines=True)
