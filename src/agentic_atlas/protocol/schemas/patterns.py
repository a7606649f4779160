"""How much memory a regular expression takes when it is compiled for linear time: an estimate from its text.

Such programs repeat what is repeated: `[^/]{1,255}` is 255 times the class, and a class of most of Unicode is a small
program of its own. The estimate is of the right order, and never far below what an engine takes.
"""

import re
from typing import Final

_LITERAL: Final = 40
"""Bytes of a state."""
_CLASS: Final = 80
"""… of a class of a few ranges of ASCII."""
_WIDE: Final = 1_500
"""… of a class that excludes some characters, or of `.`."""
_SCRIPT: Final = 36_000
"""… of a class of Unicode's, `\\p{L}` for instance."""

_MOST: Final = 1 << 40
"""Where counting stops."""

_SET: Final = re.compile(r"\[\^?\]?(?:\\.|\[:\^?\w{1,20}:\]|[^\]\\])*+\]", re.DOTALL)
_TOKEN: Final = re.compile(
    r"""
      (?P<script>\\[pP](?:\{[^}]{0,60}\}|.))
    | (?P<wide>\\[WDSB]|\.)
    | (?P<escape>\\.)
    | (?P<open>\((?:\?(?:P?<\w{1,60}>|[a-zA-Z-]{0,20}:|[=!]|<[=!]))?)
    | (?P<close>\))
    | \{(?P<least>\d+),?(?P<most>\d*)\}
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CASELESS: Final = re.compile(r"\(\?[a-zA-Z]{0,20}i")


def estimate(pattern: str) -> int:
    """Return about how many bytes the compiled pattern has; whether it is one is not looked at."""
    outside: list[int] = []
    whole, last, at = 0, 0, 0
    while at < len(pattern):
        token = (_SET if pattern[at] == "[" else _TOKEN).match(pattern, at)
        if token is None:
            break  # A set without an end: no engine takes that.
        at = token.end()
        kind = token.lastgroup if token.re is _TOKEN else "set"
        if kind == "open":
            outside.append(whole + last)
            whole, last = 0, 0
        elif kind == "close":
            whole, last = outside.pop() if outside else 0, whole + last + _LITERAL
        elif kind in ("least", "most"):
            last = min(_MOST, last * max(1, int((token["most"] or token["least"])[:9])))
        else:
            whole, last = whole + last, _size(kind, token[0])
    total = whole + last + sum(outside)
    return total * 3 if _CASELESS.search(pattern) else total


def _size(kind: str | None, text: str) -> int:
    if kind == "script" or (kind == "set" and ("\\p" in text or "\\P" in text)):
        return _SCRIPT
    if kind == "wide" or (kind == "set" and re.search(r"\[\^|\\[WDS]|[^\x00-\x7f]", text)):
        return _WIDE
    if kind in ("set", "escape"):
        return _CLASS
    return _LITERAL if text.isascii() else 4 * _LITERAL
