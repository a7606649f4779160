"""Words of a question, and how they are compared with the words in names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_WORD = re.compile(r'"([^"]+)"|(\d+(?:[.,]\d+)*(?![\w-])|\w+(?:[-\'./@:]\w+)*)')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»″＂", '"') | dict.fromkeys("‘’‛", "'"))
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[\W_]+")

_GLUE_WORDS = """
a about all also am an and any are as at be because been being but can could did do does during for from get give given
gives got had has have having he her here his how i if in into is it its kindly know let like many me more much my need
no not now of on or our out please she should show so some such tell than that the their them then there these they
this those to too us very want was we were what whats when where which while who whom whose why will with would you
your find list happen happens happened
"""
GLUE = frozenset(_GLUE_WORDS.split())
"""English words that a question is made with and not about."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a question, or a phrase that stood in quotes."""

    text: str
    """As it was typed."""
    key: str
    """As it is compared: without accents, in lower case."""
    quoted: bool = False
    capital: bool = False
    """Begins with a capital letter and is not the first word of the question."""

    @property
    def glue(self) -> bool:
        """Whether it only holds the question together."""
        return not self.quoted and self.key in GLUE

    @property
    def number(self) -> float | None:
        """The number it is: `1,000` and `1000` are the same. None for other words."""
        plain = self.key.replace(",", "")
        return float(plain) if re.fullmatch(r"\d+(\.\d+)?", plain, re.ASCII) else None

    @property
    def valuable(self) -> bool:
        """Whether it looks like a value and not like a word of the language: a name, a number, something in quotes."""
        return self.quoted or self.capital or any(map(str.isdigit, self.key))


def words_of(question: str) -> tuple[Word, ...]:
    """The words of a question in order."""
    found: list[Word] = []
    for phrase, single in _WORD.findall(question.translate(_QUOTES)):
        text = (phrase or single.removesuffix("'s")).strip()
        if key := fold(text):
            found.append(Word(text, key, quoted=bool(phrase), capital=bool(found) and text[:1].isupper()))
    return tuple(found)


@lru_cache(maxsize=10_000)
def fold(text: str) -> str:
    """The text without accents and in lower case."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()


@lru_cache(maxsize=10_000)
def name_words(name: str) -> tuple[str, ...]:
    """The words a name is made of, as they are compared: `orderDate`, `order_date` and `Order date` are the same."""
    parts = _SEPARATORS.split(_HUMPS.sub(" ", unicodedata.normalize("NFKC", name)))
    return tuple(fold(part) for part in parts if part)


@lru_cache(maxsize=10_000)
def forms(key: str) -> frozenset[str]:
    """The word and what it may be the plural of: `houses` is `house`, `cities` is `city`."""
    found = {key}
    if len(key) > 3 and key.endswith("s") and not key.endswith("ss"):
        found.add(key[:-1])
        if key.endswith("es"):
            found.add(key[:-2])
        if key.endswith("ies"):
            found.add(f"{key[:-3]}y")
    return frozenset(found)


def same(first: str, second: str) -> bool:
    """Whether two words are the same but for their number."""
    return not forms(first).isdisjoint(forms(second))


def among(word: str, others: Iterable[str]) -> bool:
    """Whether a word is one of these but for its number."""
    return any(same(word, other) for other in others)
