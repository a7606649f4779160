"""What a JSON Schema says plainly: of which kind a value is, what its parts are called. Pure.

Only what can be told in a few words is looked at; whether a value fits is for the server to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

_DEEPEST = 8
_MOST_BRANCHES = 500


@dataclass(frozen=True)
class SchemaField:
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


def fields(schema: Schema, root: Schema) -> list[SchemaField]:
    """Return what an object is made of, in its author's order."""
    needed = _needed(schema, root)
    return [SchemaField(name, field, name in needed) for name, field in properties(schema, root).items()]


def properties(schema: Schema, root: Schema) -> dict[str, Schema]:
    """Return the named parts of an object that this schema, or one of its alternatives, describes."""
    found: dict[str, Schema] = {}
    for branch in branches(schema, root):
        named = branch.get("properties")
        if isinstance(named, Mapping):
            found |= {name: part for name, part in named.items() if isinstance(part, Mapping) and name not in found}
    return found


def part(schema: Schema | None, root: Schema, name: str) -> Schema | None:
    """Return the schema of an object's part of this name; None when it is not known.

    One schema for names of a pattern counts for every name: patterns are an agent's, and not run here.
    """
    if schema is None:
        return None
    named = properties(schema, root).get(name)
    return named if named is not None else any_part(schema, root)


def any_part(schema: Schema, root: Schema) -> Schema | None:
    """Return the schema of the parts of an object that have no names of their own; None when it is not known."""
    for branch in branches(schema, root):
        patterns = branch.get("patternProperties")
        by_pattern = list(patterns.values()) if isinstance(patterns, Mapping) and len(patterns) == 1 else []
        for one in (branch.get("additionalProperties"), *by_pattern):
            if isinstance(one, Mapping):
                return one
    return None


def cases(schema: Schema, root: Schema) -> list[Schema]:
    """Return the kinds of object that a value can be, each whole; the schema itself where there are not several."""
    found = [one for one in _alternatives(schema, root, set()) if properties(one, root)]
    return found if len(found) > 1 else [schema]


def _alternatives(schema: Schema, root: Schema, seen: set[str]) -> Iterator[Schema]:
    """Yield what a value can be, one of these at a time; each reference is followed once."""
    referred = _referred(schema.get("$ref"), root)
    listed = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(referred, Mapping):
        if schema["$ref"] not in seen:
            yield from _alternatives(referred, root, seen | {schema["$ref"]})
    elif isinstance(listed, list) and "properties" not in schema:
        for one in listed:
            if isinstance(one, Mapping):
                yield from _alternatives(one, root, seen)
    else:
        yield schema


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
        # Pydantic writes choices, and a choice of one as a constant, with or without their type.
        if kind is None:
            found |= {_kind_of(one) for one in _listed(branch)}
    return found


def items(schema: Schema, root: Schema) -> Schema | None:
    """Return the schema of a list's items, when they all have one."""
    for branch in branches(schema, root):
        found = branch.get("items")
        if isinstance(found, Mapping):
            return found
    return None


def places(schema: Schema, root: Schema) -> list[Schema]:
    """Return the schemas of the first items of a list, where each place has its own: of a tuple."""
    for branch in branches(schema, root):
        found = branch.get("prefixItems")
        if isinstance(found, list):
            return [one if isinstance(one, Mapping) else {} for one in found]
    return []


def item(schema: Schema, root: Schema, place: int) -> Schema | None:
    """Return the schema of a list's item at a place, counted from 0; None when it is not known."""
    own = places(schema, root)
    return own[place] if place < len(own) else items(schema, root)


def encoding(schema: Schema | None, root: Schema) -> str | None:
    """Return how bytes are written where the value stands for bytes: `base64`, or `base64url`; else None."""
    for branch in branches(schema, root) if schema is not None else ():
        said = branch.get("contentEncoding")
        if said in ("base64", "base64url"):
            return str(said)
        if branch.get("format") == "base64url":
            return "base64url"
    return None


def choices(schema: Schema, root: Schema) -> list[object]:
    """Return the values there are to choose from; none when they are not listed."""
    found: list[object] = []
    for branch in branches(schema, root):
        found += _listed(branch)
    return found


def _listed(branch: Schema) -> list[object]:
    listed = branch.get("enum")
    return listed if isinstance(listed, list) else [branch["const"]] if "const" in branch else []


def _needed(schema: Schema, root: Schema) -> set[str]:
    required = (branch.get("required") for branch in branches(schema, root))
    return {name for names in required if isinstance(names, list) for name in names}


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
