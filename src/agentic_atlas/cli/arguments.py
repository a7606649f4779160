"""What was typed as `key=value`, turned into the input of a skill. Pure: the skill's schema is an argument.

`key=value` is text unless the schema says that the field is a number, a truth value, a list or an object;
`key:=value` is JSON, whatever the schema says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from agentic_atlas.errors import InvalidInput

Schema = Mapping[str, Any]

_PAIR = re.compile(r"(?P<key>[^=:]+)(?P<kind>:?=)(?P<value>.*)", re.DOTALL)
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": 'a list, in JSON: ["a", "b"]',
    "object": 'an object, in JSON: {"a": 1}',
    "null": "null",
}
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "number": (int, float),
    "array": list,
    "object": dict,
    "null": type(None),
}
_TRUTHS = {"yes": True, "y": True, "no": False, "n": False}
_DEEPEST = 8


def parse_pairs(pairs: Sequence[str], schema: Schema | None) -> dict[str, Any]:
    """Return the fields that were typed.

    Args:
        pairs: each `key=value` or `key:=json`.
        schema: JSON Schema of the input; None when it is not known, and every plain value is text.

    Raises:
        InvalidInput: one has another form, comes twice, or is not what its field takes.
    """
    fields: dict[str, Any] = {}
    for pair in pairs:
        match = _PAIR.fullmatch(pair)
        if match is None:
            raise InvalidInput(f"`{pair}` is not an input: write key=value, or key:=json")
        key, value = match["key"], match["value"]
        if key in fields:
            raise InvalidInput(f"`{key}` is given twice: a list is written {key}:='[1, 2]'")
        fields[key] = parse_json(value, f"`{key}`") if match["kind"] == ":=" else _typed(key, value, schema or {})
    return fields


def parse_object(text: str | bytes, what: str) -> dict[str, Any]:
    """Return a whole input given as JSON; `what` names it in errors.

    Raises:
        InvalidInput: it is not a JSON object.
    """
    value = parse_json(text, what)
    if not isinstance(value, dict):
        raise InvalidInput(f'{what} has to be a JSON object, like {{"name": "Ada"}}')
    return value


def parse_value(text: str, schema: Schema | None, what: str) -> Any:
    """Return one value; text unless its schema says otherwise. `what` names it in errors.

    For a truth value `yes` and `no` will do as well: this is how people answer.

    Raises:
        InvalidInput: it is not what the schema asks for.
    """
    kinds = set(_kinds(schema, schema)) if schema else set()
    if kinds == {"boolean"} and text.strip().lower() in _TRUTHS:
        return _TRUTHS[text.strip().lower()]
    return _read(text, kinds, what)


def expected(schema: Schema | None) -> str:
    """Return in a few words what a value of this schema is, as far as that can be said so; else nothing."""
    choices = schema.get("enum") if schema else None
    if isinstance(choices, list):
        return f"one of: {', '.join(choice if isinstance(choice, str) else json.dumps(choice) for choice in choices)}"
    kinds = set(_kinds(schema, schema)) if schema else set()
    if not kinds or "string" in kinds:
        return ""
    return "yes or no" if kinds == {"boolean"} else " or ".join(_WORDS[kind] for kind in _WORDS if kind in kinds)


def parse_json(text: str | bytes, what: str) -> Any:
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


def _typed(key: str, text: str, schema: Schema) -> Any:
    field = _property(schema, key)
    return _read(text, set(_kinds(field, schema)) if field is not None else set(), f"`{key}`")


def _read(text: str, kinds: Set[str], what: str) -> Any:
    if not kinds or "string" in kinds:
        return text
    wanted = " or ".join(_WORDS[kind] for kind in _WORDS if kind in kinds)
    fault = InvalidInput(f"{what} has to be {wanted}; `{text}` is not")
    try:
        value = parse_json(text, what)
    except InvalidInput:
        raise fault from None
    if not any(_fits(value, kind) for kind in kinds):
        raise fault
    return value


def _property(schema: Schema, key: str) -> Schema | None:
    fields = schema.get("properties")
    field = fields.get(key) if isinstance(fields, Mapping) else None
    return field if isinstance(field, Mapping) else None


def _kinds(field: Schema, root: Schema, depth: int = 0) -> Iterator[str]:
    """Yield the JSON types a field takes, as far as its schema says them plainly."""
    if depth > _DEEPEST:
        return
    kind = field.get("type")
    yield from [kind] if isinstance(kind, str) else kind or []
    branches = [_referred(field.get("$ref"), root), *field.get("anyOf", []), *field.get("oneOf", [])]
    for branch in branches:
        if isinstance(branch, Mapping):
            yield from _kinds(branch, root, depth + 1)


def _referred(reference: object, root: Schema) -> object:
    """Return the part of the schema a local reference names, as Pydantic writes them."""
    prefix = "#/$defs/"
    if not isinstance(reference, str) or not reference.startswith(prefix):
        return None
    definitions = root.get("$defs")
    return definitions.get(reference.removeprefix(prefix)) if isinstance(definitions, Mapping) else None


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    python = _PYTHON.get(kind)
    return python is not None and isinstance(value, python)
