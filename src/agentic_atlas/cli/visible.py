"""Text of others made harmless for people's eyes. Pure.

What a terminal obeys, what turns the direction of text round and what nobody sees is shown as U+FFFD: the characters
of Unicode's categories Cc, Cf, Cs, Zl and Zp, and those that it calls default-ignorable. Kept are line ends and tabs,
the selectors of a picture's form, and the joiners of Indic, Arabic and emoji texts where they can join.
"""

import re
from typing import Final

_CONTROLS: Final = r"\x00-\x08\x0b-\x1f"
"""Cc but for tab and line feed; JSON has them escaped."""
_UNSEEN: Final = (
    r"\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    r"\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_JOINERS: Final = r"(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
_HARMFUL: Final = re.compile(f"[{_CONTROLS}{_UNSEEN}]|{_JOINERS}")
_IN_JSON: Final = re.compile(f"[{_UNSEEN}]|{_JOINERS}")


def visible(text: str) -> str:
    """Return the text, on as many lines as it has, with nothing in it that a terminal obeys or nobody sees."""
    return _HARMFUL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return the text on one line; what separates lines or words is one space."""
    return visible(" ".join(text.split()))


def indented(text: str, indent: str) -> str:
    """Return the text with every line but the first one behind an indent: none of them begins as ours do."""
    first, *more = visible(text).split("\n")
    return "\n".join([first, *(f"{indent}{line}".rstrip() for line in more)])


def escaped(json: str) -> str:
    """Return JSON that says the same, with what is unseen written as `\\u…`."""
    return _IN_JSON.sub(_escape, json)


def _escape(match: "re.Match[str]") -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
