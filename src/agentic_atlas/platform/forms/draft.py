"""What somebody has filled in so far: fields of a form, or JSON in place of them, which say the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.editing import edited
from agentic_atlas.platform.forms.filling import fill
from agentic_atlas.platform.forms.reading import NOTHING, read
from agentic_atlas.platform.forms.schema import Schema
from agentic_atlas.platform.forms.showing import SkillForm, show
from agentic_atlas.platform.forms.spots import INPUT, Fields, TooLarge
from agentic_atlas.protocol.caller.values import Json

TEXT: Final = "json"
"""The field of an input that is written as JSON."""
_TOO_LARGE: Final = "This input is too large for a form: it is shown as JSON."


@dataclass(frozen=True)
class Draft:
    """What is filled in.

    Attributes:
        fields: of the form.
        text: JSON in place of them; None: there is a form.
        value: what that says; `NOTHING` where it says none.
        faults: why it doesn't, by names of fields; `TEXT` is that of the JSON.
        note: what there is to say to it.
    """

    fields: Fields
    text: str | None = None
    value: Json = NOTHING
    faults: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def form(self, schema: Schema, refused: Mapping[str, str]) -> SkillForm | None:
        """Return the form, with what a server says is wrong, by paths; None when it is JSON, or is too large."""
        if self.text is not None:
            return None
        try:
            return show(schema, self.fields, self.faults, refused)
        except TooLarge:
            return None


def begun(schema: Schema, value: Json = NOTHING, *, as_json: bool = False) -> Draft:
    """Return a draft that says a value; without one, a form in which nothing is filled in."""
    try:
        draft = _of_fields(schema, {} if value is NOTHING else fill(schema, value))
        show(schema, draft.fields, {}, {})
    except TooLarge:
        draft = _of_text(json_text.written({} if value is NOTHING else value, lines=True), _TOO_LARGE)
    return _as_json(draft) if as_json else draft


def continued(schema: Schema, said: Mapping[str, str], do: str) -> Draft:
    """Return what a form says, after what its button does: see `editing`, and `json` and `form` for which it is to be.

    Raises:
        InvalidInput: it has more parts than a form may have.
    """
    if TEXT in said:
        draft = _of_text(said[TEXT].replace("\r\n", "\n"))
        return draft if do != "form" or draft.faults else begun(schema, draft.value)
    fields = {name: value for name, value in said.items() if name.startswith(INPUT)}
    try:
        draft = _of_fields(schema, edited(fields, do))
        show(schema, draft.fields, {}, {})
    except TooLarge:
        raise InvalidInput("the form has more parts than it may have: write the input as JSON") from None
    return draft if do != "json" or draft.faults else _as_json(draft)


def _of_fields(schema: Schema, fields: Fields) -> Draft:
    found = read(schema, fields)
    return Draft(fields, value=found.value, faults=found.faults)


def _of_text(text: str, note: str = "") -> Draft:
    try:
        return Draft({}, text, json_text.parse(text), note=note)
    except InvalidInput as error:
        return Draft({}, text, faults={TEXT: error.message}, note=note)


def _as_json(draft: Draft) -> Draft:
    value = {} if draft.value is NOTHING else draft.value
    return replace(draft, text=json_text.written(value, lines=True), value=value, faults={})
