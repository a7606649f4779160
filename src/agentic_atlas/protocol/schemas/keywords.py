"""The keywords of JSON Schema 2020-12 that hold schemas, and the one form in which one schema may refer to another.

A validator follows references by pointer, percent-encoded, by anchor, by `$id`, dynamically. Each kind that
a count does not follow just as the validator does costs nothing in it, so one plain form is taken and no other: a
definition beside the root, by its name.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias

from agentic_atlas.errors import InvalidInput

SCHEMA_BYTES: Final = 64 * 1024
"""Longest schema that a registration or a question may hold."""

Node: TypeAlias = Mapping[str, object]
"""A schema that is an object; `true` and `false` cost nothing."""


class SchemaRefused(InvalidInput):
    """A schema that is not taken.

    Attributes:
        problem: what is wrong.
        fix: what to do about it.
    """

    default_code = "invalid_schema"

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}; {fix}")
        self.problem = problem
        self.fix = fix


AppliedTo: TypeAlias = Literal["here", "below", "aside"]
"""To what a schema within a schema is applied: the same value, a value within it, or nothing unless referred to."""

_ONE: Final[dict[str, AppliedTo]] = {
    **dict.fromkeys(("not", "if", "then", "else"), "here"),
    **dict.fromkeys(("items", "contains", "additionalProperties", "propertyNames"), "below"),
    **dict.fromkeys(("unevaluatedItems", "unevaluatedProperties", "additionalItems"), "below"),
    "contentSchema": "aside",
}
_LIST: Final[dict[str, AppliedTo]] = {**dict.fromkeys(("allOf", "anyOf", "oneOf"), "here"), "prefixItems": "below"}
_MAP: Final[dict[str, AppliedTo]] = {
    **dict.fromkeys(("dependentSchemas", "dependencies"), "here"),
    **dict.fromkeys(("properties", "patternProperties"), "below"),
    **dict.fromkeys(("$defs", "definitions"), "aside"),
}
"""`definitions`, `dependencies` and `additionalItems` are of older drafts; validators still look at some of them."""

_OTHER_REFERENCES: Final = ("$id", "$anchor", "$dynamicAnchor", "$dynamicRef", "$recursiveAnchor", "$recursiveRef")
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_PLAIN: Final = re.compile(r"#/\$defs/([A-Za-z0-9._-]+)")
_WRITE: Final = 'put it into "$defs" at the root and write "$ref": "#/$defs/Name" (letters, digits, ".", "_", "-")'


def within(node: Node) -> list[tuple[str, AppliedTo, Node]]:
    """Return the schemas that stand in this one, with the keyword of each; what a reference leads to is not among
    them.
    """
    found: list[tuple[str, AppliedTo, Node]] = []
    for keyword, value in node.items():
        if keyword in _ONE:
            parts, place = [value], _ONE[keyword]
        elif keyword in _LIST and isinstance(value, list):
            parts, place = value, _LIST[keyword]
        elif keyword in _MAP and isinstance(value, Mapping):
            parts, place = list(value.values()), _MAP[keyword]
        else:
            continue
        found += [(keyword, place, part) for part in parts if isinstance(part, Mapping)]
    return found


def changed(node: Node, change: Callable[[object], object]) -> dict[str, object]:
    """Return the schema with this change made to each that stands in it."""
    made: dict[str, object] = {}
    for keyword, value in node.items():
        if keyword in _ONE:
            made[keyword] = change(value)
        elif keyword in _LIST and isinstance(value, list):
            made[keyword] = [change(part) for part in value]
        elif keyword in _MAP and isinstance(value, Mapping):
            made[keyword] = {name: change(part) for name, part in value.items()}
        else:
            made[keyword] = value
    return made


def and_also(node: dict[str, object], *others: object) -> dict[str, object]:
    """Return the schema, which takes from now on only what these take as well."""
    held = node.get("allOf")
    return {**node, "allOf": [*(held if isinstance(held, list) else ()), *others]}


def definitions(root: object) -> Mapping[str, object]:
    """Return what can be referred to, by name."""
    found = root.get("$defs") if isinstance(root, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def target(node: Node, known: Mapping[str, object]) -> Node | None:
    """Return what the schema refers to; None when it refers to nothing, or to `true` or `false`.

    Raises:
        SchemaRefused: it refers in a form that is not taken, or to what is not there.
    """
    if "$ref" not in node:
        return None
    reference = node["$ref"]
    plain = _PLAIN.fullmatch(reference) if isinstance(reference, str) else None
    if plain is None:
        raise SchemaRefused(f"its schema refers to {_shown(reference)}", _WRITE)
    if plain[1] not in known:
        raise SchemaRefused(
            f'its schema refers to {_shown(reference)}, which "$defs" at its root does not hold', _WRITE
        )
    found = known[plain[1]]
    return found if isinstance(found, Mapping) else None


def check_form(node: Node, *, root: bool) -> None:
    """Refuse a schema that other schemas could refer to by other means, or that is of another draft."""
    for keyword in _OTHER_REFERENCES:
        if keyword in node:
            raise SchemaRefused(f'its schema holds "{keyword}"', _WRITE)
    if "$vocabulary" in node or ("$schema" in node and not (root and node["$schema"] in (_DIALECT, f"{_DIALECT}#"))):
        raise SchemaRefused("its schema names a dialect of JSON Schema", f'leave "$schema" out: it is {_DIALECT}')


def _shown(reference: object) -> str:
    text = str(reference)
    return f'"{text[:100]}…"' if len(text) > 100 else f'"{text}"'
