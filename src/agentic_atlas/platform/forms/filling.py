"""The fields that say a value, whatever it is: what a form has no place for stands in it as JSON. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.reading import initial_choice, says_nothing
from agentic_atlas.platform.forms.schema import Alternative, Root, Schema, TooLarge
from agentic_atlas.platform.forms.spots import (
    EMPTY,
    JSON,
    MOST_ITEMS,
    MOST_SPOTS,
    NULL,
    Spot,
    whole,
)
from agentic_atlas.platform.forms.times import picked
from agentic_atlas.protocol.caller.values import Json

_AT_ONCE: Final = 16
"""Members, or as many times sixteen characters of names, that are looked at for one piece of work."""
_TYPES: Final = {
    "integer": (int, float, json_text.Numeral),
    "number": (int, float, json_text.Numeral),
    "string": (str,),
    "array": (list, tuple),
    "object": (dict,),
}


class _Misfit(Exception):
    """A place cannot say a value in its own way."""


def fill(schema: Schema, value: Json) -> dict[str, str]:
    """Return the fields of a form that says this value; raises TooLarge."""
    place = whole(schema)
    filling = _Filling(place.root)
    filling.put(place, value)
    return filling.fields


@dataclass
class _Filling:
    root: Root
    fields: dict[str, str] = field(default_factory=dict)
    spots: int = 0

    def put(self, spot: Spot, value: Json) -> None:
        self.spots += 1
        if self.spots > MOST_SPOTS:
            raise TooLarge
        before = dict(self.fields)
        try:
            self._put(spot, value)
        except _Misfit:
            self.fields = before
            self.fields[f"{spot.name}:as"] = JSON
            self.fields[spot.name] = self._written(value, lines=True)

    def _written(self, value: Json, *, lines: bool) -> str:
        text = json_text.written(value, lines=lines)
        self.root.spend(json_text.work(text))
        return text

    def left_out(self, spot: Spot) -> None:
        """Say that a place is left out."""
        if says_nothing(spot):
            return
        if spot.way == "choices":
            self.fields[spot.name] = ""
        elif spot.way == "chosen":
            self.fields[f"{spot.name}:as"] = ""
        else:
            raise _Misfit

    def _put(self, spot: Spot, value: Json) -> None:
        if spot.way == "choices":
            self._choice(spot, value)
        elif spot.way == "filled":
            self._filled(spot, spot.alternatives[0], value)
        elif value is None and spot.nullable:
            self.fields[f"{spot.name}:as"] = NULL
        else:
            self._chosen(spot, value)

    def _choice(self, spot: Spot, value: Json) -> None:
        number = _place(self.root, spot.choices, value)
        if number != initial_choice(spot):
            self.fields[spot.name] = str(number)

    def _chosen(self, spot: Spot, value: Json) -> None:
        """Take the first alternative that says the value without JSON at once within it, else the first that can."""
        able = [number for number, one in enumerate(spot.alternatives) if _is_of(self.root, one, value)]
        before = dict(self.fields)
        for strictly in (True, False):
            for number in able:
                one = spot.alternatives[number]
                if strictly and not _suits(self.root, one, value):
                    continue
                self.root.copied(before)
                self.fields = {**before, f"{spot.name}:as": str(number)}
                try:
                    self._filled(spot, one, value, chosen=True)
                except _Misfit:
                    continue
                return
        raise _Misfit

    def _filled(self, spot: Spot, one: Alternative, value: Json, *, chosen: bool = False) -> None:
        if one.kind == "choices":
            self.fields[f"{spot.name}:one"] = str(_place(self.root, one.choices, value))
        elif one.kind != "any" and not _is_of(self.root, one, value):
            if value is not None or chosen:
                raise _Misfit
            self._empty(spot, NULL)
        elif one.kind == "array":
            self._array(spot, one, value, chosen=chosen)
        elif one.kind == "object":
            self._object(spot, one, value, chosen=chosen)
        elif one.kind == "string":
            self._text(spot, one, value, chosen=chosen)
        else:
            self.fields[spot.name] = self._written(value, lines=one.kind == "any")

    def _empty(self, spot: Spot, how: str) -> None:
        """Say that nothing is filled in, and what that means."""
        if how not in (spot.empties or (EMPTY,)):
            raise _Misfit
        if spot.empties and how != spot.empties[0]:
            self.fields[f"{spot.name}:empty"] = how

    def _text(self, spot: Spot, one: Alternative, text: str, *, chosen: bool) -> None:
        if json_text.HIDDEN.search(text) is not None:
            raise _Misfit
        if not text:
            if not chosen:
                self._empty(spot, EMPTY)
            return
        shown = picked(one.format, text)
        if shown is not None and one.format != "date":
            text, self.fields[f"{spot.name}:zone"] = shown
        self.fields[spot.name] = text

    def _array(self, spot: Spot, one: Alternative, items: list[Json], *, chosen: bool) -> None:
        if len(items) > MOST_ITEMS:
            raise _Misfit
        if not items and not chosen:
            self._empty(spot, EMPTY)
        if len(items) != spot.count({}, one):
            self.fields[f"{spot.name}:n"] = str(len(items))
        for number, value in enumerate(items):
            self.put(spot.item(number, one), value)

    def _object(self, spot: Spot, one: Alternative, parts: dict[str, Json], *, chosen: bool) -> None:
        known = one.properties
        extra = [name for name in parts if name not in known]
        self.root.spend((len(parts) + sum(map(len, extra)) // _AT_ONCE) // _AT_ONCE)
        if (extra and one.extra is None) or len(extra) > MOST_ITEMS or not all(map(_is_name, extra)):
            raise _Misfit
        if not known and not extra and not chosen:
            self._empty(spot, EMPTY)
        for name in known:
            within = spot.property(name, one)
            if name in parts:
                self.put(within, parts[name])
            else:
                self.left_out(within)
        if extra:
            self.fields[f"{spot.name}:n"] = str(len(extra))
        for number, name in enumerate(extra):
            within = spot.named(number, one)
            self.fields[f"{within.name}:key"] = name
            self.put(within, parts[name])


def _is_name(text: str) -> bool:
    """Tell whether a name comes out of a browser's form as it went in."""
    return bool(text) and "\n" not in text and json_text.HIDDEN.search(text) is None


def _place(root: Root, choices: Sequence[Json], value: Json) -> int:
    """Return which of a few choices of the schema a value is."""
    if not choices:
        raise _Misfit
    text = json_text.canonical(value)
    root.spend(json_text.work(text))
    root.copied(choices)
    for number, one in enumerate(choices):
        if root.once(json_text.canonical, one) == text:
            return number
    raise _Misfit


def _is_one(root: Root, choices: Sequence[Json], value: Json) -> bool:
    try:
        return _place(root, choices, value) >= 0
    except _Misfit:
        return False


def _is_of(root: Root, one: Alternative, value: Json) -> bool:
    """Tell whether a value is of the type of an alternative."""
    if one.kind in ("any", "choices"):
        return one.kind == "any" or _is_one(root, one.choices, value)
    return isinstance(value, _TYPES[one.kind]) and not isinstance(value, bool)


def _suits(root: Root, one: Alternative, value: Json) -> bool:
    """Tell whether an alternative is likely to be what is meant by a value that it could say."""
    if one.kind == "integer":
        return isinstance(value, int)
    root.copied(value)
    if one.kind == "array":
        return (
            all(_may_be(root, one.part("items"), item) for item in value)
            if not one.places
            else len(value) == len(one.places)
        )
    if one.kind != "object":
        return True
    known = one.properties
    return (
        all(_tagged(root, one.named(name), part) for name, part in value.items() if name in known)
        and one.needed <= value.keys()
        and (one.open or value.keys() <= known.keys())
    )


def _tagged(root: Root, schema: Schema, part: Json) -> bool:
    """Tell whether a part of an object has one of the values that it has to have."""
    tags = _tags(schema)
    return not tags or _is_one(root, tags, part)


def _tags(schema: Schema) -> list[Json]:
    listed = schema.get("enum")
    return [schema["const"]] if "const" in schema else listed if isinstance(listed, list) else []


def _may_be(root: Root, schema: Schema, value: Json) -> bool:
    """Tell whether a value may be of a schema, as far as its type says at once."""
    kind = schema.get("type")
    return not isinstance(kind, str) or kind not in _TYPES or _is_of(root, Alternative(kind, schema), value)
