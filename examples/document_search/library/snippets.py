"""The part of a passage worth showing: a bounded window where most of the query stands closest together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from library.words import Stemmer, Term, without_gaps

FOUND, END = "\x02", "\x03"
"""Put around found words by the index; a passage holds no control characters of its own."""
SNIPPET = 280
"""Most characters of text in a snippet, without the marks."""
MARK = "**"


@dataclass(frozen=True, slots=True)
class Span:
    """A found word or phrase in a text, from `start` to before `end`, and the terms it stands for, by number."""

    start: int
    end: int
    terms: frozenset[int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and what was found in it, in order."""

    text: str
    spans: tuple[Span, ...] = ()

    @property
    def terms(self) -> frozenset[int]:
        """Numbers of all terms found."""
        return frozenset().union(*(span.terms for span in self.spans))


def parsed(text: str, terms: Sequence[Term], stemmer: Stemmer) -> Marked:
    """Takes the marks out of a text that comes from the index, and says which terms they stand for."""
    plain: list[str] = []
    spans: list[Span] = []
    length = 0
    for number, piece in enumerate(without_gaps(text).replace(END, FOUND).split(FOUND)):
        if number % 2:
            stems = stemmer.stems(piece)
            found = frozenset(index for index, term in enumerate(terms) if term.within(stems))
            spans.append(Span(length, length + len(piece), found))
        plain.append(piece)
        length += len(piece)
    return Marked("".join(plain), tuple(spans))


def best_window(marked: Marked, weights: Sequence[float], width: int) -> tuple[float, int, int]:
    """The stretch of at most `width` characters whose different terms weigh most: their weight, its start and end.

    Of equals the shortest wins, then the first. Without spans it is empty.
    """
    best = (0.0, 0, 0)
    for first, span in enumerate(marked.spans):
        seen: set[int] = set()
        for last in marked.spans[first:]:
            if last.end - span.start > width:
                break
            if last.terms <= seen and seen:
                continue
            seen |= last.terms
            weight = sum(weights[term] for term in seen)
            if (weight, span.start - last.end) > (best[0], best[1] - best[2]):
                best = (weight, span.start, last.end)
    return best


def snippet(marked: Marked, weights: Sequence[float], shown: frozenset[int]) -> tuple[str, int]:
    """The snippet, and where in the text its first found word stands (0 without any).

    Only terms in `shown` count and are marked: a snippet full of marked articles and prepositions is hard to read.
    """
    marked = Marked(marked.text, tuple(span for span in marked.spans if span.terms & shown))
    _, start, end = best_window(marked, weights, SNIPPET)
    left, right = _widened(marked.text, start, end)
    pieces: list[str] = []
    done = left
    for span in marked.spans:
        if span.start >= left and span.end <= right:
            pieces += _shown(marked.text[done : span.start]), MARK, marked.text[span.start : span.end], MARK
            done = span.end
    pieces.append(_shown(marked.text[done:right]))
    body = " ".join("".join(pieces).split())
    return ("… " if left else "") + body + (" …" if right < len(marked.text) else ""), start


def _shown(text: str) -> str:
    """Text around found words, without the emphasis of Markdown, which would look like more of them."""
    return text.replace(MARK, "")


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """The window with as much around it as fits, a third of it before, cut between words where it can be."""
    spare = max(0, SNIPPET - (end - start))
    left = max(0, min(start - spare // 3, len(text) - SNIPPET))
    right = min(len(text), left + SNIPPET)
    if left and (space := text.find(" ", left, start)) >= 0:
        left = space + 1
    if right < len(text) and (space := text.rfind(" ", end, right)) >= 0:
        right = space
    return left, right
