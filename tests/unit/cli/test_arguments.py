from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentic_atlas.cli.arguments import merged, parse_object, parse_pairs, parse_value
from agentic_atlas.cli.wording import expected
from agentic_atlas.errors import InvalidInput

SCHEMA = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "loud": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "options": {"$ref": "#/$defs/Options"},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "many": {"type": ["number", "null"]},
        "sum": {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]},
        "flag": {"type": ["boolean", "string"]},
        "level": {"enum": [1, 2, "high"]},
        "maybe": {"type": ["string", "null"]},
        "anything": {},
        "round": {"$ref": "#/$defs/Round"},
    },
    "$defs": {"Options": {"type": "object"}, "Round": {"$ref": "#/$defs/Round"}},
}


def nowhere(where: str) -> bytes:
    raise AssertionError(f"nothing is to be read from {where}")


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("text=42", "42"),
        ("text=", ""),
        ("text=a=b:=c", "a=b:=c"),
        ("text=two\nlines", "two\nlines"),
        ("count=42", 42),
        ("ratio=1.5", 1.5),
        ("ratio=2", 2),
        ("loud=true", True),
        ("loud=yes", True),
        ("loud=N", False),
        ('tags=["a", "b"]', ["a", "b"]),
        ('options={"deep": 1}', {"deep": 1}),
        ("limit=3", 3),
        ("limit=null", None),
        ("either=3", 3),
        ("either=03", "03"),
        ("either=3.0", "3.0"),
        ("either=1e3", "1e3"),
        ("either=three", "three"),
        ("sum=1.5", 1.5),
        ("sum=1.50", "1.50"),
        ("flag=true", True),
        ("flag=yes", "yes"),
        ("level=2", 2),
        ("level=high", "high"),
        ("maybe=null", "null"),
        ("many=null", None),
        ("anything=3", "3"),
        ("unknown=3", "3"),
        ("round=3", "3"),
        ("text:=42", 42),
        ("anything:={}", {}),
        ("key with space=x", "x"),
    ],
)
def test_a_value_is_read_as_the_schema_says(pair: str, value: object) -> None:
    (found,) = parse_pairs([pair], SCHEMA, nowhere).values()
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("count=many", "`count` has to be a whole number; `many` is not"),
        ("count=1.5", "`count` has to be a whole number; `1.5` is not"),
        ("count=true", "`count` has to be a whole number; `true` is not"),
        ("ratio=NaN", "`ratio` has to be a number; `NaN` is not"),
        ("loud=maybe", "`loud` has to be true or false; `maybe` is not"),
        ("options=x", '`options` has to be an object, in JSON: {"a": 1}; `x` is not'),
        (
            "tags=a,b",
            '`tags` is a list: give its items one by one, tags=… tags=…; one with a comma in it as JSON: tags:=["a,b"]',
        ),
        ("limit=x", "`limit` has to be a whole number or null; `x` is not"),
        ("just-a-word", "`just-a-word` is not an input: write key=value, or key:=json"),
        ("=x", "`=x` is not an input: write key=value, or key:=json"),
        ("text:=hello", "`text` is not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_does(pair: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_pairs([pair], SCHEMA, nowhere)
    assert caught.value.message == sentence


def test_a_field_is_given_once() -> None:
    with pytest.raises(InvalidInput, match="`a` is given twice"):
        parse_pairs(["a=1", "a:=2"], None, nowhere)


def test_without_a_schema_plain_values_are_text() -> None:
    assert parse_pairs(["a=1", "b:=1"], None, nowhere) == {"a": "1", "b": 1}


@pytest.mark.parametrize(
    "schema", [{"properties": []}, {"properties": {"a": True}}, {"properties": {"a": {"$ref": 1}}}]
)
def test_a_schema_that_says_nothing_plain_leaves_text(schema: dict[str, Any]) -> None:
    assert parse_pairs(["a=1"], schema, nowhere) == {"a": "1"}


@given(st.text(alphabet=st.characters(exclude_characters=":=", codec="utf-8"), min_size=1), st.text())
def test_any_text_comes_through_unchanged(key: str, value: str) -> None:
    assume(value != "-" and not value.startswith("@"))
    assert parse_pairs([f"{key}={value}"], None, nowhere) == {key: value}


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_json_comes_through_unchanged(value: object) -> None:
    assert parse_pairs([f"k:={json.dumps(value)}"], None, nowhere) == {"k": value}


@pytest.mark.parametrize("text", ["[1]", "7", "{", "[" * 100_000])
def test_a_whole_input_has_to_be_an_object(text: str) -> None:
    with pytest.raises(InvalidInput, match="--input"):
        parse_object(text, "--input")


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("yes, please", None, "yes, please"),
        ("7", None, "7"),
        ("7", {"type": "integer"}, 7),
        ("7", {"type": "string"}, "7"),
        ("red", {"enum": ["red", "blue"], "type": "string"}, "red"),
        ("Yes", {"type": "boolean"}, True),
        ("n", {"type": "boolean"}, False),
        ("true", {"type": "boolean"}, True),
        ("yes", {"anyOf": [{"type": "boolean"}, {"type": "string"}]}, "yes"),
        ("7", {"anyOf": [{"type": "string"}, {"type": "integer"}]}, 7),
        ('{"a": 1}', {"$ref": "#/$defs/A", "$defs": {"A": {"type": "object"}}}, {"a": 1}),
    ],
)
def test_an_answer_is_read_as_its_schema_says(text: str, schema: dict[str, Any] | None, value: object) -> None:
    found = parse_value(text, schema, "the answer")
    assert (found, type(found)) == (value, type(value))


def test_an_answer_of_another_kind_is_told() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_value("perhaps", {"type": "boolean"}, "the answer")
    assert refused.value.message == "the answer has to be true or false; `perhaps` is not"


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (None, ""),
        ({"type": "string"}, ""),
        ({"type": "boolean"}, "yes or no"),
        ({"type": "integer"}, "a whole number"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "a whole number or null"),
        ({"enum": ["red", "blue", 3, None]}, "one of: red, blue, 3, null"),
        ({"type": "array"}, 'a list, in JSON: ["a", "b"]'),
        ({"type": "array", "items": {"type": "integer"}}, "a list, in JSON: [1]"),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2},
            'a list, in JSON: [1, "TEXT"]',
        ),
        ({"type": "object"}, 'an object, in JSON: {"a": 1}'),
        ({"type": "object", "additionalProperties": {"type": "number"}}, 'an object, in JSON: {"a": 1.5}'),
        (
            {
                "type": "object",
                "properties": {"city": {"type": "string"}, "zip": {"type": "string"}},
                "required": ["city"],
            },
            'an object {city, [zip]}, in JSON: {"city": "TEXT"}',
        ),
        (
            {
                "oneOf": [
                    {"type": "object", "properties": {"kind": {"const": "cat"}, "lives": {"type": "integer"}}},
                    {"type": "object", "properties": {"kind": {"const": "dog"}}, "required": ["kind"]},
                ],
            },
            'an object {[kind], [lives]} or {kind}, in JSON: {"a": 1}',
        ),
    ],
)
def test_what_is_expected_is_said_in_a_few_words(schema: dict[str, Any] | None, words: str) -> None:
    assert expected(schema) == words


CONTENT = {
    "note.txt": "\ufeffcoral, blue\n".encode(),
    "list.json": b"[1, 2]",
    "cat.jpg": b"\xff\xd8\x00",
    "-": b"from stdin",
}
INPUT = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "picture": {"type": "string", "contentEncoding": "base64"},
        "either": {"anyOf": [{"type": "string", "format": "base64url"}, {"type": "null"}]},
        "count": {"type": "integer"},
        "xs": {"type": "array", "items": {"type": "integer"}},
        "tags": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}},
        "to": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}]},
        "dotted.name": {"type": "integer"},
        "rates": {"type": "object", "additionalProperties": {"type": "number"}},
        "stock": {"type": "object", "additionalProperties": {"$ref": "#/$defs/Point"}},
        "codes": {"type": "object", "patternProperties": {"^[a-z]$": {"type": "integer"}}},
        "either_code": {"type": "object", "patternProperties": {"a": {"type": "integer"}, "b": {"type": "string"}}},
        "tup": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2},
        "rest": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "integer"}},
        "named": {
            "anyOf": [
                {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
                {"type": "object", "properties": {"n": {"type": "integer"}, "s": {"type": "string"}}},
            ]
        },
    },
    "$defs": {
        "Line": {"type": "object", "properties": {"price": {"type": "number"}}},
        "Place": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "at": {"$ref": "#/$defs/Point"}, "tags": {"type": "array"}},
        },
        "Point": {"type": "object", "properties": {"x": {"type": "number"}}},
    },
}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (["text=@note.txt"], {"text": "coral, blue\n"}),
        (["text=-"], {"text": "from stdin"}),
        (["text=@@ada"], {"text": "@ada"}),
        (["text=a@b"], {"text": "a@b"}),
        (["picture=@cat.jpg"], {"picture": "/9gA"}),
        (["picture=hello"], {"picture": "aGVsbG8="}),
        (["either=@cat.jpg"], {"either": "_9gA"}),
        (["xs=@list.json"], {"xs": [1, 2]}),
        (["xs:=@list.json"], {"xs": [1, 2]}),
        (["xs=1"], {"xs": [1]}),
        (["xs=1", "xs=2", "xs=3"], {"xs": [1, 2, 3]}),
        (["xs=1,2", "xs=3"], {"xs": [1, 2, 3]}),
        (["tags=a", "tags=b c"], {"tags": ["a", "b c"]}),
        (["tags=null"], {"tags": None}),
        (['tags=["a,b"]'], {"tags": ["a,b"]}),
        (
            ['lines={"price": 1, "text": "a"}', 'lines={"price": 2}'],
            {"lines": [{"price": 1, "text": "a"}, {"price": 2}]},
        ),
        (["to.city=Paris", "to.at.x=1.5"], {"to": {"city": "Paris", "at": {"x": 1.5}}}),
        (["to.tags=7"], {"to": {"tags": ["7"]}}),
        (["dotted.name=3", "un.known=x"], {"dotted.name": 3, "un.known": "x"}),
        (["rates.x=1.5", "rates.a.b=2"], {"rates": {"x": 1.5, "a.b": 2}}),
        (["stock.here.x=1", "stock.there.x=2.5"], {"stock": {"here": {"x": 1}, "there": {"x": 2.5}}}),
        (["codes.a=1"], {"codes": {"a": 1}}),
        (["either_code.a=1"], {"either_code": {"a": "1"}}),
        (["tup=2", "tup=b"], {"tup": [2, "b"]}),
        (["tup=2", "tup=3"], {"tup": [2, "3"]}),
        (["tup=2,b"], {"tup": [2, "b"]}),
        (['tup=[2, "b"]'], {"tup": [2, "b"]}),
        (["rest=1", "rest=2", "rest=3"], {"rest": ["1", 2, 3]}),
        (["named=1", "named=b"], {"named": [1, "b"]}),
        (["named.n=1", "named.s=2"], {"named": {"n": 1, "s": "2"}}),
    ],
)
def test_values_come_from_files_and_stdin_as_parts_and_as_items(line: list[str], fields: dict[str, Any]) -> None:
    assert parse_pairs(line, INPUT, CONTENT.__getitem__) == fields


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["text=@cat.jpg"], "`text` takes text, and what was read is not text in UTF-8"),
        (["xs=1,two"], "`xs` has to be a whole number; `two` is not"),
        (["count=1", "count=2"], "`count` is given twice"),
        (["to=null", "to.city=x"], "`to` is given as a whole and in parts: give one of the two"),
        (["to.at.x=far"], "`to.at.x` has to be a number; `far` is not"),
        (["rates.x=far"], "`rates.x` has to be a number; `far` is not"),
        (["tup=b"], "`tup` has to be a whole number; `b` is not"),
        (["rest=a,b"], "`rest` is a list: give its items one by one, rest=… rest=…"),
        (["named.n=1", "named=2"], "`named` is given as a whole and in parts: give one of the two"),
        (["xs:=1", "xs=2"], "`xs` is given twice"),
    ],
)
def test_what_a_part_or_an_item_cannot_be_is_told(line: list[str], sentence: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_pairs(line, INPUT, CONTENT.__getitem__)
    assert refused.value.message == sentence


def test_single_fields_lie_over_a_whole_input() -> None:
    base = {"to": {"city": "Rome", "zip": 1}, "n": 1, "xs": [1]}
    assert merged(base, {"to": {"city": "Paris"}, "xs": [2]}) == {"to": {"city": "Paris", "zip": 1}, "n": 1, "xs": [2]}
    assert base["to"] == {"city": "Rome", "zip": 1}
