"""A form and the JSON beside it say the same, and what is no value yet is not lost on the way."""

from __future__ import annotations

import pytest

from agentic_atlas.errors import InvalidInput
from agentic_atlas.platform.forms.draft import begun, continued
from agentic_atlas.platform.forms.reading import NOTHING
from agentic_atlas.platform.forms.schema import Schema

SCHEMA: Schema = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "of": {"$ref": "#"}},
    "required": ["n"],
}
WIDE: Schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(700)}}


def test_a_form_becomes_json_and_json_a_form() -> None:
    as_json = continued(SCHEMA, {"input/n": "1.50"}, "json")
    assert (as_json.text, as_json.form(SCHEMA, {})) == ('{\n  "n": 1.50\n}', None)
    again = continued(SCHEMA, {"json": as_json.text or ""}, "form")
    assert (again.text, again.fields) == (None, {"input/n": "1.50"})


def test_what_is_at_fault_stays_where_it_can_be_mended() -> None:
    form = continued(SCHEMA, {"input/n": "many"}, "json")
    assert (form.text, list(form.faults)) == (None, ["input/n"])
    text = continued(SCHEMA, {"json": '{"n": 1, "n": 2}'}, "form")
    assert (text.text, text.value) == ('{"n": 1, "n": 2}', NOTHING)
    assert "there twice" in text.faults["json"]


def test_what_is_wrong_is_told_beside_the_part_that_it_means_and_else_above_the_form() -> None:
    form = begun(SCHEMA, {"n": 1}).form(SCHEMA, {"/n": "is too small", "/of/n": "is missing", "": "is odd"})
    assert form is not None
    assert [part.fault for part in form.parts] == ["is too small", ""]
    assert form.faults == ["is odd", "/of/n: is missing"]


def test_what_is_too_large_for_a_form_is_json() -> None:
    draft = begun(WIDE, {"p1": "x"})
    assert draft.text is not None
    assert draft.note
    with pytest.raises(InvalidInput, match="write the input as JSON"):
        continued(WIDE, {"input/p1": "x"}, "show")


def test_what_contains_itself_opens_level_by_level() -> None:
    form = begun(SCHEMA).form(SCHEMA, {})
    assert form is not None
    assert form.parts[1].parts == ()
    opened = continued(SCHEMA, {"input/of:as": "0"}, "show").form(SCHEMA, {})
    assert opened is not None
    assert [part.name for part in opened.parts[1].parts] == ["input/of/n", "input/of/of"]
