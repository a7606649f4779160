"""Which value a form says, and where it says none. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.schema import Alternative, Schema, TooLarge
from agentic_atlas.platform.forms.spots import EMPTY, MOST_SPOTS, NULL, OUT, Fields, Spot, place, whole
from agentic_atlas.platform.forms.times import of_picked
from agentic_atlas.protocol.caller.values import Json


class _Nothing:
    """Stands for a value that there is not."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()

_OF_PLACE: Final = 4
"""Work that a place is."""
_UNFILLED: Final = "fill this in, or remove it"


@dataclass
class Read:
    """What a form says.

    Attributes:
        value: of the whole; `NOTHING` when it says none.
        faults: by the name of a field, why it says no value.
    """

    value: Json
    faults: Mapping[str, str]


def read(schema: Schema, fields: Fields) -> Read:
    """Return the value that a form of this schema says; raises TooLarge."""
    reading = _Reading(fields)
    return Read(reading.of(whole(schema)), reading.faults)


def says_nothing(spot: Spot) -> bool:
    """Tell whether a place that no field speaks of is left out."""
    return _Reading({}).of(spot) is NOTHING


@dataclass
class _Reading:
    fields: Fields
    faults: dict[str, str] = field(default_factory=dict)
    spots: int = 0

    def of(self, spot: Spot) -> Json:
        """Return the value of a place; `NOTHING` when it is left out, or at fault."""
        self.spots += 1
        if self.spots > MOST_SPOTS:
            raise TooLarge
        spot.root.spend(_OF_PLACE)
        if spot.as_json(self.fields):
            return self._json(spot)
        if spot.way == "choices":
            return self._choice(spot)
        if spot.way == "filled":
            return self._filled(spot, spot.alternatives[0])
        chosen = spot.chosen(self.fields)
        if chosen in ("", NULL):
            return None if chosen else NOTHING
        return self._filled(spot, spot.alternatives[int(chosen)], chosen=True)

    def _choice(self, spot: Spot) -> Json:
        said = self.fields.get(spot.name)
        number = initial_choice(spot) if said is None else place(said, len(spot.choices))
        return NOTHING if number is None else spot.choices[number]

    def _filled(self, spot: Spot, one: Alternative, *, chosen: bool = False) -> Json:
        if one.kind == "choices":
            number = place(self.fields.get(f"{spot.name}:one", "0"), len(one.choices))
            return NOTHING if number is None else one.choices[number]
        if one.kind == "array":
            return self._array(spot, one, chosen=chosen)
        if one.kind == "object":
            return self._object(spot, one, chosen=chosen)
        text = self.fields.get(spot.name, "").replace("\r\n", "\n")
        if not text if one.kind == "string" else not text.strip():
            return self._blank(spot, "" if one.kind == "string" else NOTHING, chosen=chosen)
        if one.kind == "any":
            return self._json(spot)
        if one.kind == "string":
            zone = self.fields.get(f"{spot.name}:zone")
            return text if zone is None else of_picked(text, zone)
        return self._number(spot, text.strip())

    def _blank(self, spot: Spot, empty: Json, *, chosen: bool) -> Json:
        """Return what a place is in which nothing is filled in."""
        if chosen:
            return empty
        return {OUT: NOTHING, NULL: None, EMPTY: empty}[spot.blank(self.fields)]

    def _number(self, spot: Spot, text: str) -> Json:
        if json_text.NUMBER.fullmatch(text) is None:
            return self._fault(spot, "has to be a number, for instance 12 or -0.5")
        try:
            return json_text.parse(text)
        except InvalidInput:
            return self._fault(spot, "has too many digits")

    def _array(self, spot: Spot, one: Alternative, *, chosen: bool) -> Json:
        count = spot.count(self.fields, one)
        if not count:
            return self._blank(spot, [], chosen=chosen)
        items = [(within, self.of(within)) for within in (spot.item(number, one) for number in range(count))]
        for within, value in items:
            if value is NOTHING and within.name not in self.faults:
                self._fault(within, _UNFILLED)
        return [value for _, value in items if value is not NOTHING]

    def _object(self, spot: Spot, one: Alternative, *, chosen: bool) -> Json:
        count = spot.count(self.fields, one)
        if not count and not one.properties:
            return self._blank(spot, {}, chosen=chosen)
        parts = {name: self.of(spot.property(name, one)) for name in one.properties}
        made = {name: value for name, value in parts.items() if value is not NOTHING}
        for number in range(count):
            within = spot.named(number, one)
            name = self.fields.get(f"{within.name}:key", "")
            value = self.of(within)
            if not name or name in parts or name in made:
                self.faults[f"{within.name}:key"] = "there is another part of this name" if name else "give it a name"
            elif value is not NOTHING:
                made[name] = value
            elif within.name not in self.faults:
                self._fault(within, _UNFILLED)
        return made

    def _json(self, spot: Spot) -> Json:
        text = self.fields.get(spot.name, "")
        spot.root.spend(json_text.work(text))
        try:
            return json_text.parse(text)
        except InvalidInput as error:
            return self._fault(spot, error.message)

    def _fault(self, spot: Spot, why: str) -> Json:
        self.faults[spot.name] = why
        return NOTHING


def initial_choice(spot: Spot) -> int | None:
    """Return which choice is made before anybody makes one: the only one there is, unless it may be left out."""
    choices = spot.choices
    if len(choices) != 1:
        return None
    if spot.required or "default" not in spot.schema:
        return 0 if spot.required else None
    default, only = (spot.root.once(json_text.canonical, one) for one in (spot.schema["default"], choices[0]))
    return 0 if default == only else None
