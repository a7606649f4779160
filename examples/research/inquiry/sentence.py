"""A question beside a table: which of its words mean what of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inquiry import markdown
from inquiry.known import Column, Kind, Table
from inquiry.mentions import Mention, find_mentions, name_places
from inquiry.phrases import Computing, comparings, computings
from inquiry.query import Function
from inquiry.words import Word

SURE = 0.6
"""Strength from which a mention is taken for what it says, also against the name of the table."""
_MOST_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Sentence:
    """The words of a question, the columns they mention, and what they ask to compute."""

    words: Sequence[Word]
    table: Table
    mentions: Sequence[Mention]
    named: frozenset[int]
    """Places of words that name the table."""
    computing: Sequence[Computing] = ()

    @property
    def sure(self) -> bool:
        """Whether the table or one of its columns is called by its own name."""
        return bool(self.named) or any(mention.strength >= SURE for mention in self.mentions)

    @property
    def fit(self) -> float:
        """How much of the question the table knows."""
        names = {self.words[place].key for place in self.named}
        return len(names) + sum(mention.strength * len(mention.places) for mention in self.mentions)

    def mention_at(self, place: int) -> Mention | None:
        """The column that the word at a place means."""
        return next((mention for mention in self.mentions if place in mention.places), None)

    def next_place(self, place: int) -> int:
        """The next place that does not only hold the sentence together."""
        while place < len(self.words) and self.words[place].glue and self.mention_at(place) is None:
            place += 1
        return place

    def number_near(self, place: int, taken: frozenset[Column] = frozenset()) -> Column | None:
        """The first number that is named behind a place, else the last one before it."""
        named = [one for one in self.mentions if one.column.kind is Kind.NUMBER and one.column not in taken]
        behind = [mention.column for mention in named if mention.end > place]
        before = [mention.column for mention in named if mention.end <= place]
        return next(iter(behind or before[-1:]), None)

    def time_column(self) -> Column | None:
        """The date that is meant: one that is named, else the first of the table."""
        named = [mention.column for mention in self.mentions if mention.column.kind is Kind.TIME]
        return next((column for column in (*named, *self.table.columns) if column.kind is Kind.TIME), None)

    def shown(self) -> tuple[Column, ...]:
        """The columns of a row that are shown: the first ones, and those that are named."""
        named = [mention.column for mention in self.mentions]
        others = [column for column in self.table.columns if column not in named and column.kind is not Kind.OTHER]
        chosen = {*named, *others[: max(0, _MOST_SHOWN - len(named))]}
        return tuple(column for column in self.table.columns if column in chosen)[: 2 * _MOST_SHOWN]

    def assumed(self) -> list[str]:
        """What was taken for what, where the words do not name it; Markdown."""
        return [
            f"{markdown.code(mention.column.name)} was taken for"
            f" “{' '.join(markdown.plain(self.words[place].text, 60) for place in mention.places)}”"
            for mention in self.mentions
            if mention.strength < SURE
        ]


def beside(words: Sequence[Word], table: Table) -> Sentence:
    """Put a question beside a table."""
    named = name_places(words, table)
    mentions = [one for one in find_mentions(words, table) if one.strength >= SURE or named.isdisjoint(one.places)]
    sentence = Sentence(words, table, mentions, named)
    comparing = {place for one in comparings(words) for place in one.places}
    computing = [one for one in computings(words) if comparing.isdisjoint(one.places) and not _is_a_name(one, sentence)]
    return replace(sentence, mentions=_not_computing(mentions, computing), computing=computing)


def _is_a_name(one: Computing, sentence: Sentence) -> bool:
    """Whether the words are part of a column's name: "first name", "phone number of"."""
    mention = sentence.mention_at(one.start)
    if one.function is Function.COUNT and one.start and sentence.mention_at(one.start - 1):
        return True
    if [word.key for word in sentence.words[one.end : one.end + 1]] == ["name"]:
        return True
    return mention is not None and len(mention.places) > len(one.places)


def _not_computing(mentions: Sequence[Mention], computing: Sequence[Computing]) -> list[Mention]:
    """In "total amount", "total" names no column; where nothing else names a number it may."""
    asking = {place for one in computing for place in one.places}
    numbers = [one for one in mentions if one.column.kind is Kind.NUMBER and asking.isdisjoint(one.places)]
    return [one for one in mentions if one.strength >= SURE or not numbers or asking.isdisjoint(one.places)]
