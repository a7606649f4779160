"""What a JSON Schema says plainly: of which kind a value is, what its parts are called. Pure.

Only what can be told in a few words is looked at; whether a value fits is for the server to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": 'a list, in JSON: ["a", "b"]',
    "object": 'an object, in JSON: {"a": 1}',
    "null": "null",
}
_SHORT = {"integer": "whole number", "number": "number", "boolean": "true|false"}
_EXAMPLES: dict[str, object] = {"string": "TEXT", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_DEEPEST = 8
_MOST_BRANCHES = 500
_MOST_PARTS = 6
"""Parts of an object that are named where its type stands."""


@dataclass(frozen=True)
class Field:
    """One of the values that a skill takes."""

    name: str
    schema: Schema
    required: bool

    @property
    def has_default(self) -> bool:
        """True when the schema says what it is when it is not given."""
        return "default" in self.schema

    @property
    def description(self) -> str:
        """What it is for, in its author's words."""
        text = self.schema.get("description")
        return text if isinstance(text, str) else ""


def fields(schema: Schema, root: Schema) -> list[Field]:
    """Return what an object is made of, in its author's order."""
    needed = _needed(schema, root)
    return [Field(name, field, name in needed) for name, field in properties(schema, root).items()]


def properties(schema: Schema, root: Schema) -> dict[str, Schema]:
    """Return the named parts of an object that this schema, or one of its alternatives, describes."""
    found: dict[str, Schema] = {}
    for branch in branches(schema, root):
        named = branch.get("properties")
        if isinstance(named, Mapping):
            found |= {name: part for name, part in named.items() if isinstance(part, Mapping) and name not in found}
    return found


def branches(schema: Schema, root: Schema) -> Iterator[Schema]:
    """Yield the schema and the alternatives that it names, not too many of them: an agent wrote it."""
    return islice(_branches(schema, root, 0), _MOST_BRANCHES)


def _branches(schema: Schema, root: Schema, depth: int) -> Iterator[Schema]:
    if depth > _DEEPEST:
        return
    yield schema
    for name in ("anyOf", "oneOf", "allOf"):
        alternatives = schema.get(name)
        for one in alternatives if isinstance(alternatives, list) else []:
            if isinstance(one, Mapping):
                yield from _branches(one, root, depth + 1)
    referred = _referred(schema.get("$ref"), root)
    if isinstance(referred, Mapping):
        yield from _branches(referred, root, depth + 1)


def kinds(schema: Schema | None, root: Schema) -> set[str]:
    """Return the JSON types a value may have; none when the schema does not say."""
    found: set[str] = set()
    for branch in branches(schema, root) if schema is not None else ():
        kind = branch.get("type")
        found |= {kind} if isinstance(kind, str) else set(kind) if isinstance(kind, list) else set()
        # Pydantic writes a choice of one as a constant, with or without its type.
        if "const" in branch and kind is None:
            found.add(_kind_of(branch["const"]))
    return found


def items(schema: Schema, root: Schema) -> Schema | None:
    """Return the schema of a list's items, when they all have one."""
    for branch in branches(schema, root):
        found = branch.get("items")
        if isinstance(found, Mapping):
            return found
    return None


def encoding(schema: Schema | None, root: Schema) -> str | None:
    """Return how bytes are written where the value stands for bytes: `base64`, or `base64url`; else None."""
    for branch in branches(schema, root) if schema is not None else ():
        said = branch.get("contentEncoding")
        if said in ("base64", "base64url"):
            return str(said)
        if branch.get("format") == "base64url":
            return "base64url"
    return None


def choices(schema: Schema, root: Schema) -> list[Any]:
    """Return the values there are to choose from; none when they are not listed."""
    found: list[Any] = []
    for branch in branches(schema, root):
        listed = branch.get("enum")
        found += listed if isinstance(listed, list) else [branch["const"]] if "const" in branch else []
    return found


def expected(schema: Schema | None) -> str:
    """Return in a few words what a value of this schema is, as far as that can be said so; else nothing."""
    if schema is None:
        return ""
    listed = choices(schema, schema)
    if listed:
        return f"one of: {', '.join(map(shown, listed))}"
    found = kinds(schema, schema)
    if not found or "string" in found:
        return ""
    return "yes or no" if found == {"boolean"} else words(found)


def words(found: set[str]) -> str:
    """Return the names of JSON types, in a fixed order."""
    return " or ".join(WORDS[kind] for kind in WORDS if kind in found and (kind != "string" or len(found) > 1))


def described(schema: Schema, root: Schema, depth: int = 0) -> str:
    """Return the type of a value in a word or two, for a list: `text`, `red|green`, `list of whole number`."""
    listed = choices(schema, root)
    if listed:
        return "|".join(map(shown, listed))
    if encoding(schema, root) is not None:
        return "bytes"
    found = kinds(schema, root)
    parts = [_SHORT[kind] for kind in _SHORT if kind in found]
    parts += [_object(schema, root, depth)] if "object" in found else []
    if "string" in found:
        parts.insert(0, _text(schema, root))
    if "array" in found:
        inner = items(schema, root)
        parts.append("list" if inner is None or depth > 1 else f"list of {described(inner, root, depth + 1)}")
    parts += ["null"] * ("null" in found)
    return _within(schema, root, " or ".join(parts) or "anything")


def example(schema: Schema, root: Schema, depth: int = 0) -> object:
    """Return a value that may well fit."""
    said = [*(schema.get("examples") or []), schema.get("default"), *choices(schema, root)]
    chosen = next((one for one in said if one is not None), None)
    if chosen is not None or depth > 2:
        return chosen
    found = kinds(schema, root)
    if "object" in found:
        return _example_object(schema, root, depth)
    if "array" in found:
        inner = items(schema, root)
        return [] if inner is None else [example(inner, root, depth + 1)]
    kind = next((kind for kind in _EXAMPLES if kind in found), "string")
    least = schema.get("minimum")
    return least if kind in ("integer", "number") and isinstance(least, int | float) else _EXAMPLES[kind]


def _example_object(schema: Schema, root: Schema, depth: int) -> dict[str, object]:
    return {field.name: example(field.schema, root, depth + 1) for field in fields(schema, root) if field.required}


def shown(value: object) -> str:
    """Return a value as it may be typed: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(schema: Schema, root: Schema, depth: int) -> str:
    """Return the names of the parts of an object in a list, those that may be left out in brackets."""
    if depth == 0:
        return "object"
    names = [field.name if field.required else f"[{field.name}]" for field in fields(schema, root)]
    return f"{{{', '.join(names)}}}" if 0 < len(names) <= _MOST_PARTS else "object"


def _needed(schema: Schema, root: Schema) -> set[str]:
    required = (branch.get("required") for branch in branches(schema, root))
    return {name for names in required if isinstance(names, list) for name in names}


def _text(schema: Schema, root: Schema) -> str:
    formats = [branch.get("format") for branch in branches(schema, root)]
    return next((form for form in formats if isinstance(form, str)), "text")


def _within(schema: Schema, root: Schema, text: str) -> str:
    """Return the text with the bounds of a number behind it."""
    for branch in branches(schema, root):
        low, high = branch.get("minimum"), branch.get("maximum")
        if low is not None or high is not None:
            bounds = [f"from {low}"] * (low is not None) + [f"to {high}"] * (high is not None)
            return f"{text} {' '.join(bounds)}"
    return text


def _kind_of(value: object) -> str:
    named: Sequence[tuple[type, str]] = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next((name for kind, name in named if isinstance(value, kind)), "null")


def _referred(reference: object, root: Schema) -> object:
    """Return the part of the schema a local reference names, as Pydantic writes them."""
    prefix = "#/$defs/"
    if not isinstance(reference, str) or not reference.startswith(prefix):
        return None
    definitions = root.get("$defs")
    return definitions.get(reference.removeprefix(prefix)) if isinstance(definitions, Mapping) else None
