from __future__ import annotations

from typing import Any

import pytest

from agentic_atlas.cli.explain import call, of_skill
from agentic_atlas.cli.schema import branches, cases
from agentic_atlas.cli.wording import described
from agentic_atlas.protocol.caller.agents import SkillInfo
from agentic_atlas.protocol.messages import Delivery, Policy
from tests.shown import filled

LINE = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "price": {"type": "number", "minimum": 0}, "rate": {"type": "string"}},
    "required": ["text", "price"],
}
CAT = {
    "type": "object",
    "properties": {"kind": {"const": "cat", "type": "string"}, "lives": {"type": "integer"}},
    "required": ["kind", "lives"],
}
DOG = {
    "type": "object",
    "properties": {"kind": {"const": "dog", "type": "string"}, "name": {"type": "string"}},
    "required": ["kind"],
}
PET = {"oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}], "discriminator": {"propertyName": "kind"}}
DECIMAL = {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]}
INSTANT = {"type": ["string", "number"], "format": "date-time", "minimum": -62135596800000, "maximum": 253402300799999}
ROOT = {
    "$defs": {
        "Line": LINE,
        "Cat": CAT,
        "Dog": DOG,
        "Round": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Round"}}},
    }
}


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "string"}, "text"),
        ({"type": "string", "format": "date-time"}, "date-time"),
        (INSTANT, "date-time"),
        ({"anyOf": [INSTANT, {"type": "null"}]}, "date-time or null"),
        (INSTANT | {"format": "duration"}, "duration"),
        ({"type": ["string", "number"], "minimum": 0}, "text or number from 0"),
        ({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]}, "[whole number, text]"),
        ({"type": "array", "items": PET}, "list of ({kind, lives} or {kind, [name]})"),
        (PET, "{kind, lives} or {kind, [name]}"),
        ({"anyOf": [PET, {"type": "null"}]}, "{kind, lives} or {kind, [name]} or null"),
        ({"type": "string", "contentEncoding": "base64"}, "bytes"),
        ({"type": "integer", "minimum": 1, "maximum": 5}, "whole number from 1 to 5"),
        ({"type": "boolean"}, "true|false"),
        ({"enum": ["red", "blue", 3]}, "red|blue|3"),
        ({"const": "cat"}, "cat"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "whole number or null"),
        ({"type": "array", "items": {"type": "number"}}, "list of number"),
        ({"type": "array", "items": {"$ref": "#/$defs/Line"}}, "list of {text, price, [rate]}"),
        ({"type": "array"}, "list"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "object"),
        ({"$ref": "#/$defs/Round"}, "object"),
        ({}, "anything"),
        ({"type": 7, "enum": "x", "anyOf": "y", "$ref": 1, "properties": []}, "anything"),
    ],
)
def test_a_type_is_said_in_a_word_or_two(schema: dict[str, Any], words: str) -> None:
    assert described(schema, ROOT) == words


def skill(properties: dict[str, Any], *required: str, **more: Any) -> SkillInfo:
    schema = ROOT | {"type": "object", "properties": properties, "required": list(required)}
    return filled(SkillInfo, name="do", input_schema=schema, **more)


@pytest.mark.parametrize(
    ("properties", "required", "command"),
    [
        ({}, (), "atlas call a do"),
        ({"name": {"type": "string"}}, ("name",), "atlas call a do name=TEXT"),
        ({"name": {"type": "string", "examples": ["Ada L."]}}, ("name",), "atlas call a do 'name=Ada L.'"),
        ({"n": {"type": "integer", "minimum": 3}, "m": {"type": "integer"}}, ("n",), "atlas call a do n=3"),
        ({"colour": {"enum": ["red"]}}, (), "atlas call a do colour=red"),
        ({"picture": {"type": "string", "contentEncoding": "base64"}}, ("picture",), "atlas call a do picture=@FILE"),
        (
            {"lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}}},
            ("lines",),
            """atlas call a do 'lines=[{"text": "TEXT", "price": 0}]'""",
        ),
        ({"xs": {"type": "array", "items": {"type": "integer"}}}, ("xs",), "atlas call a do xs=1"),
        ({"to": {"$ref": "#/$defs/Line"}}, ("to",), "atlas call a do to.text=TEXT to.price=0"),
        ({"either": {"type": ["string", "integer"], "enum": [1]}}, ("either",), "atlas call a do either=1"),
        ({"either": {"type": ["string", "integer"], "enum": ["1"]}}, ("either",), """atlas call a do 'either:="1"'"""),
        ({"text": {"type": "string", "default": "@ada"}}, (), """atlas call a do 'text:="@ada"'"""),
        ({"d": DECIMAL}, ("d",), "atlas call a do d=1.5"),
        ({"d": {"type": "string", "format": "decimal"}}, ("d",), "atlas call a do d=1.5"),
        ({"a": PET}, ("a",), "atlas call a do a.kind=cat a.lives=1"),
        ({"d": {"type": "string", "format": "date"}}, ("d",), "atlas call a do d=2024-02-29"),
        ({"d": INSTANT}, ("d",), "atlas call a do d=2024-02-29T12:00:00Z"),
        ({"t": {"type": "string", "format": "time"}}, ("t",), "atlas call a do t=12:00:00"),
        ({"p": INSTANT | {"format": "duration"}}, ("p",), "atlas call a do p=PT1H30M"),
        (
            {"u": {"type": "string", "format": "uuid"}},
            ("u",),
            "atlas call a do u=123e4567-e89b-42d3-a456-426614174000",
        ),
    ],
)
def test_an_example_calls_a_skill_with_what_it_needs(
    properties: dict[str, Any], required: tuple[str, ...], command: str
) -> None:
    assert call("a", "do", skill(properties, *required).input_schema) == command


def test_a_skill_is_told_with_types_defaults_and_what_its_parameters_are_for() -> None:
    shown = skill(
        {
            "name": {"type": "string", "description": "Whom to\ngreet."},
            "times": {"type": "integer", "default": 1},
            "colour": {"anyOf": [{"enum": ["red", "blue"]}, {"type": "null"}], "default": None},
            "note": {"type": "string"},
        },
        "name",
        description="Does it.",
        streams=True,
        policy=Policy(retries=2, timeout=30.0, delivery=Delivery.AT_MOST_ONCE),
    )
    assert of_skill("a", shown) == [
        "do (streams, at most once, 2 retries, timeout 30 s): Does it.",
        "    name    text              Whom to greet.",
        "    times   whole number = 1",
        "    colour  red|blue = null",
        "    note    text (optional)",
        "  atlas call a do name=TEXT",
    ]


def test_the_parts_of_an_object_are_told_to_a_depth() -> None:
    assert of_skill("a", skill({"line": {"$ref": "#/$defs/Line"}, "ring": {"$ref": "#/$defs/Round"}})) == [
        "do",
        "    line            object (optional)",
        "    line.text       text",
        "    line.price      number from 0",
        "    line.rate       text (optional)",
        "    ring            object (optional)",
        "    ring.next       object (optional)",
        "    ring.next.next  object (optional)",
        "  atlas call a do line.text=TEXT line.price=0",
    ]


def test_of_a_choice_of_objects_each_is_told_whole() -> None:
    assert of_skill("a", skill({"pet": PET}, "pet")) == [
        "do",
        "    pet        {kind, lives} or {kind, [name]}",
        "    pet.kind   cat",
        "    pet.lives  whole number",
        "    pet.kind   dog",
        "    pet.name   text (optional)",
        "  atlas call a do pet.kind=cat pet.lives=1",
    ]


def test_of_a_choice_that_refers_to_itself_each_object_is_told_once() -> None:
    again = {"anyOf": [{"$ref": "#/$defs/a"}] * 6}
    assert cases(again, {"$defs": {"a": again}}) == [again]


def test_a_description_is_its_first_paragraph_or_all_of_it() -> None:
    shown = skill({}, description="Does\nit.\n\nArgs:\n    n: How often.\n")
    assert of_skill("a", shown)[0:2] == ["do: Does it.", "  atlas call a do"]
    assert of_skill("a", shown, whole=True) == [
        "do: Does it.",
        "    Args:",
        "        n: How often.",
        "  atlas call a do",
    ]


def test_of_a_schema_that_refers_to_itself_again_and_again_only_some_is_looked_at() -> None:
    again = {"anyOf": [{"$ref": "#/$defs/a"}] * 6}
    assert len(list(branches(again, {"$defs": {"a": again}}))) == 500
