"""A question taken apart: what is really several questions is answered as several.

It is cut at question marks, ends of sentences and items of a list; at "and" where a new clause begins; and an
enumeration ("the rent of house 3 and house 4", "the rent, the deposit and the address") becomes one question for each
member.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from inquiry.words import Word, words_of

MOST_QUESTIONS = 8
_LONGEST = 300
"""Characters of one question; a longer one is cut at a word."""

_SENTENCES = re.compile(r"(?<=[?!;])\s+|\n+|(?<=[^\W\d_]{3}\.)\s+(?=[A-Z])")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+")
_LEADS = (
    r"how|what|which|who|whom|whose|when|where|why|is|are|was|were|do|does|did|can|list|show|give|tell|find|count|"
    r"compare|explain|describe|total|sum|average|mean|median|highest|lowest|number"
)
_CLAUSE = re.compile(
    rf"(?:,\s*|\s+)(?:and|or|as well as|and also|but)\s+(?=(?:also\s+)?(?:the\s+)?(?:{_LEADS})\b)", re.I
)
_OWNED = r"(?:the|my|our|their)\s"
_LISTED = re.compile(rf",\s+(?:and\s+)?(?={_OWNED})|\s+and\s+(?={_OWNED})", re.I)
_LIST = re.compile(rf",\s+{_OWNED}.*\band\s+{_OWNED}", re.I)
_MEMBERS = re.compile(r"^(?P<head>.*?\b(?P<joint>of|for|about|in|on)\s+)(?P<members>.+)$", re.I)
_BETWEEN = re.compile(r"\s*,\s*(?:and|or)\s+|\s*,\s*|\s+(?:and|or|as well as)\s+", re.I)
_GROUPING = re.compile(r"\b(?:per|by|each|every|between)\b", re.I)
_MOST_IN_MEMBER = 4
_POINTS_BACK = frozenset({"it", "its", "they", "them", "their", "this", "that", "these", "those", "he", "she"})


@dataclass(frozen=True, slots=True)
class Question:
    """One question of those that were asked together."""

    text: str
    search: str
    """What to look for in documents: the question, and what its "it" or "they" stands for."""

    @property
    def words(self) -> tuple[Word, ...]:
        """Its words in order."""
        return words_of(self.text)


def split(asked: str) -> tuple[list[Question], int]:
    """The questions in a text, each once, and how many more than MOST_QUESTIONS were left out."""
    texts = [
        member
        for sentence in _SENTENCES.split(asked)
        for clause in _clauses(_BULLET.sub("", sentence))
        for member in _members(clause)
    ]
    found = list(dict.fromkeys(texts))
    questions: list[Question] = []
    for text in found[:MOST_QUESTIONS]:
        questions.append(Question(text, _search(text, questions)))
    return questions, max(0, len(found) - MOST_QUESTIONS)


def content(words: tuple[Word, ...]) -> list[Word]:
    """The words that say what a question is about."""
    return [word for word in words if not word.glue]


def _clauses(sentence: str) -> Iterator[str]:
    """The clauses of a sentence that are questions of their own; one without a word of its own belongs to the next."""
    waiting = ""
    parts = _outside_quotes(_CLAUSE, sentence)
    listed = [item for part in parts for item in (_outside_quotes(_LISTED, part) if _LIST.search(part) else [part])]
    for part in listed:
        whole = f"{waiting} and {part}" if waiting else part
        if _says_something(part) or not content(words_of(part)):
            if clause := _tidy(whole):
                yield clause
            waiting = ""
        else:
            waiting = whole
    if clause := _tidy(waiting):
        yield clause


def _says_something(part: str) -> bool:
    leads = set(_LEADS.split("|"))
    return any(word.key not in leads for word in content(words_of(part)))


def _members(clause: str) -> list[str]:
    """One question for each member of an enumeration that ends the clause; the clause itself without one."""
    found = _MEMBERS.match(clause.rstrip("?!.")) if '"' not in clause and not _GROUPING.search(clause) else None
    if found is None:
        return [clause]
    joint = re.compile(rf"^{found['joint']}\s+", re.I)
    members = [joint.sub("", member.strip()) for member in _BETWEEN.split(found["members"])]
    end = "?" if clause.endswith("?") else ""
    if len(members) < 2 or not all(_short_name(member) for member in members):
        return [clause]
    return [f"{found['head']}{member}{end}" for member in members]


def _short_name(member: str) -> bool:
    """Whether it may be a member of an enumeration by itself: few words, and a name or number among them.

    "terms and conditions" belongs together, "Ana and Ben", "house 3 and house 4" do not.
    """
    words = words_of(f"x {member}")[1:]
    return 0 < len(words) <= _MOST_IN_MEMBER and any(word.valuable for word in words)


def _outside_quotes(pattern: re.Pattern[str], text: str) -> list[str]:
    parts, start = [], 0
    for found in pattern.finditer(text):
        if text.count('"', 0, found.start()) % 2 == 0:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def _tidy(text: str) -> str:
    plain = " ".join(text.split()).strip(" ;,.")
    if len(plain) > _LONGEST:
        plain = f"{plain[:_LONGEST].rpartition(' ')[0] or plain[:_LONGEST]} …"
    return plain if words_of(plain) else ""


def _search(text: str, before: list[Question]) -> str:
    words = words_of(text)
    if not before or not any(word.key in _POINTS_BACK for word in words):
        return text
    known = {word.key for word in words}
    meant = [word.text for word in content(before[-1].words) if word.key not in known]
    return f"{text} {' '.join(meant)}"[: 2 * _LONGEST]
