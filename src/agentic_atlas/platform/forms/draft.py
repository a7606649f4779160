"""What somebody has filled in so far: fields of a form, or JSON in place of them, which say the same. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.editing import edited
from agentic_atlas.platform.forms.filling import fill
from agentic_atlas.platform.forms.reading import NOTHING, read
from agentic_atlas.platform.forms.schema import Schema, TooLarge
from agentic_atlas.platform.forms.showing import SkillForm, show
from agentic_atlas.platform.forms.spots import INPUT, Fields
from agentic_atlas.platform.readable import readable
from agentic_atlas.protocol.caller.values import Json
from agentic_atlas.protocol.codec import CONTAINERS, ProtocolError, check_payload
from agentic_atlas.protocol.messages import Limits

TEXT: Final = "json"
"""The field of an input that is written as JSON."""
MOST_SHOWN: Final = 512 * 1024
"""Characters of an input that is shown to be changed."""
_TOO_LARGE: Final = "This input is too large for a form: it is shown as JSON."
TOO_LONG: Final = (
    "This input is too long to be shown here: it can be run as it is, or sent from a file (see the calls)."
)
_LIMITS: Final = Limits()


@dataclass(frozen=True)
class Draft:
    """What is filled in.

    Attributes:
        fields: of the form.
        text: JSON in place of them; None: there is a form.
        value: what that says; `NOTHING` where it says none.
        faults: why it doesn't, by names of fields; `TEXT` is that of the JSON.
        note: what there is to say to it.
        made: the form, while no server says that something is wrong; None: it is JSON, or too large.
        unread: the text has more values than are read here, or is longer than is shown: it is sent as it is.
    """

    fields: Fields
    text: str | None = None
    value: Json = NOTHING
    faults: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    made: SkillForm | None = None
    unread: bool = False

    @property
    def long(self) -> bool:
        """It is not shown again."""
        return (sum(map(len, self.fields.values())) if self.text is None else len(self.text)) > MOST_SHOWN

    def input(self) -> bytes | None:
        """Return what is to be sent; None where nothing is said, or something is at fault."""
        if self.unread and not self.faults:
            return (self.text or "").encode()
        return None if self.faults or self.value is NOTHING else json_text.written(self.value).encode()

    def form(self, schema: Schema, refused: Mapping[str, str]) -> SkillForm | None:
        """Return the form, with what a server says is wrong, by paths; None when it is JSON, or is too large."""
        if self.text is not None or not refused:
            return self.made
        try:
            return show(schema, self.fields, self.faults, refused)
        except TooLarge:
            return None


def begun(schema: Schema, value: Json = NOTHING, *, as_json: bool = False) -> Draft:
    """Return a draft that says a value; without one, a form in which nothing is filled in."""
    try:
        draft = _of_fields(schema, {} if value is NOTHING else fill(schema, value))
    except TooLarge:
        draft = _of_text(_lines({} if value is NOTHING else value), _TOO_LARGE)
    return _as_json(draft) if as_json else draft


def resumed(schema: Schema, text: str) -> Draft:
    """Return a draft that says what a JSON text says, which stays a text where no form can be made of it."""
    draft = _of_text(text)
    return draft if draft.faults or draft.unread else begun(schema, draft.value)


def continued(schema: Schema, said: Mapping[str, str], do: str) -> Draft:
    """Return what a form says, after what its button does: see `editing`, and `json` and `form` for which it is to be.

    Raises:
        InvalidInput: it has more parts than a form may have.
    """
    if TEXT in said:
        draft = _of_text(said[TEXT].replace("\r\n", "\n"))
        return draft if do != "form" or draft.faults or draft.unread else begun(schema, draft.value)
    fields = edited({name: value for name, value in said.items() if name.startswith(INPUT)}, do)
    try:
        draft = _of_fields(schema, fields)
    except TooLarge:
        raise InvalidInput("the form has more parts than it may have: write the input as JSON") from None
    return draft if do != "json" or draft.faults else _as_json(draft)


def _of_fields(schema: Schema, fields: Fields) -> Draft:
    found = read(schema, fields)
    return Draft(fields, value=found.value, faults=found.faults, made=show(schema, fields, found.faults, {}))


def _of_text(text: str, note: str = "") -> Draft:
    if len(text) > MOST_SHOWN or not readable(text):
        return _unread(text)
    try:
        return Draft({}, text, json_text.parse(text), note=note)
    except InvalidInput as error:
        return Draft({}, text, faults={TEXT: error.message}, note=note)


def _unread(text: str) -> Draft:
    note = TOO_LONG if len(text) > MOST_SHOWN else _TOO_LARGE
    try:
        check_payload(text.encode(), _LIMITS.depth, CONTAINERS)
    except ProtocolError as error:
        return Draft({}, text, faults={TEXT: error.message}, note=note, unread=True)
    return Draft({}, text, note=note, unread=True)


def _lines(value: Json) -> str:
    """Write a value in lines, unless it is so deep that they would be long: those are mostly spaces."""
    lines = json_text.written(value, lines=True)
    return lines if len(lines) <= MOST_SHOWN else json_text.written(value)


def _as_json(draft: Draft) -> Draft:
    value = {} if draft.value is NOTHING else draft.value
    return replace(draft, text=_lines(value), value=value, faults={}, made=None)
