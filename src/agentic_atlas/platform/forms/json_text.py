"""JSON as people see and write it: numbers keep all their digits, and no character hides. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.values import Json
from agentic_atlas.protocol.codec import ProtocolError, check_nesting

DEEPEST: Final = 64
"""Nesting of a value that is read or written."""

NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A number as JSON writes it (RFC 8259 section 6)."""

HIDDEN: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What is not seen, changes how the text around it is seen, or does not come back out of a browser's form."""

_INDENT: Final = "  "


@dataclass(frozen=True)
class Numeral:
    """A number that is no whole one, as it was written."""

    text: str


def parse(text: str) -> Json:
    """Return the value of a JSON text, its numbers that are not whole as `Numeral`.

    Raises:
        InvalidInput: it is none, is nested too deeply, or an object in it has a name twice.
    """
    try:
        check_nesting(text, DEEPEST)
        value: Json = json.loads(text, parse_float=Numeral, parse_constant=_constant, object_pairs_hook=_members)
    except (RecursionError, ProtocolError):
        raise InvalidInput(f"is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise InvalidInput(f"is not JSON: {error}") from None
    return value


def written(value: Json, *, lines: bool = False) -> str:
    """Return a value as JSON, on one line or indented; raises RecursionError when it is nested too deeply."""
    return _written(value, 0, lines=lines)


def canonical(value: Json) -> str:
    """Return the text that all have in common that are the same JSON; 1, 1.0 and true are three values.

    The order of names is none.
    """
    if isinstance(value, dict):
        return "{" + ",".join(f"{_string(name)}:{canonical(value[name])}" for name in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(canonical, value)) + "]"
    return _plain(value)


def work(text: str) -> int:
    """Return about how many microseconds it takes to read or to write a JSON text."""
    return len(text) // 256 + text.count(",") + text.count("[") + text.count("{")


def _written(value: Json, level: int, *, lines: bool) -> str:
    if level > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        parts = (f"{_string(name)}: {_written(one, level + 1, lines=lines)}" for name, one in value.items())
        return _joined("{", parts, "}", level, lines=lines)
    if isinstance(value, list | tuple):
        return _joined("[", (_written(one, level + 1, lines=lines) for one in value), "]", level, lines=lines)
    return _plain(value)


def _plain(value: Json) -> str:
    """Write a value that holds no others."""
    if isinstance(value, Numeral):
        return value.text
    if type(value) is int:
        return str(value)
    return _string(value) if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _joined(first: str, parts: Iterable[str], last: str, level: int, *, lines: bool) -> str:
    each = list(parts)
    if not lines or not each:
        return first + ", ".join(each) + last
    begin = "\n" + _INDENT * (level + 1)
    return first + begin + f",{begin}".join(each) + "\n" + _INDENT * level + last


def _string(text: str) -> str:
    return HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no value of JSON")


def _members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:64]!r} is there twice")
    return found
