"""Answers a query from the index.

FTS5 finds candidates in steps from strict to loose, because ordering by BM25 alone could leave the best answer far
below in a large folder: all words side by side, all near each other, all anywhere in the passage, all that tell
something apart, any of those (or, when phrases are given in quotes, all of these). Enough found ends the search.
What the steps find together is put in order by ranking.py.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from library.database import connect
from library.index import ROOM
from library.ranking import Candidate, ranked, rarity
from library.snippets import END, FOUND, parsed, snippet
from library.words import Stemmer, Term, terms_of, without_gaps

MOST_HITS = 20
_CANDIDATES = 100
"""Passages looked at from each step; with so many found no looser step is taken."""
_COMMON = 0.25
_MANY = 1_000
"""A word in more passages than both (a share, a number) tells nothing apart, and costs the most to look for."""
_GLUE_WEIGHT = 0.1
_NEAR_WORDS = 8
_SHORTEST_PREFIX = 3

_MARKS = {"found": FOUND, "end": END, "most": _CANDIDATES}
_FIND = """
SELECT rowid, rank, highlight(passages, 0, :found, :end), highlight(passages, 1, :found, :end),
       highlight(passages, 2, :found, :end), highlight(passages, 3, :found, :end)
FROM passages WHERE passages MATCH :step ORDER BY rank LIMIT :most
"""
_CITE = """
SELECT files.name, files.unit, passages.title, passages.heading, passages.positions
FROM passages JOIN files ON files.id = ? WHERE passages.rowid = ?
"""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file: the number of a line, page, paragraph, slide or row, from 1."""

    unit: str
    number: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that answers the query, with where it stands."""

    file: str
    """Path relative to the folder, with `/`."""
    position: Position
    """Where the first marked word of the snippet stands."""
    title: str
    heading: str
    snippet: str
    """At most 280 characters of the file; found words stand between `**`."""
    score: float
    """From 0 to 1; comparable among the hits of one query."""


def search(database: Path, stemmer: Stemmer, query: str, limit: int) -> list[Hit]:
    """The best passages for a query, at most `limit` and never more than MOST_HITS.

    Raises EmptyQuery when the query holds no word.
    """
    terms = terms_of(query, stemmer)
    with closing(connect(database)) as connection:
        connection.execute("BEGIN")  # one state of the index for all that follows
        passages = _count(connection)
        frequencies = [_frequency(connection, term) for term in terms]
        terms = tuple(_loosened(term, count) for term, count in zip(terms, frequencies, strict=True))
        telling = _telling(terms, frequencies, passages)
        weights = [
            rarity(count, passages) * (1 if term in telling else _GLUE_WEIGHT)
            for term, count in zip(terms, frequencies, strict=True)
        ]
        shown = frozenset(index for index, term in enumerate(terms) if term in telling)
        best = ranked(_candidates(connection, terms, telling, stemmer), weights, min(limit, MOST_HITS))
        return [_hit(connection, candidate, score, weights, shown) for score, candidate in best]


def _candidates(
    connection: sqlite3.Connection, terms: Sequence[Term], telling: Sequence[Term], stemmer: Stemmer
) -> list[Candidate]:
    found: dict[int, Candidate] = {}
    for step in _steps(terms, telling):
        for row in connection.execute(_FIND, {"step": step, **_MARKS}):
            if row[0] not in found:
                found[row[0]] = _candidate(row, terms, stemmer)
        if len(found) >= _CANDIDATES:
            break
    return list(found.values())


def _count(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(sum(passages), 0) FROM files").fetchone()[0])


def _frequency(connection: sqlite3.Connection, term: Term) -> int:
    """Passages that may hold the term: those with the rarest of its words."""
    counts = []
    for stem in term.stems:
        row = connection.execute("SELECT doc FROM words WHERE term = ?", (stem,)).fetchone()
        counts.append(row[0] if row else 0)
    return min(counts)


def _loosened(term: Term, frequency: int) -> Term:
    """A word no passage holds is taken for the beginning of one: `invoi` finds `invoice`."""
    if frequency or term.required or len(term.stems[-1]) < _SHORTEST_PREFIX:
        return term
    return replace(term, prefix=True)


def _telling(terms: Sequence[Term], frequencies: Sequence[int], passages: int) -> list[Term]:
    """The terms that tell passages apart; all of them when none does."""
    most = max(_MANY, _COMMON * passages)
    telling = [
        term
        for term, count in zip(terms, frequencies, strict=True)
        if term.required or (count <= most and not term.glue)
    ]
    return telling or list(terms)


def _steps(terms: Sequence[Term], telling: Sequence[Term]) -> list[str]:
    """FTS5 expressions from strict to loose, each once."""
    steps = []
    if len(terms) > 1:
        together = " ".join(term.match for term in terms)
        steps += [f"NEAR({together}, 0)", f"NEAR({together}, {_NEAR_WORDS})"]
    steps.append(" AND ".join(term.match for term in terms))
    steps.append(" AND ".join(term.match for term in telling))
    required = [term.match for term in telling if term.required]
    steps.append(" AND ".join(required) or " OR ".join(term.match for term in telling))
    return list(dict.fromkeys(steps))


def _candidate(row: Sequence[str], terms: Sequence[Term], stemmer: Stemmer) -> Candidate:
    rowid, bm25, *about, body = row
    found = frozenset[int]().union(*(parsed(text, terms, stemmer).terms for text in about))
    return Candidate(int(rowid), int(rowid) // ROOM, float(bm25), found, parsed(body, terms, stemmer))


def _hit(
    connection: sqlite3.Connection, candidate: Candidate, score: float, weights: Sequence[float], shown: frozenset[int]
) -> Hit:
    name, unit, title, heading, positions = connection.execute(_CITE, (candidate.file, candidate.rowid)).fetchone()
    text, start = snippet(candidate.body, weights, shown)
    numbers = list(_numbers(positions))
    number = numbers[candidate.body.text.count("\n", 0, start)]
    return Hit(name, Position(unit, number), without_gaps(title), without_gaps(heading), text, round(score, 3))


def _numbers(positions: str) -> Iterator[int]:
    return map(int, positions.split())
