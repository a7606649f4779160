"""What the words of a question ask for, whatever the table: figures, the greatest and the least, groups, conditions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

from inquiry.query import Function
from inquiry.words import Word, same

GRAINS = {
    "day": "day", "daily": "day", "week": "week", "weekly": "week", "month": "month", "monthly": "month",
    "quarter": "quarter", "quarterly": "quarter", "year": "year", "yearly": "year", "annual": "year",
    "annually": "year",
}  # fmt: skip
MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"), start=1,
    )
    for name in names.split()
}  # fmt: skip
_PHRASES: dict[Function, tuple[str, ...]] = {
    Function.COUNT: ("how many", "number of", "count of", "count"),
    Function.SUM: ("how much", "in total", "total", "sum of", "sum", "altogether", "overall"),
    Function.AVERAGE: ("on average", "average", "mean", "avg"),
    Function.MEDIAN: ("median",),
    Function.MOST: (
        "highest", "largest", "biggest", "greatest", "maximum", "max", "most", "top", "best", "longest", "latest",
        "newest", "last", "most recent",
    ),
    Function.LEAST: (
        "lowest", "smallest", "minimum", "min", "least", "fewest", "cheapest", "shortest", "earliest", "oldest",
        "first",
    ),
}  # fmt: skip
_SUPERLATIVES = (Function.MOST, Function.LEAST)
_OF_TIME = frozenset({"latest", "newest", "last", "most recent", "earliest", "oldest", "first"})
_OF_NUMBERS = frozenset({"most", "top", "best", "least", "fewest"})
_MARKERS = (
    "for each", "for every", "in each", "in every", "of each", "grouped by", "broken down by", "split by", "per",
    "each", "every", "by",
)  # fmt: skip
_COMPARED = {
    "more than": ">", "greater than": ">", "higher than": ">", "over": ">", "above": ">", "exceeding": ">",
    "less than": "<", "fewer than": "<", "lower than": "<", "under": "<", "below": "<",
    "at least": ">=", "at most": "<=",
}  # fmt: skip
_SINCE = {"since": ">=", "from": ">=", "after": ">", "before": "<", "until": "<="}
_NUMBERS_WANTED = range(1, 101)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1900, 2100


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words from `start` to before `end` that ask for something."""

    start: int
    end: int
    text: str

    @property
    def places(self) -> range:
        """Where its words stand."""
        return range(self.start, self.end)


@dataclass(frozen=True, slots=True)
class Computing(Phrase):
    """They ask for a figure."""

    function: Function

    @property
    def superlative(self) -> bool:
        """Whether they ask for the greatest or the least."""
        return self.function in _SUPERLATIVES

    @property
    def of_time(self) -> bool:
        """Whether the greatest is the latest."""
        return self.text in _OF_TIME

    @property
    def of_how_many(self) -> bool:
        """Whether it may be of how many there are: "the most orders"."""
        return self.text in _OF_NUMBERS


@dataclass(frozen=True, slots=True)
class Comparing(Phrase):
    """They compare something with a number: `test` is the sign, after `year`, `month` or `date` for a date."""

    test: str
    value: str


PhraseT = TypeVar("PhraseT", bound=Phrase)


def computings(words: Sequence[Word]) -> list[Computing]:
    """The figures that are asked for, in order."""
    listed = [(phrase, function) for function, phrases in _PHRASES.items() for phrase in phrases]
    found = [
        Computing(start, start + len(phrase.split()), phrase, function)
        for start in range(len(words))
        for phrase, function in listed
        if _stands_at(words, start, phrase)
    ]
    return list(_not_inside_another(found))


def groupings(words: Sequence[Word]) -> list[Phrase]:
    """The words after which stands what there is to be one line for."""
    found = [
        Phrase(start, start + len(marker.split()), marker)
        for start in range(len(words))
        for marker in _MARKERS
        if _stands_at(words, start, marker)
    ]
    return list(_not_inside_another(found))


def comparings(words: Sequence[Word]) -> list[Comparing]:
    """The comparisons with a number, a year, a month or a day, in order."""
    found: list[Comparing] = []
    for place, word in enumerate(words):
        if not word.quoted and (comparing := _compared(words, place)):
            found.append(comparing)
    return found


def wanted_place(words: Sequence[Word], one: Computing) -> int | None:
    """Where it is said how many of the greatest are wanted: "top 5", "3 highest"."""
    for place in (one.end, one.start - 1):
        if one.superlative and 0 <= place < len(words) and words[place].number in _NUMBERS_WANTED:
            return place
    return None


def _compared(words: Sequence[Word], place: int) -> Comparing | None:
    word = words[place]
    if word.number is None:
        return _dated(words, place)
    start, sign = _compared_sign(words, place)
    if sign:
        return Comparing(start, place + 1, word.key, sign, str(word.number))
    start, sign = _range_sign(words, place)
    if word.key.isdigit() and _FIRST_YEAR <= int(word.key) <= _LAST_YEAR:
        start, sign = (start, sign) if sign else _since(words, place)
        return Comparing(start, place + 1, word.key, f"year {sign}", word.key)
    return Comparing(start, place + 1, word.key, sign, str(word.number)) if sign else None


def _compared_sign(words: Sequence[Word], place: int) -> tuple[int, str]:
    """The sign that the words before a number stand for, and where they begin; empty without one."""
    for phrase, sign in _COMPARED.items():
        start = place - len(phrase.split())
        if start >= 0 and _stands_at(words, start, phrase):
            return start, sign
    return place, ""


def _range_sign(words: Sequence[Word], place: int) -> tuple[int, str]:
    """The same for the two numbers of "between 5 and 90"."""
    before = [word.key for word in words[max(0, place - 3) : place]]
    if before[-1:] == ["between"]:
        return place - 1, ">="
    if before[:1] == ["between"] and before[-1:] == ["and"] and words[place - 2].number is not None:
        return place - 1, "<="
    return place, ""


def _dated(words: Sequence[Word], place: int) -> Comparing | None:
    word = words[place]
    if word.key in MONTHS and (word.capital or (place and words[place - 1].key in ("in", *_SINCE))):
        return Comparing(place, place + 1, word.key, "month =", str(MONTHS[word.key]))
    if not _DAY.fullmatch(word.key):
        return None
    try:
        date.fromisoformat(word.key)
    except ValueError:
        return None  # no day of any year; then it may be the name of something
    start, sign = _since(words, place)
    return Comparing(start, place + 1, word.key, f"date {sign}", word.key)


def _since(words: Sequence[Word], place: int) -> tuple[int, str]:
    sign = _SINCE.get(words[place - 1].key) if place else None
    return (place - 1, sign) if sign else (place, "=")


def _stands_at(words: Sequence[Word], start: int, phrase: str) -> bool:
    parts = phrase.split()
    spoken = words[start : start + len(parts)]
    return len(spoken) == len(parts) and all(
        not word.quoted and (word.key == part if len(parts) > 1 or part in ("by", "per") else same(word.key, part))
        for word, part in zip(spoken, parts, strict=True)
    )


def _not_inside_another(found: Sequence[PhraseT]) -> Iterator[PhraseT]:
    for phrase in found:
        if not any(
            other is not phrase and other.start <= phrase.start and phrase.end <= other.end and _longer(other, phrase)
            for other in found
        ):
            yield phrase


def _longer(first: Phrase, second: Phrase) -> bool:
    return first.end - first.start > second.end - second.start
