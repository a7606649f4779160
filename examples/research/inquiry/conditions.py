"""Which rows a question is about: comparisons, dates, and words that may be values in the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inquiry.known import Column, Kind, Table
from inquiry.mentions import Mention
from inquiry.phrases import GRAINS, Comparing, comparings, computings, groupings, wanted_place
from inquiry.query import Filter, Function
from inquiry.sql import MOST_PROBED_VALUES
from inquiry.words import Word

_LONGEST_VALUE = 3
"""Words of one value: "New York City"."""
_USED_WORDS = """
different distinct unique row rows entry entries record records table tables data column columns file files together
grouped broken split down sorted ordered ever there available
"""
_USED = frozenset(_USED_WORDS.split())
"""Words about tables, which are no values in one."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions that are certain, and words that may be values; see `Wish`."""

    filters: tuple[Filter, ...]
    values: tuple[str, ...]
    required: frozenset[str]
    valuable: frozenset[str]


def read_conditions(
    words: Sequence[Word], table: Table, mentions: Sequence[Mention], named: frozenset[int]
) -> Conditions:
    """The conditions in a question to a table."""
    filters: list[Filter] = []
    used = _used_places(words, mentions, named)
    for comparing in comparings(words):
        if made := _compared(comparing, words, table, mentions):
            filters.append(made)
            used.update(comparing.places)
    for mention in mentions:
        if (made := _equal(mention, words)) and mention.end not in used:
            filters.append(made)
            used.add(mention.end)
    left = [place for place in range(len(words)) if place not in used and not words[place].glue]
    values = _values(words, left)
    valuable = frozenset(words[place].text for place in left if words[place].valuable)
    required = frozenset(words[place].text for place in _counted_places(words, left)) | valuable
    return Conditions(tuple(filters), values, required, valuable)


def _used_places(words: Sequence[Word], mentions: Sequence[Mention], named: frozenset[int]) -> set[int]:
    used = {place for mention in mentions for place in mention.places} | set(named)
    asked = computings(words)
    for phrase in (*asked, *groupings(words)):
        used.update(phrase.places)
    used.update(place for one in asked if (place := wanted_place(words, one)) is not None)
    return used | {
        place for place, word in enumerate(words) if not word.quoted and (word.key in _USED or word.key in GRAINS)
    }


def _counted_places(words: Sequence[Word], left: Sequence[int]) -> list[int]:
    """What is counted, when it is no name of a table or column: "how many laptops" is about rows that say so."""
    found: list[int] = []
    for one in computings(words):
        place = one.end
        while place < len(words) and (words[place].glue or words[place].key in _USED):
            place += 1
        while one.function is Function.COUNT and place in left:
            found.append(place)
            place += 1
    return found


def _compared(comparing: Comparing, words: Sequence[Word], table: Table, mentions: Sequence[Mention]) -> Filter | None:
    part, _, _ = comparing.test.rpartition(" ")
    if part:
        return _dated(comparing, table, mentions)
    column = _number_beside(comparing, words, mentions)
    return None if column is None else Filter((column,), comparing.test, _plain(comparing.value))


def _dated(comparing: Comparing, table: Table, mentions: Sequence[Mention]) -> Filter | None:
    times = [mention.column for mention in mentions if mention.column.kind is Kind.TIME]
    times += [column for column in table.columns if column.kind is Kind.TIME]
    if times:
        return Filter((times[0],), comparing.test, comparing.value)
    part, _, sign = comparing.test.rpartition(" ")
    whole = [column for column in table.columns if column.kind is Kind.NUMBER and column.words == (part,)]
    return Filter((whole[0],), sign, comparing.value) if whole else None


def _number_beside(comparing: Comparing, words: Sequence[Word], mentions: Sequence[Mention]) -> Column | None:
    """What is compared: the number named right behind ("more than 10 units"), else the last one before."""
    numbers = [mention for mention in mentions if mention.column.kind is Kind.NUMBER]
    behind = [one.column for one in numbers if one.start == comparing.end]
    before = [one.column for one in numbers if one.end <= comparing.start]
    after = [one.column for one in numbers if one.start > comparing.end]
    return next(iter(behind or before[-1:] or after), None)


def _equal(mention: Mention, words: Sequence[Word]) -> Filter | None:
    """A number right behind the name of a column: "house 96"."""
    if mention.end >= len(words) or mention.column.kind is not Kind.NUMBER:
        return None
    number = words[mention.end].number
    return None if number is None else Filter((mention.column,), "=", _plain(str(number)))


def _plain(number: str) -> str:
    return number.removesuffix(".0")


def _values(words: Sequence[Word], left: Sequence[int]) -> tuple[str, ...]:
    """The words that are left, and runs of them: the longest first, each once, bounded."""
    places = set(left)
    singles = list(dict.fromkeys(words[place].text for place in left))[:MOST_PROBED_VALUES]
    runs = [
        " ".join(word.text for word in words[start : start + size])
        for size in range(_LONGEST_VALUE, 1, -1)
        for start in left
        if places.issuperset(range(start, start + size)) and not any(w.quoted for w in words[start : start + size])
    ]
    return (*list(dict.fromkeys(runs))[: MOST_PROBED_VALUES - len(singles)], *singles)
