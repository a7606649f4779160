"""A JSON value as it is shown: a tree of which the first levels are open, and of which no more is shown than one reads.

What is left out is counted. Numbers stand as they were sent, and what cannot be seen in a text is written out.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from agentic_atlas.platform.page import View
from agentic_atlas.platform.readable import readable
from agentic_atlas.platform.wording import visible

MOST_PARTS: Final = 400
"""Values of a payload that are shown."""
MOST_IN_PART: Final = 100
"""Values of one object or array that are shown."""
MOST_TEXT: Final = 2_000
"""Characters of a text that are shown."""
MOST_DEPTH: Final = 24
"""Levels of a payload that are shown."""
MOST_COPIED: Final = 64 * 1024
"""Bytes of a payload that a button copies."""

_MOST_INDENTED: Final = 4 * MOST_COPIED
_OPEN: Final = 2
"""Levels that are open at first."""
_OPEN_MEMBERS: Final = 30
"""Members of what is open at first."""


class JsonPart(View, frozen=True):
    """A value, with what is in it.

    Attributes:
        name: its key; empty for the whole, and in an array.
        kind: `object`, `array`, `string`, `text` (of several lines), `number` or `word`.
        text: of a value without members; of one with members, how many they are.
        parts: its members that are shown.
        opened: they are seen at first.
        left_out: how many members, or characters of a text, are not shown.
    """

    name: str
    kind: str
    text: str
    parts: Sequence["JsonPart"] = ()
    opened: bool = False
    left_out: int = 0


class PayloadView(View, frozen=True):
    """An input, an output, or a detail of an error.

    Attributes:
        whole: what it is.
        copied: all of it as text, for a button that copies; empty when it is too long for that.
        cut: something of it is not shown.
    """

    whole: JsonPart
    copied: str
    cut: bool


class _Number(str):
    """A number as it was sent: reading it as one would change what is shown of a long one."""


_Value: TypeAlias = "str | _Number | bool | list[_Value] | dict[str, _Value] | None"


class _Budget:
    """How many values may still be shown, and whether anything was left out."""

    def __init__(self) -> None:
        self.left = MOST_PARTS
        self.cut = False


def payload(raw: bytes) -> PayloadView:
    """Return what is shown of a JSON text."""
    budget = _Budget()
    if not readable(raw):
        return _beginning(raw, budget)
    try:
        value: _Value = json.loads(raw, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    except (ValueError, RecursionError):
        # It is nested deeper than anybody reads.
        return _beginning(raw, budget)
    whole = _part("", value, 0, budget)
    return PayloadView(whole=whole, copied=_copied(raw), cut=budget.cut)


def _beginning(raw: bytes, budget: _Budget) -> PayloadView:
    """Return how a text begins."""
    whole = _of_text("", raw[: 4 * MOST_TEXT].decode(errors="replace"), budget)
    return PayloadView(whole=whole, copied="", cut=True)


def _copied(raw: bytes) -> str:
    return "" if len(raw) > MOST_COPIED else indented(raw)


def indented(raw: bytes) -> str:
    """Return a JSON text in lines; as it is where those would be long, for of what is deep they are mostly spaces."""
    try:
        made = msgspec.json.format(raw, indent=2)
    except (msgspec.DecodeError, RecursionError):  # half a character, which only Python's own reader lets pass
        made = raw
    return (raw if len(made) > _MOST_INDENTED else made).decode(errors="replace")


def _part(name: str, value: _Value, depth: int, budget: _Budget) -> JsonPart:
    budget.left -= 1
    match value:
        case dict():
            members = ((visible(key[:MOST_TEXT]), one) for key, one in value.items())
            return _of_members(name, "object", len(value), members, depth, budget)
        case list():
            return _of_members(name, "array", len(value), (("", one) for one in value), depth, budget)
        case _Number():
            return JsonPart(name=name, kind="number", text=value[:MOST_TEXT])
        case str():
            return _of_text(name, value, budget)
    return JsonPart(name=name, kind="word", text="null" if value is None else "true" if value else "false")


def _of_members(
    name: str, kind: str, count: int, members: Iterator[tuple[str, _Value]], depth: int, budget: _Budget
) -> JsonPart:
    parts = []
    if depth < MOST_DEPTH:
        for key, one in islice(members, MOST_IN_PART):
            if budget.left <= 0:
                break
            parts.append(_part(key, one, depth + 1, budget))
    left_out = count - len(parts)
    budget.cut = budget.cut or left_out > 0
    opened = depth == 0 or (depth < _OPEN and count <= _OPEN_MEMBERS)
    told = {"object": ("field", "fields"), "array": ("item", "items")}[kind][count != 1]
    return JsonPart(name=name, kind=kind, text=f"{count:,} {told}", parts=parts, opened=opened, left_out=left_out)


def _of_text(name: str, text: str, budget: _Budget) -> JsonPart:
    left_out = max(0, len(text) - MOST_TEXT)
    budget.cut = budget.cut or left_out > 0
    kind = "text" if "\n" in text else "string"
    return JsonPart(name=name, kind=kind, text=visible(text[:MOST_TEXT], lines=True), left_out=left_out)
