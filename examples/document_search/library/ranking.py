"""Puts candidates in the order a person would: pure arithmetic over what was found where.

BM25 alone ranks a passage with one rare word five times above one that has every word of the question once. So some
things are weighed together, each between 0 and 1:

- coverage: the share of the question's words found in the passage, its headings, title and file name, where a rare
  word counts more (its inverse document frequency), so that "the" and "what" hardly matter;
- relevance: BM25 with weights for name, title and heading, as a share of the best candidate's;
- nearness: how much of the question stands close together in the text;
- phrase: the longest run of its words that stands there in the same order, side by side.

A little is added when the other words stand elsewhere in the same file: a lease that names the city on its first page
and the notice period on its third is the right file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from library.snippets import Marked, best_window

_COVERAGE, _RELEVANCE, _NEARNESS, _PHRASE, _FILE = 0.45, 0.25, 0.15, 0.1, 0.05
_FROM_ONE_FILE = 2
_NEAR = 200
"""Characters within which words are near each other: about two sentences."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that may be an answer."""

    rowid: int
    file: int
    bm25: float
    """As FTS5 gives it: negative, the better the lower."""
    about: frozenset[int]
    """Terms found in the file's name, the title or the heading."""
    body: Marked


def rarity(passages_with: int, passages: int) -> float:
    """Weight of a term by how few passages have it (the inverse document frequency of BM25, never below 0)."""
    return math.log(1 + (passages - passages_with + 0.5) / (passages_with + 0.5))


def ranked(candidates: Sequence[Candidate], weights: Sequence[float], limit: int) -> list[tuple[float, Candidate]]:
    """The best candidates with their scores from 0 to 1, the best first, at most `limit`.

    At first at most two are from one file, so that one long document does not hide all others; its further
    passages fill what stays free.
    """
    total = sum(weights) or 1.0
    best = max((-candidate.bm25 for candidate in candidates), default=0.0)
    in_file: dict[int, frozenset[int]] = defaultdict(frozenset)
    for candidate in candidates:
        in_file[candidate.file] |= candidate.about | candidate.body.terms
    scored = []
    for candidate in candidates:
        coverage = _weight(candidate.about | candidate.body.terms, weights) / total
        score = (
            _COVERAGE * coverage
            + _RELEVANCE * (-candidate.bm25 / best if best > 0 else 0.0)
            + _NEARNESS * _nearness(candidate.body, weights) / total
            + _PHRASE * _phrase(candidate.body, len(weights))
            + _FILE * _weight(in_file[candidate.file], weights) / total
        )
        scored.append((score, candidate))
    scored.sort(key=lambda pair: (-pair[0], pair[1].rowid))
    return _spread(scored, limit)


def _weight(terms: frozenset[int], weights: Sequence[float]) -> float:
    return sum(weights[term] for term in terms)


def _nearness(body: Marked, weights: Sequence[float]) -> float:
    """Weight of the terms that stand near each other, less for the room between them."""
    weight, start, end = best_window(body, weights, _NEAR)
    words = sum(span.end - span.start for span in body.spans if start <= span.start and span.end <= end)
    return weight * (0.5 + 0.5 * words / (end - start)) if end > start else 0.0


def _phrase(body: Marked, terms: int) -> float:
    """The longest run of neighbouring words in the order of the query, as a share of the longest possible."""
    longest = run = 1
    for before, after in pairwise(body.spans):
        follows = any(term + 1 in after.terms for term in before.terms)
        gap = body.text[before.end : after.start]
        run = run + 1 if follows and not any(map(str.isalnum, gap)) else 1
        longest = max(longest, run)
    return (longest - 1) / (terms - 1) if terms > 1 else 1.0


def _spread(scored: list[tuple[float, Candidate]], limit: int) -> list[tuple[float, Candidate]]:
    taken: dict[int, int] = defaultdict(int)
    first: list[tuple[float, Candidate]] = []
    rest: list[tuple[float, Candidate]] = []
    for pair in scored:
        taken[pair[1].file] += 1
        (first if taken[pair[1].file] <= _FROM_ONE_FILE else rest).append(pair)
    return (first + rest)[:limit]
