"""Which words of a question mean which column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from inquiry.known import Column, Kind, Table
from inquiry.words import Word, among, same

_ENDINGS = frozenset({"id", "nr", "no", "number", "key", "code", "name", "title", "label"})
"""Last words of a column's name that nobody says: the column for "customer" is `customer_name`."""
_NAMES = frozenset({"name", "title", "label"})
_SAME_THING = (
    frozenset({"amount", "total", "sum", "value", "price", "revenue", "sales", "turnover", "cost", "money", "paid"}),
    frozenset({"customer", "client", "buyer"}),
    frozenset({"quantity", "qty", "units", "pieces", "count"}),
    frozenset({"employee", "worker", "staff", "colleague"}),
    frozenset({"city", "town", "place"}),
    frozenset({"kind", "type", "category", "sort"}),
    frozenset({"product", "item", "article"}),
    frozenset({"supplier", "vendor"}),
    frozenset({"department", "team", "division"}),
    frozenset({"date", "day", "time"}),
)
"""Words that may mean the same; a report says when one was taken for another."""
_OF_MONEY = frozenset({"pay", "pays", "paid", "spend", "spent", "earn", "earned", "expensive", "cheap", "cheapest"})
"""Words that are about an amount of money without naming it."""
_EXACT, _WITHOUT_ENDING, _PART, _ALIKE = 1.0, 0.9, 0.5, 0.4


@dataclass(frozen=True, slots=True)
class Mention:
    """A column that the words from `start` to before `end` mean, and how surely: 1 is by its full name."""

    column: Column
    start: int
    end: int
    strength: float

    @property
    def places(self) -> range:
        """Where its words stand in the question."""
        return range(self.start, self.end)


def find_mentions(words: Sequence[Word], table: Table) -> list[Mention]:
    """The columns that a question names, in the order of the question; no word means two of them."""
    possible = [
        mention for place in range(len(words)) for column in table.columns for mention in _at(words, place, column)
    ]
    possible.sort(key=lambda mention: (-_weight(mention), mention.start))
    taken: set[int] = set()
    found: list[Mention] = []
    for mention in possible:
        if taken.isdisjoint(mention.places):
            taken.update(mention.places)
            found.append(mention)
    return sorted(found, key=lambda mention: mention.start)


def name_places(words: Sequence[Word], table: Table) -> frozenset[int]:
    """The places of the words that name the table itself."""
    return frozenset(
        place for place, word in enumerate(words) if not word.glue and not word.quoted and among(word.key, table.words)
    )


def _weight(mention: Mention) -> float:
    """More words first, then the surer, then columns that a person would want to see."""
    shown = 0.02 if mention.column.words[-1] in _NAMES else 0.0
    return (mention.end - mention.start) * 0.2 + mention.strength + shown - (0.05 if mention.column.is_key else 0.0)


def _at(words: Sequence[Word], place: int, column: Column) -> list[Mention]:
    named = column.words
    if not named or words[place].quoted:
        return []
    for wanted, strength in _namings(named):
        end = place + len(wanted)
        spoken = [word.key for word in words[place:end]]
        if len(spoken) == len(wanted) and all(map(same, spoken, wanted)):
            return [Mention(column, place, end, strength)]
        if len(wanted) > 1 and same(words[place].key, "".join(wanted)):
            return [Mention(column, place, place + 1, strength)]
    if not words[place].glue and _alike(words[place].key, column):
        return [Mention(column, place, place + 1, _ALIKE)]
    return []


def _namings(named: tuple[str, ...]) -> list[tuple[tuple[str, ...], float]]:
    """How a column may be called, the surest first: by its name, without the ending, by its first or last word."""
    ways = [(named, _EXACT)]
    if len(named) > 1:
        if named[-1] in _ENDINGS:
            ways.append((named[:-1], _WITHOUT_ENDING))
        ways += [(named[-1:], _PART), (named[:1], _PART)]
    return ways


def _alike(word: str, column: Column) -> bool:
    meant = "amount" if word in _OF_MONEY and column.kind is Kind.NUMBER else word
    return any(
        among(meant, group) and any(among(name, group) for name in (column.words[0], column.words[-1]))
        for group in _SAME_THING
    )
