"""What was typed as `key=value`, turned into the input of a skill. Pure: the schema, and how files are read, are given.

`key=value` is text unless the schema says that the field is a number, a truth value, a list or an object; where it may
be a number or a truth value as well as text, it is the former when it is written like one. `key:=value` is JSON,
whatever the schema says. `key=@file` and `key=-` take what is in a file or comes through stdin, `key=@@text`
is text that begins with an @. `a.b=value` is a part of the object `a`; a list is given item by item: `xs=1 xs=2`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeAlias

from agentic_atlas.cli.schema import Schema, encoding, item, kinds, part, places, properties
from agentic_atlas.cli.wording import shown, words
from agentic_atlas.errors import InvalidInput

Read = Callable[[str], bytes]
"""Returns what is in a file, given its path, or what comes through stdin, given `-`."""

_PAIR = re.compile(r"(?P<key>[^=:]+)(?P<kind>:?=)(?P<value>.*)", re.DOTALL)
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}
_IN_PARTS = "{} is given as a whole and in parts: give one of the two"
_NARROW = frozenset({"integer", "number", "boolean"})
_TRUTHS = {"yes": True, "y": True, "no": False, "n": False}


_Place: TypeAlias = "tuple[dict[str, object], str, Schema | None]"
"""Where a value goes: in which object, under which name, and what its schema is as far as that is known."""


def parse_pairs(pairs: Sequence[str], schema: Schema | None, read: Read) -> dict[str, object]:
    """Return the fields that were typed.

    Args:
        pairs: each `key=value` or `key:=json`.
        schema: JSON Schema of the input; None when it is not known, and every plain value is text.
        read: for values that are in a file or on stdin.

    Raises:
        InvalidInput: one has another form, comes twice, or is not what its field takes.
    """
    fields: dict[str, object] = {}
    root = schema or {}
    for pair in pairs:
        match = _PAIR.fullmatch(pair)
        if match is None:
            raise InvalidInput(f"`{pair}` is not an input: write key=value, or key:=json")
        place = _place(fields, match["key"], root)
        given = _given(match["value"], read)
        key = f"`{match['key']}`"
        if match["kind"] == ":=":
            _put(place, match["key"], parse_json(given, key))
        else:
            _add(place, match["key"], given, root)
    return fields


def pair(key: str, value: object, schema: Schema, root: Schema) -> str:
    """Return what is typed for a value: `key=value` where that is read as this value, else `key:=json`."""
    text = shown(value)
    try:
        read = None if text == "-" or text.startswith("@") else _read(text, schema, root, key)
    except InvalidInput:
        read = None
    same = read == value and type(read) is type(value)
    return f"{key}={text}" if same else f"{key}:={json.dumps(value, ensure_ascii=False)}"


def merged(base: Mapping[str, object], over: Mapping[str, object]) -> dict[str, object]:
    """Return an object with the parts of another one over it."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            result[name] = merged(below, value)
        else:
            result[name] = value
    return result


def parse_object(text: str | bytes, what: str) -> dict[str, object]:
    """Return a whole input given as JSON; `what` names it in errors.

    Raises:
        InvalidInput: it is not a JSON object.
    """
    value = parse_json(text, what)
    if not isinstance(value, dict):
        raise InvalidInput(f'{what} has to be a JSON object, like {{"name": "Ada"}}')
    return value


def parse_value(text: str, schema: Schema | None, what: str) -> object:
    """Return one value; text unless its schema says otherwise. `what` names it in errors.

    Raises:
        InvalidInput: it is not what the schema asks for.
    """
    return _read(text, schema, schema or {}, what)


def parse_json(text: str | bytes, what: str) -> object:
    """Return a JSON value; `what` names it in errors.

    Raises:
        InvalidInput: it is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{what} is not JSON: {error}") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _given(value: str, read: Read) -> str | bytes:
    """Return a value, from where it is."""
    if value in ("-", "@-"):
        return read("-")
    if value.startswith("@@"):
        return value[1:]
    return read(value[1:]) if value.startswith("@") else value


def _place(fields: dict[str, object], key: str, root: Schema) -> _Place:
    """Follow the dots of a key, as far as the schema knows objects of these names; a name itself may have dots."""
    holder, schema, name = fields, root, key
    while True:
        known = properties(schema, root)
        head, dot, rest = name.partition(".")
        inner = part(schema, root, head)
        if name in known or not dot or inner is None or "object" not in kinds(inner, root):
            return holder, name, part(schema, root, name)
        within = holder.setdefault(head, {})
        if not isinstance(within, dict):
            raise InvalidInput(_IN_PARTS.format(f"`{head}`"))
        holder, schema, name = within, inner, rest


def _put(place: _Place, key: str, value: object) -> None:
    holder, name, _ = place
    if name in holder:
        raise InvalidInput(f"`{key}` is given twice")
    holder[name] = value


def _add(place: _Place, key: str, given: str | bytes, root: Schema) -> None:
    """Store a value; one that is given again is a further item of a list, where there may be one."""
    holder, name, schema = place
    found, what = kinds(schema, root), f"`{key}`"
    if "array" in found and "string" not in found and not _is_json_of(given, found):
        there = holder.setdefault(name, [])
        if not isinstance(there, list):
            raise InvalidInput(_IN_PARTS.format(what) if isinstance(there, dict) else f"{what} is given twice")
        there.extend(_items(given, schema or {}, root, what, len(there)))
    else:
        _put(place, key, _single(given, schema, root, what))


def _is_json_of(given: str | bytes, found: Set[str]) -> bool:
    """Tell whether the whole value is meant: written as JSON, or null."""
    text = (given if isinstance(given, str) else given[:64].decode(errors="replace")).strip()
    return text.startswith("[") or (text.startswith("{") and "object" in found) or (text == "null" and "null" in found)


def _items(given: str | bytes, schema: Schema, root: Schema, what: str, before: int) -> list[object]:
    """Return the items that one `key=value` of a list stands for, behind those `before` it."""
    inner = item(schema, root, before)
    found = kinds(inner, root)
    if isinstance(given, str) and "," in given and not given.lstrip().startswith(("{", "[")):
        if not found or "string" in found:
            raise InvalidInput(_one_by_one(given, schema, root, what))
        parts = enumerate(given.split(","), before)
        return [_single(one, item(schema, root, place), root, what) for place, one in parts]
    return [_single(given, inner, root, what)]


def _one_by_one(given: str, schema: Schema, root: Schema, what: str) -> str:
    key = what.strip("`")
    told = f"{what} is a list: give its items one by one, {key}=… {key}=…"
    if places(schema, root):
        return told
    return f"{told}; one with a comma in it as JSON: {key}:={json.dumps([given], ensure_ascii=False)}"


def _single(given: str | bytes, schema: Schema | None, root: Schema, what: str) -> object:
    how = encoding(schema, root)
    if how is not None:
        data = given.encode() if isinstance(given, str) else given
        return (base64.urlsafe_b64encode if how == "base64url" else base64.b64encode)(data).decode()
    if isinstance(given, bytes):
        try:
            given = given.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidInput(f"{what} takes text, and what was read is not text in UTF-8") from None
    return _read(given, schema, root, what)


def _read(text: str, schema: Schema | None, root: Schema, what: str) -> object:
    found = kinds(schema, root)
    if not found or "string" in found:
        return _narrowest(text, found)
    if found == {"boolean"} and text.strip().lower() in _TRUTHS:
        return _TRUTHS[text.strip().lower()]
    fault = InvalidInput(f"{what} has to be {words(schema, root)}; `{_short(text)}` is not")
    try:
        value = parse_json(text, what)
    except InvalidInput:
        raise fault from None
    if not any(_fits(value, kind) for kind in found):
        raise fault
    return value


def _narrowest(text: str, found: Set[str]) -> object:
    """Return a number or a truth value that may stand where text may, when the text is just how JSON writes it."""
    if _NARROW.isdisjoint(found):
        return text
    try:
        value = parse_json(text, "")
    except InvalidInput:
        return text
    allowed = found & (_NARROW - {"integer"} if isinstance(value, float) else _NARROW)
    return value if any(_fits(value, kind) for kind in allowed) and json.dumps(value) == text else text


def _short(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:99]}…"


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    python = _PYTHON.get(kind)
    return python is not None and isinstance(value, python)
