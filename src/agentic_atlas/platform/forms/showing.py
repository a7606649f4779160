"""A form as a template draws it, one node for each place. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import msgspec

from agentic_atlas.platform.forms import json_text, times
from agentic_atlas.platform.forms.describing import about, example, kind_words
from agentic_atlas.platform.forms.reading import initial_choice
from agentic_atlas.platform.forms.schema import Alternative, Schema, TooLarge
from agentic_atlas.platform.forms.spots import (
    EMPTY,
    JSON,
    MOST_ITEMS,
    MOST_SPOTS,
    NULL,
    OUT,
    Fields,
    Spot,
    may_be_empty,
    place,
    whole,
)
from agentic_atlas.protocol.caller.values import Json

_OF_NODE: Final = 20
"""Work that a place is, besides its texts."""
_OF_OPTION: Final = 5
_NAMED: Final = 10
"""How often a name stands on a page."""
_TEXT: Final = 4
"""Characters that are one piece of work."""
LONG: Final = 120
"""Characters from which on a text may be of several lines."""


class FormOption(msgspec.Struct, frozen=True):
    """One of those that can be chosen."""

    value: str
    label: str
    chosen: bool = False


class FormNode(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a form.

    Attributes:
        kind: how it is drawn: `line`, `lines`, `file`, `pick` (a date or a time), `choice`, `json`, `group` of `parts`,
            `list` of them, or `nothing`, where all is said by which way was chosen.
        name: of its field.
        id: of its element.
        label: for people.
        optional: it may be left out.
        hint: what it is for, what it may be, and what it is unless it is given.
        fault: what is wrong with what was filled in.
        value: what was.
        type: of an `input`.
        keys: which keyboard a telephone shows.
        pattern: what a browser lets pass.
        example: of what can be filled in.
        needed: it can't be empty.
        options: to choose from.
        ways: what it may be, to choose from.
        empties: what it is when it is empty, to choose from.
        zones: of a time, to choose from.
        parts: of it.
        count: how many items there are of it; None: it has none.
        grows: there may be one more.
        item: it can be removed from the list that it is in.
        key: name of a part that has its own; None: it has none.
        key_fault: what is wrong with that.
    """

    kind: str
    name: str
    id: str
    label: str
    optional: bool = False
    hint: str = ""
    fault: str = ""
    value: str = ""
    type: str = "text"
    keys: str = ""
    pattern: str = ""
    example: str = ""
    needed: bool = False
    options: Sequence[FormOption] = ()
    ways: Sequence[FormOption] = ()
    empties: Sequence[FormOption] = ()
    zones: Sequence[FormOption] = ()
    parts: Sequence["FormNode"] = ()
    count: int | None = None
    grows: bool = False
    item: bool = False
    key: str | None = None
    key_fault: str = ""


class SkillForm(msgspec.Struct, frozen=True):
    """A form.

    Attributes:
        parts: of the input.
        faults: what is wrong with it that no part of the form is the place of.
    """

    parts: Sequence[FormNode]
    faults: Sequence[str]


def show(schema: Schema, fields: Fields, faults: Mapping[str, str], refused: Mapping[str, str]) -> SkillForm:
    """Return a form with these fields.

    Args:
        schema: of the input.
        fields: what is filled in.
        faults: by names of fields, see `reading.Read`.
        refused: by paths in the value, as JSON Pointer (RFC 6901), what the server says is wrong with it.

    Raises:
        TooLarge: there would be too many places.
    """
    showing = _Showing(fields, faults, refused)
    top = showing.node(whole(schema), "Input", "")
    rest = [f"{path}: {why}" if path else why for path, why in refused.items() if path not in showing.told]
    own = [] if not top.fault else [top.fault]
    plain = top.kind == "group" and not top.ways
    return SkillForm(top.parts if plain else [top], [*(own if plain else []), *rest])


@dataclass
class _Showing:
    fields: Fields
    faults: Mapping[str, str]
    refused: Mapping[str, str]
    told: set[str] = field(default_factory=set)
    spots: int = 0

    def node(self, spot: Spot, label: str, path: str, *, item: bool = False, key: str | None = None) -> FormNode:
        self.spots += 1
        if self.spots > MOST_SPOTS:
            raise TooLarge
        self.told.add(path)
        said = {
            "name": spot.name,
            "id": quote(spot.name, safe="/*"),
            "label": label,
            "optional": not spot.required,
            "hint": about(spot),
            "fault": self.faults.get(spot.name) or self.refused.get(path, ""),
            "value": self.fields.get(spot.name, ""),
            "ways": self._ways(spot),
            "item": item,
            "key": key,
            "key_fault": self.faults.get(f"{spot.name}:key", ""),
        }
        node = msgspec.convert({**said, **self._drawn(spot, label, path)}, FormNode)
        options = [*node.options, *node.ways, *node.empties, *node.zones]
        texts = len(node.hint) + sum(len(one.label) for one in options)
        spot.root.spend(_OF_NODE + _OF_OPTION * len(options) + (_NAMED * len(node.name) + texts) // _TEXT)
        return node

    def _drawn(self, spot: Spot, label: str, path: str) -> dict[str, object]:
        if spot.as_json(self.fields):
            return {"kind": "json"}
        if spot.way == "choices":
            return {"kind": "choice", "options": self._options(spot)}
        if spot.way == "filled":
            return {"empties": self._empties(spot), **self._filled(spot, spot.alternatives[0], label, path)}
        chosen = spot.chosen(self.fields)
        if chosen in ("", NULL):
            return {"kind": "nothing"}
        return self._filled(spot, spot.alternatives[int(chosen)], label, path)

    def _filled(self, spot: Spot, one: Alternative, label: str, path: str) -> dict[str, object]:
        if one.kind == "choices":
            chosen = place(self.fields.get(f"{spot.name}:one", "0"), len(one.choices))
            options = [
                FormOption(str(number), spot.root.once(words, value), number == chosen)
                for number, value in enumerate(one.choices)
            ]
            return {"kind": "choice", "name": f"{spot.name}:one", "options": options}
        if one.kind == "array":
            return self._array(spot, one, label, path)
        if one.kind == "object":
            return self._object(spot, one, path)
        if one.kind == "any":
            return {"kind": "json", "example": '{"name": "Ada"}'}
        if one.kind == "string":
            return self._text(spot, one)
        return {
            "kind": "line",
            "keys": "numeric" if one.kind == "integer" else "decimal",
            "pattern": r"\s*-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][\-+]?[0-9]+)?\s*",
            "needed": spot.way == "chosen" or not spot.empties,
            "example": example(spot, one),
        }

    def _text(self, spot: Spot, one: Alternative) -> dict[str, object]:
        value = self.fields.get(spot.name, "")
        if one.format in ("base64", "base64url"):
            return {"kind": "file", "type": one.format}
        needed = bool(one.format or one.number("minLength")) and (spot.way == "chosen" or not spot.empties)
        said: dict[str, object] = {"kind": "line", "needed": needed, "example": example(spot, one)}
        zone = self.fields.get(f"{spot.name}:zone")
        if one.format in times.PICKED and self._is_picked(one.format, value, zone):
            said |= {"kind": "pick", "type": times.PICKED[one.format], "example": ""}
            if one.format != "date":
                said["zones"] = [FormOption(each, each or "no zone", each == (zone or "")) for each in times.ZONES]
                if zone is None:
                    said["zones"] = [FormOption(each, each or "no zone", each == "Z") for each in times.ZONES]
            return said
        most = one.number("maxLength")
        if "\n" in value or not (one.format or one.number("minLength") or (most is not None and most < LONG)):
            said["kind"] = "lines"
        said["keys"] = {"email": "email", "uri": "url"}.get(one.format, "")
        return said

    @staticmethod
    def _is_picked(form: str, value: str, zone: str | None) -> bool:
        if not value:
            return True
        return times.picked(form, value) is not None if form == "date" else zone is not None

    def _array(self, spot: Spot, one: Alternative, label: str, path: str) -> dict[str, object]:
        count = spot.count(self.fields, one)
        fixed = len(one.places)
        parts = [
            self.node(spot.item(number, one), f"{label} {number + 1}", f"{path}/{number}", item=number >= fixed)
            for number in range(count)
        ]
        most = min(one.number("maxItems") or MOST_ITEMS, MOST_ITEMS)
        return {"kind": "list", "parts": parts, "count": count, "grows": one.grows and count < most}

    def _object(self, spot: Spot, one: Alternative, path: str) -> dict[str, object]:
        parts = [self.node(spot.property(name, one), name, f"{path}/{_step(name)}") for name in one.properties]
        count = spot.count(self.fields, one)
        for number in range(count):
            within = spot.named(number, one)
            name = self.fields.get(f"{within.name}:key", "")
            parts.append(self.node(within, name or f"part {number + 1}", f"{path}/{_step(name)}", item=True, key=name))
        listed = bool(count) or one.open
        return {
            "kind": "group",
            "parts": parts,
            "count": count if listed else None,
            "grows": one.open and one.extra is not None and count < MOST_ITEMS,
        }

    def _options(self, spot: Spot) -> list[FormOption]:
        said = self.fields.get(spot.name)
        chosen = initial_choice(spot) if said is None else place(said, len(spot.choices))
        each = [
            FormOption(str(number), spot.root.once(words, value), number == chosen)
            for number, value in enumerate(spot.choices)
        ]
        if spot.required and len(each) == 1:
            return each
        return [FormOption("", _left_out(spot) if not spot.required else "Choose…", chosen is None), *each]

    def _ways(self, spot: Spot) -> list[FormOption]:
        if spot.as_json(self.fields):
            return [FormOption("", "Form"), FormOption(JSON, "JSON", chosen=True)]
        if spot.way != "chosen":
            return []
        chosen = spot.chosen(self.fields)
        found = [FormOption("", "Choose…" if spot.required else _left_out(spot), chosen == "")]
        if spot.nullable:
            found.append(FormOption(NULL, "null", chosen == NULL))
        named = [kind_words(spot.root, one) for one in spot.alternatives]
        return [*found, *(FormOption(str(number), name, chosen == str(number)) for number, name in enumerate(named))]

    def _empties(self, spot: Spot) -> list[FormOption]:
        if len(spot.empties) < 2 or (
            self.fields.get(f"{spot.name}:n", "0") != "0" and may_be_empty(spot.alternatives[0])
        ):
            return []
        empty = {"array": "an empty list", "object": "an empty object"}.get(spot.alternatives[0].kind, "an empty text")
        named = {OUT: "left out", NULL: "null", EMPTY: empty}
        chosen = spot.blank(self.fields)
        return [FormOption(word, named[word], word == chosen) for word in spot.empties]


def words(value: Json) -> str:
    """Return a value to choose in words."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return (
        value if isinstance(value, str) and value and not json_text.HIDDEN.search(value) else json_text.written(value)
    )


def _left_out(spot: Spot) -> str:
    if "default" not in spot.schema:
        return "Left out"
    default = spot.root.once(words, spot.schema["default"])
    return f"Left out: {default}" if len(default) <= 40 else "Left out"


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
