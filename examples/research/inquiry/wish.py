"""What a question asks of a table, until it is known which of its words are values in the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from inquiry import markdown
from inquiry.query import Filter, Query
from inquiry.sql import WITHIN


@dataclass(frozen=True, slots=True)
class Wish:
    """A query, and the words of the question that may narrow it."""

    query: Query
    values: tuple[str, ...]
    """Words and runs of words that may be values in the rows, the longest first."""
    required: frozenset[str]
    """Those of them without which the answer would be one to another question."""
    valuable: frozenset[str]
    """Those that look like values: names, numbers, what is in quotes."""
    sure: bool
    """The table, or one of its columns, is named by its own name."""
    needs_value: bool
    """Without one of the values found in the table there is nothing to ask."""
    fit: float
    """How much of the question the table knows; comparable among the tables for one question."""


@dataclass(frozen=True, slots=True)
class NoRow:
    """The table has nothing of what is asked: these values are in none of its rows."""

    table: str
    file: str
    values: tuple[str, ...]


def resolve(wish: Wish, found: Mapping[str, Filter]) -> Query | NoRow | None:
    """The query with the conditions that were found; None when nothing is left to ask.

    A longer value counts before its parts: where "New York" is one, "York" is none. A word that looks like any other of
    the language narrows sums and counts only when it is the whole text of a cell: "placed" may stand in any remark.
    """
    filters: list[Filter] = []
    settled: set[str] = set()
    for value in wish.values:
        condition = found.get(value)
        if condition is None or not settled.isdisjoint(value.split()) or not _counts(wish, condition):
            continue
        filters.append(condition)
        settled.update(value.split())
    singles = [value for value in wish.values if not settled.intersection(value.split())]
    missing = tuple(value for value in singles if value in wish.required)
    if missing:
        return NoRow(wish.query.table.name, wish.query.table.file, missing)
    if wish.needs_value and not filters:
        return None
    unused = [value for value in singles if " " not in value]
    notes = (f"not used: {markdown.plain(', '.join(unused), 200)}",) if unused else ()
    return wish.query.narrowed(tuple(filters), notes)


def _counts(wish: Wish, condition: Filter) -> bool:
    if condition.test != WITHIN or (wish.sure and not wish.query.figures):
        return True
    return any(word in wish.valuable for word in (condition.value, *condition.value.split()))
