"""Which of the passages found are worth showing, and what of the question they do not hold.

A search finds what is nearest, which may be far: so a report says which words of the question are in none of the
passages shown, and beside an exact answer of a table or the machine only passages that hold all of them are shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from inquiry import markdown
from inquiry.known import Hit, Hits
from inquiry.phrases import computings, groupings
from inquiry.questions import content
from inquiry.words import Word, among, name_words, words_of

MOST_PASSAGES = 3
_GOOD = 0.6
"""Share of the best passage's score that another one needs to be shown."""
_LOOSE = 0.5
"""Share of the question's words below which passages are called loosely related."""
_LONGEST = 1_000


@dataclass(frozen=True, slots=True)
class Passages:
    """What is shown of the passages found. `remark` says what they lack, or that they were left out; Markdown."""

    shown: tuple[Hit, ...] = ()
    remark: str = ""


def choose(asked: str, hits: Hits | None, *, answered: bool) -> Passages:
    """The best passages for what was searched; `answered` when there is an exact answer beside them."""
    if hits is None or not hits.hits:
        return Passages()
    best = hits.hits[0].score
    good = [_bounded(hit) for hit in hits.hits[:20] if hit.score >= _GOOD * best]
    wanted = list(_telling(words_of(asked)))
    if answered:
        good = [hit for hit in good if not _missing(wanted, [hit])]
        if not good:
            return Passages(remark="Documents hold only parts of the question; their passages were left out.")
    shown = good[:MOST_PASSAGES]
    return Passages(tuple(shown), _remark(_missing(wanted, shown), len(wanted)))


def _bounded(hit: Hit) -> Hit:
    """What another agent says has bounds here too, whatever that agent promises."""
    return replace(
        hit,
        file=hit.file[:_LONGEST],
        snippet=hit.snippet[:_LONGEST],
        title=hit.title[:_LONGEST],
        heading=hit.heading[:_LONGEST],
    )


def _remark(missing: Sequence[Word], wanted: int) -> str:
    if not missing:
        return ""
    told = ", ".join(f"“{markdown.plain(word.text, 60)}”" for word in missing)
    loosely = len(missing) > _LOOSE * wanted
    return f"{'These passages are only loosely related: they' if loosely else 'These passages'} do not hold {told}."


def _missing(wanted: Sequence[Word], hits: Sequence[Hit]) -> list[Word]:
    held = {key for hit in hits for key in _words(hit)}
    return [word for word in wanted if not among(word.key, held)]


def _telling(words: Sequence[Word]) -> Iterator[Word]:
    asking = {place for one in (*computings(words), *groupings(words)) for place in one.places}
    telling = set(content(tuple(words)))
    return (word for place, word in enumerate(words) if word in telling and place not in asking)


def _words(hit: Hit) -> Iterator[str]:
    for text in (hit.snippet, hit.heading, hit.title):
        for word in words_of(text.replace("**", "").replace('"', " ")):
            yield word.key
            yield from name_words(word.key)
    yield from name_words(hit.file)
