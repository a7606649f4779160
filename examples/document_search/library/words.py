"""From what a person types to words the index knows.

Nothing a person types is ever syntax for FTS5: words are taken out of the query one by one, and each is quoted. Quotes
make a phrase that must be found as it stands, a star at the end of a word stands for any ending, and that is all.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from library.database import TOKENIZER
from library.errors import EmptyQuery

MOST_TERMS = 24
"""Words of a query that are used; a longer one is a text, and its first words say what it is about."""

_GLUE_WORDS = """
a about all an and any are as at be been but by can could did do does for from get had has have how i if in is it its
me my no not of on or our shall should so than that the their them there these they this those to was we were what when
where which who whom whose why will with would you your
"""
_GLUE = frozenset(_GLUE_WORDS.split())
"""English words a question is made with and not about. Words like them in other languages are known by being in most
passages, which is enough in a large folder; in a small one `how` can be as rare as `notice`."""

_GAP = "\u200b"
# Chinese and Japanese stand without spaces between words, and FTS5 would take a whole sentence for one word.
_UNSPACED = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTER = re.compile(f"[{_UNSPACED}]")
_RUN = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
# Control characters become gaps: SQLite takes a NUL for the end of what is to be found.
_PLAIN = str.maketrans(
    dict.fromkeys(map(chr, range(32)), " ") | dict.fromkeys("“”„‟«»″＂", '"') | dict.fromkeys("‘’‛", "'")
)
_PART = re.compile(r'"([^"]+)"|(\w+(?:[-\'./@:]\w+)*\*?)')


def for_index(text: str) -> str:
    """Text as it goes into the index: with gaps between characters that are words by themselves."""
    return _CHARACTER.sub(rf"{_GAP}\g<0>{_GAP}", text)


def without_gaps(text: str) -> str:
    """Text from the index as it was before `for_index`."""
    return text.replace(_GAP, "")


@dataclass(frozen=True, slots=True)
class Term:
    """One word, or one phrase, to look for."""

    text: str
    stems: tuple[str, ...]
    """The words of it in the form the index keeps; at least one."""
    required: bool = False
    """A phrase in quotes: what does not hold it is no answer."""
    prefix: bool = False
    """Also found as the beginning of a longer word."""

    @property
    def glue(self) -> bool:
        """Whether this word only holds the question together."""
        return not self.required and self.text.casefold() in _GLUE

    @property
    def match(self) -> str:
        """This term as an FTS5 string, which has no syntax inside but its quotes."""
        quoted = '"' + for_index(self.text).replace('"', '""') + '"'
        return f"{quoted} *" if self.prefix else quoted

    def within(self, stems: tuple[str, ...]) -> bool:
        """Whether this term is among words that follow each other in a text."""
        size = len(self.stems)
        return any(self._equals(stems[start : start + size]) for start in range(len(stems) - size + 1))

    def _equals(self, stems: tuple[str, ...]) -> bool:
        if not self.prefix:
            return stems == self.stems
        return stems[:-1] == self.stems[:-1] and stems[-1].startswith(self.stems[-1])


class Stemmer:
    """Asks SQLite's own tokenizer what it makes of words, so that there is no second opinion to keep in step."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.execute(f"CREATE VIRTUAL TABLE text USING fts5 (words, tokenize = '{TOKENIZER}')")
        self._connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab (text, 'instance')")
        self.stems = lru_cache(maxsize=20_000)(self._stems)

    def close(self) -> None:
        """Closes the table kept in memory."""
        self._connection.close()

    def _stems(self, text: str) -> tuple[str, ...]:
        with self._one_at_a_time:
            self._connection.execute("DELETE FROM text")
            self._connection.execute("INSERT INTO text (words) VALUES (?)", (for_index(text),))
            rows = self._connection.execute("SELECT term FROM stems ORDER BY offset").fetchall()
        return tuple(row[0] for row in rows)


def terms_of(query: str, stemmer: Stemmer) -> tuple[Term, ...]:
    """The terms of a query, each once, in the order typed.

    Raises EmptyQuery when there is none.
    """
    plain = unicodedata.normalize("NFKC", query.encode("utf-8", "replace").decode()).translate(_PLAIN)
    found: dict[tuple[str, ...], Term] = {}
    for term in _terms(plain, stemmer):
        found.setdefault(term.stems, term)
        if len(found) == MOST_TERMS:
            break
    if not found:
        raise EmptyQuery
    return tuple(found.values())


def _terms(query: str, stemmer: Stemmer) -> Iterable[Term]:
    for phrase, word in _PART.findall(query):
        if phrase:
            pieces = [(phrase, True)]
        else:
            pieces = [(piece, False) for run in _RUN.findall(word) for piece in _overlapping(run)]
        for text, required in pieces:
            if stems := stemmer.stems(text):
                yield Term(text, stems, required, prefix=text.endswith("*"))


def _overlapping(run: str) -> list[str]:
    """A run of unspaced characters in pairs, since where its words begin is not known; other runs as they are."""
    if len(run) <= 2 or not _CHARACTER.match(run):
        return [run]
    return [run[start : start + 2] for start in range(len(run) - 1)]
