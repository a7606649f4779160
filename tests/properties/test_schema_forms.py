"""A form of a page says exactly the value that it was made of, whatever the schema and whatever the value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.platform.forms import json_text
from agentic_atlas.platform.forms.filling import fill
from agentic_atlas.platform.forms.reading import read
from agentic_atlas.platform.forms.schema import Alternative, Root, Schema, alternatives
from agentic_atlas.platform.forms.spots import MOST_ITEMS, TooLarge
from agentic_atlas.sdk.agent import skills_of
from tests.form_zoo import SAMPLES, agent

SCHEMAS: dict[str, Schema] = {name: msgspec.json.decode(spec.input_schema) for name, spec in agent.skills.items()}
TEXTS = st.text(max_size=12) | st.sampled_from(
    ["", "a\nb", "\n", "\r\n", "\x00", "\u202e", " ", "2026-11-30", "PT1S", "null"]
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
MOMENTS = st.sampled_from(["2026-11-30", "18:05:00Z", "2026-11-30T18:05:00+05:45", "2026-11-30T18:05:00", "x", ""])


@cache
def of_schema(name: str) -> st.SearchStrategy[Any]:
    return fitting(SCHEMAS[name], SCHEMAS[name])


def fitting(schema: Schema, root: Schema, depth: int = 0) -> st.SearchStrategy[Any]:
    """Give values that are about what a schema says, and now and then others."""
    found, nullable = alternatives(schema, Root(root))
    each = [of_alternative(one, root, depth) for one in found]
    return st.one_of(*each, *([st.none()] if nullable else []), *([VALUES] if depth > 2 else []))


def of_alternative(one: Alternative, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    if depth > 3:
        return SCALARS
    plain = {"integer": st.integers(), "number": NUMBERS, "string": MOMENTS if one.format else TEXTS, "any": VALUES}
    match one.kind:
        case "choices":
            return st.sampled_from(list(one.choices))
        case "array":
            places = [fitting(place, root, depth + 1) for place in one.places]
            rest = st.lists(fitting(one.part("items"), root, depth + 1), max_size=3)
            return st.builds(lambda first, more: [*first, *more], st.tuples(*places), rest)
        case "object":
            return of_object(one, root, depth + 1)
    return plain[one.kind]


def of_object(one: Alternative, root: Schema, depth: int) -> st.SearchStrategy[Any]:
    named = {name: fitting(part, root, depth) for name, part in one.properties.items()}
    needed = {name: value for name, value in named.items() if name in one.needed}
    parts = st.fixed_dictionaries(needed, optional={name: v for name, v in named.items() if name not in needed})
    if not one.open or one.extra is None:
        return parts
    extra = st.dictionaries(TEXTS, fitting(one.extra, root, depth), max_size=2)
    return st.builds(lambda first, more: {**more, **first}, parts, extra)


def sent(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what comes of fields that a browser shows and sends: it has its own line breaks."""
    shown = {name: value.replace("\n", "\r\n") for name, value in fields.items()}
    return dict(parse_qsl(urlencode(shown), keep_blank_values=True))


def through(schema: Schema, value: Any) -> Any:
    found = read(schema, sent(fill(schema, value)))
    assert found.faults == {}
    return json.loads(json_text.written(found.value))


@pytest.mark.parametrize("name", SCHEMAS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_what_a_form_says_is_the_value_that_it_was_filled_in_with(name: str, data: st.DataObject) -> None:
    value = data.draw(of_schema(name))
    assert json_text.canonical(through(SCHEMAS[name], value)) == json_text.canonical(
        json.loads(json_text.written(value))
    )


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(list(SCHEMAS)), value=VALUES)
def test_a_value_that_does_not_fit_at_all_stands_in_the_form_as_it_is(name: str, value: Any) -> None:
    assert json_text.canonical(through(SCHEMAS[name], value)) == json_text.canonical(
        json.loads(json_text.written(value))
    )


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in SAMPLES for value in SAMPLES[name]])
def test_inputs_of_real_signatures_come_out_of_their_forms_and_are_taken(name: str, value: Any) -> None:
    said = through(SCHEMAS[name], value)
    assert json_text.canonical(said) == json_text.canonical(value)
    text = json_text.written(said).encode()
    assert Validator(bytes(agent.skills[name].input_schema)).fits(msgspec.json.decode(text))
    skills_of(agent)[name].signature.read_input(text, name)


def test_there_are_as_many_signatures_as_there_are_to_be() -> None:
    assert len(SCHEMAS) >= 40
    assert SAMPLES.keys() == SCHEMAS.keys()


SCHEMA_TEXTS = st.recursive(
    st.sampled_from(
        [True, False, {}, {"type": "string"}, {"type": ["integer", "null"]}, {"$ref": "#/$defs/a"}, {"$ref": "#"}]
    )
    | st.fixed_dictionaries({"enum": st.lists(SCALARS, max_size=3)})
    | VALUES,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "number", 5, ["object", "null"]]),
            "properties": st.dictionaries(TEXTS, inner, max_size=2),
            "required": st.lists(TEXTS, max_size=2),
            "additionalProperties": inner,
            "items": inner,
            "prefixItems": st.lists(inner, max_size=2),
            "minItems": st.integers(-1, 3),
            "anyOf": st.lists(inner, max_size=3),
            "allOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "default": SCALARS,
        },
    ),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMA_TEXTS.filter(lambda one: isinstance(one, dict)), value=VALUES)
def test_any_schema_has_a_form_of_any_value_or_is_too_large_for_one(schema: Schema, value: Any) -> None:
    try:
        assert json_text.canonical(through(schema, value)) == json_text.canonical(json.loads(json_text.written(value)))
    except TooLarge:
        assert "$ref" in json.dumps(schema)


def test_a_form_is_bounded() -> None:
    wide: Schema = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(700)}}
    with pytest.raises(TooLarge):
        read(wide, {})
    listed: Schema = {"type": "array", "items": {"type": "string"}}
    with pytest.raises(TooLarge):
        read(listed, {"input:n": str(MOST_ITEMS + 1)})
    assert read(listed, {"input:n": "9" * 50}).value == []
