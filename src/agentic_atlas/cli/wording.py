"""What a JSON Schema says, in a person's words: what a value is, and one that may well fit. Pure."""

from __future__ import annotations

import json

from agentic_atlas.cli.schema import (
    Schema,
    any_part,
    branches,
    cases,
    choices,
    encoding,
    fields,
    items,
    kinds,
    places,
    properties,
)
from agentic_atlas.protocol.schemas.words import FORMS

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list, in JSON: ",
    "object": "an object, in JSON: ",
    "null": "null",
}
_SHORT = {"integer": "whole number", "number": "number", "boolean": "true|false"}
_EXAMPLES: dict[str, object] = {"string": "TEXT", "integer": 1, "number": 1.5, "boolean": True, "null": None}
_ALSO_NUMBERS = {"date-time", "duration"}
"""Formats whose values may be numbers too: a courtesy to programs, with bounds that tell a person nothing."""
_MOST_PARTS = 6
"""Parts of an object that are named where its type stands."""


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
    return "yes or no" if found == {"boolean"} else words(schema, schema)


def words(schema: Schema | None, root: Schema) -> str:
    """Return what a value of this schema is, in a fixed order of JSON types, with an example where JSON is needed."""
    found = kinds(schema, root)
    told = [_WORDS[kind] for kind in _WORDS if kind in found and kind not in ("array", "object")]
    if "array" in found:
        told.append(_WORDS["array"] + shown(_example_array(schema or {}, root, 0) or ["a", "b"]))
    if "object" in found:
        named = _object(schema or {}, root, 1)
        written = shown(_example_object(schema or {}, root, 0) or {"a": 1})
        told.append((_WORDS["object"] if named == "object" else f"an object {named}, in JSON: ") + written)
    return " or ".join(told)


def described(schema: Schema, root: Schema, depth: int = 0) -> str:
    """Return the type of a value in a word or two, for a list: `text`, `red|green`, `list of whole number`."""
    listed = choices(schema, root)
    if listed:
        return "|".join(map(shown, listed))
    if encoding(schema, root) is not None:
        return "bytes"
    found = _told_kinds(schema, root)
    parts = [_SHORT[kind] for kind in _SHORT if kind in found]
    parts += [_object(schema, root, depth)] if "object" in found else []
    if "string" in found:
        parts.insert(0, _text(schema, root))
    if "array" in found:
        parts.append(_list(schema, root, depth))
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
        return _example_array(schema, root, depth)
    text = _text(schema, root)
    # A decimal that may be a number is typed as one.
    ranked = [kind for kind in _EXAMPLES if kind in found and (kind != "string" or text != "decimal")]
    kind = next(iter(ranked), "string")
    if kind == "string":
        return FORMS.get(text, _EXAMPLES["string"])
    least = schema.get("minimum")
    return least if kind in ("integer", "number") and isinstance(least, int | float) else _EXAMPLES[kind]


def _example_array(schema: Schema, root: Schema, depth: int) -> list[object]:
    own, inner = places(schema, root), items(schema, root)
    one = [inner] if inner is not None and not own else []
    return [example(part, root, depth + 1) for part in (*own, *one)]


def _example_object(schema: Schema, root: Schema, depth: int) -> dict[str, object]:
    first = cases(schema, root)[0]
    needed = {field.name: example(field.schema, root, depth + 1) for field in fields(first, root) if field.required}
    other = any_part(first, root)
    return {"a": example(other, root, depth + 1)} if other is not None and not properties(first, root) else needed


def shown(value: object) -> str:
    """Return a value as it may be typed: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _object(schema: Schema, root: Schema, depth: int) -> str:
    """Return the names of the parts of an object in a list, those that may be left out in brackets."""
    several = cases(schema, root)
    if depth == 0 and len(several) == 1:
        return "object"
    listed = [_parts(one, root) for one in several]
    return "object" if "" in listed else " or ".join(listed)


def _parts(schema: Schema, root: Schema) -> str:
    named = fields(schema, root)
    names = [field.name if field.required else f"[{field.name}]" for field in named]
    return f"{{{', '.join(names)}}}" if 0 < len(names) <= _MOST_PARTS else ""


def _list(schema: Schema, root: Schema, depth: int) -> str:
    inner, own = items(schema, root), places(schema, root)
    if depth > 1 or (inner is None and not own):
        return "list"
    if own:
        return f"[{', '.join(described(one, root, depth + 1) for one in own)}]"
    of_each = described(inner or {}, root, depth + 1)
    return f"list of ({of_each})" if " or " in of_each else f"list of {of_each}"


def _told_kinds(schema: Schema, root: Schema) -> set[str]:
    """Return the JSON types that a person is told of."""
    return {kind for branch in branches(schema, root) for kind in kinds(_told(branch), {})}


def _told(branch: Schema) -> Schema:
    """Return one branch without what it names besides, and without numbers that are a courtesy."""
    own = {name: value for name, value in branch.items() if name in ("type", "const", "enum", "minimum", "maximum")}
    return {"type": "string"} if branch.get("format") in _ALSO_NUMBERS else own


def _text(schema: Schema, root: Schema) -> str:
    formats = [branch.get("format") for branch in branches(schema, root)]
    return next((form for form in formats if isinstance(form, str)), "text")


def _within(schema: Schema, root: Schema, text: str) -> str:
    """Return the text with the bounds of a number behind it."""
    for branch in branches(schema, root):
        low, high = _told(branch).get("minimum"), _told(branch).get("maximum")
        if low is not None or high is not None:
            bounds = [f"from {low}"] * (low is not None) + [f"to {high}"] * (high is not None)
            return f"{text} {' '.join(bounds)}"
    return text
