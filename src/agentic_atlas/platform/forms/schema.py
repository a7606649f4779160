"""What a JSON Schema says a value may be: its alternatives, each with one type. Pure, and bounded: agents write them.

Only what a form can ask for is looked at; whether a value fits is for the server's checker to say. What a form is made
of is looked at once, and all that is done for it is counted (`Root.spend`): a schema of a few kilobytes can have
definitions that stand in hundreds of places.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias, TypeVar

from agentic_atlas.protocol.caller.values import Json

Schema: TypeAlias = Mapping[str, Any]
T = TypeVar("T")
Made = TypeVar("Made")

MOST_ALTERNATIVES: Final = 40
"""Alternatives of one place; of more, none is told from the others, and the value is asked for as JSON."""
MOST_STEPS: Final = 400
"""Schemas that are looked at for the alternatives of one place; with more, the value is asked for as JSON."""
MOST_CHOICES: Final = 1_000
"""Values to choose from in one place; of more, the value is asked for as JSON."""
MOST_WORK: Final = 200_000
"""What may be done to read, to fill or to show one form, in about microseconds; with more, it is JSON as a whole."""
_DEEPEST: Final = 16
_AT_ONCE: Final = 8
"""Members of a list or an object that are copied for one piece of work."""
_DEFINITIONS: Final = ("#/$defs/", "#/definitions/")
_ANNOTATIONS: Final = ("title", "description", "default", "examples")
ANY: Final[Schema] = {}


@dataclass(frozen=True)
class Alternative:
    """One of the things that a value may be.

    Attributes:
        kind: `choices`, `integer`, `number`, `string`, `object`, `array`, or `any`, which is asked for as JSON.
        schema: its own, with what was said around it.
        reference: the definition that it was taken from; empty: none.
    """

    kind: str
    schema: Schema
    reference: str = ""

    @property
    def choices(self) -> Sequence[Json]:
        """The values there are to choose from."""
        return choices(self.schema)

    def part(self, name: str) -> Schema:
        """Return a part of its schema that is a schema; one that takes anything where there is none."""
        return _mapping(self.schema.get(name))

    @property
    def properties(self) -> Mapping[str, object]:
        """The parts that have names, in their author's order; see `named`."""
        return self.part("properties")

    def named(self, name: str) -> Schema:
        """Return the schema of a part with this name."""
        return _mapping(self.properties[name])

    @cached_property
    def needed(self) -> frozenset[str]:
        """Names of the parts that an object has to have."""
        named = self.schema.get("required")
        return frozenset(one for one in named if isinstance(one, str)) if isinstance(named, list) else frozenset()

    @property
    def extra(self) -> Schema | None:
        """Schema of parts with other names; None where there are to be none."""
        said = self.schema.get("additionalProperties")
        patterns = self.part("patternProperties")
        if said is False or said is None:
            only = next(iter(patterns.values())) if len(patterns) == 1 else {}
            return _mapping(only) if patterns else ANY if said is None else None
        return _mapping(said)

    @property
    def open(self) -> bool:
        """Parts with other names are foreseen."""
        said = self.schema.get("additionalProperties")
        return said not in (None, False) or bool(self.part("patternProperties")) or not self.properties

    @cached_property
    def places(self) -> Sequence[Schema]:
        """Schemas of the first items of a list, where each place has its own."""
        found = self.schema.get("prefixItems")
        return [_mapping(one) for one in found] if isinstance(found, list) else []

    @property
    def grows(self) -> bool:
        """A list may have items behind those that have places of their own."""
        most = self.number("maxItems")
        return self.schema.get("items") is not False and (most is None or most > len(self.places))

    def number(self, name: str) -> int | None:
        """Return a limit that is a whole number of zero or more; None where there is none."""
        said = self.schema.get(name)
        return said if isinstance(said, int) and not isinstance(said, bool) and said >= 0 else None

    @property
    def format(self) -> str:
        """What a text is to be written like; `base64` or `base64url` for bytes; empty: not said."""
        said = self.schema.get("contentEncoding", self.schema.get("format"))
        return said if isinstance(said, str) else ""


Found: TypeAlias = tuple[list[Alternative], bool]
"""What a value may be besides null, and whether it may be null."""


class TooLarge(Exception):
    """A form would have too many places, or too many levels, or take too long to make."""


@dataclass
class Root:
    """A whole schema, with what was found out for one form, and what may still be done for that.

    Attributes:
        schema: itself.
        left: what may still be done, see `MOST_WORK`.
        steps: schemas that were looked at for the alternatives of the present place.
    """

    schema: Schema
    left: int = field(default_factory=lambda: MOST_WORK)
    steps: int = 0
    _found: dict[int, tuple[Schema, Found]] = field(default_factory=dict)
    _made: dict[tuple[object, int], tuple[object, Any]] = field(default_factory=dict)

    def spend(self, work: int) -> None:
        """Count what is done; raises TooLarge when it is too much."""
        self.left -= work
        if self.left < 0:
            raise TooLarge

    def copied(self, *members: object) -> None:
        """Count what it takes to go through these lists and objects."""
        self.spend(1 + sum(len(one) for one in members if isinstance(one, list | Mapping)) // _AT_ONCE)

    def once(self, make: Callable[[T], Made], value: T) -> Made:
        """Return what is made of a value of the schema, which may stand in many places."""
        key = make, id(value)
        if key not in self._made:
            self._made[key] = value, make(value)
        made: Made = self._made[key][1]
        return made

    def alternatives(self, schema: Schema) -> Found:
        """Return what a value may be besides null, and whether it may be null; raises TooLarge."""
        known = self._found.get(id(schema))
        if known is None:
            known = self._found[id(schema)] = schema, alternatives(schema, self)
        return known[1]

    def step(self) -> None:
        """Count a schema that is looked at; raises _TooMany."""
        self.spend(1)
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise _TooMany


def alternatives(schema: Schema, root: Root) -> Found:
    """Return what a value may be besides null, and whether it may be null; raises TooLarge."""
    found: list[Alternative] = []
    root.steps = 0
    try:
        for one in _each(schema, root, "", 0):
            found.append(one)
            if len(found) > MOST_ALTERNATIVES:
                raise _TooMany
    except _TooMany:
        return [Alternative("any", schema)], False
    if sum(len(one.choices) for one in found) > MOST_CHOICES:
        return [Alternative("any", schema)], False
    some = [one for one in found if one.kind != "null"]
    return (some or [Alternative("choices", {"const": None})]), 0 < len(some) < len(found)


def choices(schema: Schema) -> Sequence[Json]:
    """Return the values that a schema lists."""
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) and listed else [True, False] if schema.get("type") == "boolean" else []


class _TooMany(Exception):
    """There is more to be looked at than there may be."""


def _each(schema: object, root: Root, reference: str, depth: int) -> Iterator[Alternative]:
    root.step()
    if schema is False:
        return
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        yield Alternative("any", schema if isinstance(schema, Mapping) else ANY, reference)
        return
    schema = _whole(schema, root, depth)
    to = schema.get("$ref")
    if isinstance(to, str):
        target = _target(to, root.schema)
        root.copied(schema, target)
        around = {name: one for name, one in schema.items() if name != "$ref"}
        yield from _each({**target, **around}, root, to, depth + 1)
        return
    listed = schema.get("anyOf", schema.get("oneOf"))
    if isinstance(listed, list) and "properties" not in schema:
        said = {name: one for name, one in schema.items() if name not in ("anyOf", "oneOf", *_ANNOTATIONS)}
        for one in listed[: MOST_ALTERNATIVES + 1]:
            root.copied(said, one)
            yield from _each({**said, **one} if isinstance(one, Mapping) else one, root, reference, depth + 1)
        return
    yield from _typed(schema, root, reference)


def _typed(schema: Schema, root: Root, reference: str) -> Iterator[Alternative]:
    kind = schema.get("type")
    root.copied(*(schema.get(name) for name in ("enum", "required", "prefixItems")))
    if "const" in schema or (isinstance(schema.get("enum"), list) and schema["enum"]):
        only_null = all(one is None for one in choices(schema))
        yield Alternative("null" if only_null else "choices", schema, reference)
    elif isinstance(kind, list):
        for one in kind[:MOST_ALTERNATIVES]:
            root.copied(schema, schema)
            yield Alternative(_kind({**schema, "type": one}), {**schema, "type": one}, reference)
    else:
        yield Alternative(_kind(schema), schema, reference)


def _kind(schema: Schema) -> str:
    said = schema.get("type")
    if said == "boolean":
        return "choices"
    if said in ("null", "integer", "number", "string", "object", "array"):
        return str(said)
    if said is None and not schema.keys().isdisjoint({"properties", "additionalProperties", "patternProperties"}):
        return "object"
    if said is None and not schema.keys().isdisjoint({"items", "prefixItems"}):
        return "array"
    return "any"


def _whole(schema: Schema, root: Root, depth: int) -> Schema:
    """Return a schema with what has to hold besides (`allOf`) in it, as far as that can be said in one."""
    root.step()
    every = schema.get("allOf")
    if not isinstance(every, list) or depth > _DEEPEST:
        return schema
    made: dict[str, Any] = {name: one for name, one in schema.items() if name != "allOf"}
    for one in every[:MOST_ALTERNATIVES]:
        part = _mapping(one)
        to = part.get("$ref")
        if isinstance(to, str):
            root.copied(part, _target(to, root.schema))
            part = {**_target(to, root.schema), **{name: said for name, said in part.items() if name != "$ref"}}
        part = _whole(part, root, depth + 1)
        root.copied(part, made, *(one.get(name) for one in (part, made) for name in ("properties", "required")))
        properties = {**_mapping(part.get("properties")), **_mapping(made.get("properties"))}
        needed = [*_list(made.get("required")), *_list(part.get("required"))]
        made = {**part, **made}
        if properties:
            made["properties"] = properties
        if needed:
            made["required"] = needed
    return made


def _target(to: str, root: Schema) -> Schema:
    if to == "#":
        return {name: one for name, one in root.items() if name not in ("$defs", "definitions")}
    for prefix in _DEFINITIONS:
        if to.startswith(prefix):
            name = to.removeprefix(prefix).replace("~1", "/").replace("~0", "~")
            return _mapping(_mapping(root.get(prefix[2:-1])).get(name))
    return ANY


def _mapping(value: object) -> Schema:
    return value if isinstance(value, Mapping) else ANY


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
