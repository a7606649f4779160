"""The places of a value that a form asks for, and how each is asked. Pure.

A place has a name, which is that of its field, and further fields beside it:

- `NAME:as` which alternative it is, or `null`, or `json`, or nothing: it is left out
- `NAME:empty` what it is where nothing was filled in: `out`, `null` or `empty`
- `NAME:n` how many items, or parts with names of their own, there are
- `NAME:zone` of a date or a time that was picked
- `NAME*1:key` the name of a part that has its own
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from agentic_atlas.platform.forms.json_text import HIDDEN
from agentic_atlas.platform.forms.schema import ANY, Alternative, Root, Schema, TooLarge
from agentic_atlas.protocol.caller.values import Json

Fields: TypeAlias = Mapping[str, str]
"""What a form says."""

INPUT: Final = "input"
"""The field of the whole input."""
DEEPEST: Final = 24
"""Levels of a form; what is deeper is asked for as JSON."""
MOST_SPOTS: Final = 600
"""Places of a form; a value with more is asked for as JSON."""
MOST_ITEMS: Final = 200
"""Items of a list in a form."""
OUT, NULL, EMPTY, JSON = "out", "null", "empty", "json"
_SPECIAL: Final = re.compile(rf"[~/:*\s]|{HIDDEN.pattern}")
_OF_NAME: Final = 64
"""Characters of a name for one piece of work."""
_FILLED_IN: Final = ("integer", "number", "string", "any")


@dataclass(frozen=True)
class Spot:
    """A place in a value.

    Attributes:
        name: of its field.
        schema: as it was declared here.
        required: it may not be left out.
        root: the whole schema, and what may still be done for the form.
        depth: of the place.
        references: definitions that it is within.
    """

    name: str
    schema: Schema
    required: bool
    root: Root
    depth: int = 0
    references: frozenset[str] = frozenset()

    @cached_property
    def _found(self) -> tuple[list[Alternative], bool]:
        return self.root.alternatives(self.schema if self.depth < DEEPEST else ANY)

    @property
    def alternatives(self) -> list[Alternative]:
        """What it may be besides null."""
        return self._found[0]

    @property
    def nullable(self) -> bool:
        """It may be null besides."""
        return self._found[1]

    @cached_property
    def way(self) -> str:
        """How it is asked for: `choices` of a list; `filled`, which may stay empty; `chosen` out of several ways."""
        if all(one.kind == "choices" for one in self.alternatives):
            return "choices"
        only = self.alternatives[0]
        if len(self.alternatives) > 1:
            return "chosen"
        if only.kind in _FILLED_IN or may_be_empty(only):
            return "filled"
        plain = self.required and not self.nullable and only.reference not in self.references
        return "filled" if plain else "chosen"

    @cached_property
    def choices(self) -> Sequence[Json]:
        """The values there are to choose from."""
        self.root.copied(*(one.choices for one in self.alternatives))
        found = [value for one in self.alternatives for value in one.choices]
        return [*found, None] if self.nullable else found

    @cached_property
    def empties(self) -> Sequence[str]:
        """What it can be when nothing is filled in; what it is unless something else is said comes first."""
        only = self.alternatives[0]
        empty = may_be_empty(only) or (only.kind == "string" and not only.format and not only.number("minLength"))
        allowed = ((OUT, not self.required), (NULL, self.nullable), (EMPTY, empty))
        return [word for word, allows in allowed if allows]

    def chosen(self, fields: Fields) -> str:
        """Return which way was chosen for it: the number of an alternative, `null`, or nothing."""
        said = fields.get(f"{self.name}:as")
        if said is None:
            first = self.alternatives[0].reference
            return "0" if self.required and (not first or first not in self.references) else ""
        known = said == NULL and self.nullable
        return said if known or place(said, len(self.alternatives)) is not None else ""

    def as_json(self, fields: Fields) -> bool:
        """Tell whether it stands in the form as JSON."""
        return fields.get(f"{self.name}:as") == JSON

    def blank(self, fields: Fields) -> str:
        """Return what it is as nothing is filled in; `empty` for what can't be left out and may not be empty either."""
        said = fields.get(f"{self.name}:empty", "")
        if said in self.empties:
            return said
        return self.empties[0] if self.empties else EMPTY

    def count(self, fields: Fields, one: Alternative) -> int:
        """Return how many items, or parts with names of their own, there are of it."""
        least = 0 if one.kind == "object" else min(max(one.number("minItems") or 0, len(one.places)), MOST_ITEMS)
        said = fields.get(f"{self.name}:n", "")
        found = int(said) if said.isascii() and said.isdigit() and len(said) < 6 else least
        if found > MOST_ITEMS:
            raise TooLarge
        return found

    def property(self, name: str, one: Alternative) -> "Spot":
        """Return the place of a part with this name."""
        return self._within(f"/{escaped(name)}", one.named(name), one, required=name in one.needed)

    def named(self, number: int, one: Alternative) -> "Spot":
        """Return the place of a part with a name of its own."""
        return self._within(f"*{number}", one.extra or ANY, one)

    def item(self, number: int, one: Alternative) -> "Spot":
        """Return the place of an item, from 0."""
        places = one.places
        return self._within(f"/{number}", places[number] if number < len(places) else one.part("items"), one)

    def _within(self, step: str, schema: Schema, one: Alternative, *, required: bool = True) -> "Spot":
        self.root.spend(1 + (len(self.name) + len(step)) // _OF_NAME)
        references = self.references | {one.reference} if one.reference else self.references
        return Spot(self.name + step, schema, required, self.root, self.depth + 1, references)


def whole(schema: Schema) -> Spot:
    """Return the place of a whole input."""
    return Spot(INPUT, schema, True, Root(schema))


def may_be_empty(one: Alternative) -> bool:
    """Tell whether it is a list, or an object of parts with names of their own, that grows from nothing."""
    if one.kind == "array":
        return not one.places and not one.number("minItems")
    return one.kind == "object" and not one.properties and not one.number("minProperties") and not one.needed


def place(said: str, length: int) -> int | None:
    """Return which of so many is meant; None when it is none of them."""
    return int(said) if said.isascii() and said.isdigit() and len(said) < 6 and int(said) < length else None


def escaped(name: str) -> str:
    """Return a name as a step of a field's name."""
    return _SPECIAL.sub(lambda found: f"~{ord(found[0]):x};", name)
