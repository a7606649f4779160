"""What does not fit is told where and why, within the alternative that was meant; what fits stays what it was."""

import json
from typing import Annotated, Any, Literal, Optional

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.backend.domain.schemas.dispatch import dispatched
from agentic_atlas.errors import InvalidInput


class Address(BaseModel):
    street: str
    zip: str = Field(pattern=r"^\d{5}$")


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


class Fish(BaseModel):
    swims: Literal["fast", "slow"] = "slow"
    depth: int


class Bird(BaseModel):
    swims: Literal["never"] = "never"
    wings: int


class Leaf(BaseModel):
    op: Literal["leaf"]
    field: str


class Both(BaseModel):
    op: Literal["both"]
    all: list["Filter"]


class Either(BaseModel):
    op: Literal["either"]
    all: list["Filter"]


Filter = Annotated[Leaf | Both | Either, Field(discriminator="op")]


class Person(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    address: Optional[Address] = None  # noqa: UP045 - as people write it
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    other: Fish | Bird | None = None
    amount: int | float | str = 1
    many: list[int] | dict[str, int] | None = None
    flags: list[int] | list[bool] | None = None
    where: Filter | None = None


DOCUMENT = Person.model_json_schema()
PERSON = Validator(json.dumps(DOCUMENT).encode())


def told(value: object) -> dict[str, str]:
    assert not PERSON.fits(value)
    return {fault.path: fault.message for fault in PERSON.faults(value, "greet")}


def test_an_optional_model_says_what_is_wrong_within_it() -> None:
    address = {"street": "x", "zip": "1234"}
    assert told({"name": "A", "address": address}) == {"/address/zip": '"1234" does not match "^\\d{5}$"'}


@pytest.mark.parametrize(
    ("pet", "faults"),
    [
        ({"kind": "cow"}, {"/pet/kind": 'has to be one of cat, dog, not "cow"'}),
        ({"kind": "cat"}, {"/pet": "lives is missing"}),
        ({"kind": "dog", "bark": 3}, {"/pet/bark": '3 is not of type "string"'}),
        ({}, {"/pet": "kind is missing"}),
        (3, {"/pet": '3 is not of types "null", "object"'}),
    ],
)
def test_a_union_with_a_tag_knows_its_cases(pet: object, faults: dict[str, str]) -> None:
    assert told({"name": "A", "pet": pet}) == faults


@pytest.mark.parametrize(
    ("values", "faults"),
    [
        ({"other": {"swims": "never"}}, {"/other": "wings is missing"}),
        ({"other": {"swims": "backwards"}}, {"/other/swims": 'has to be one of fast, slow, never, not "backwards"'}),
        ({"amount": []}, {"/amount": '[] is not of types "number", "string"'}),
        ({"many": {"a": "b"}}, {"/many/a": '"b" is not of type "integer"'}),
        ({"flags": ["a"]}, {"/flags/0": '"a" is not of type "integer"'}),
        ({"flags": "a"}, {"/flags": '"a" is not of types "null", "array"'}),
    ],
)
def test_unions_of_other_kinds_name_the_place_and_the_reason(values: dict[str, object], faults: dict[str, str]) -> None:
    assert told({"name": "A", **values}) == faults


def test_a_name_that_was_mistyped_is_one_fault_and_names_the_nearest() -> None:
    takes = "name, address, pet, other, amount, many, flags, where"
    assert told({"nam": "A"}) == {"": f"there is no nam; greet takes {takes} (did you mean name?)"}


def test_whoever_takes_nothing_is_said_to() -> None:
    nothing = Validator(b'{"type": "object", "properties": {}, "additionalProperties": false}')
    assert [fault.message for fault in nothing.faults({"content": 1}, "ping")] == [
        "there is no content; ping takes nothing"
    ]


def test_a_text_of_another_format_is_told_with_one_that_fits() -> None:
    day = Validator(b'{"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}')
    assert [fault.message for fault in day.faults("tomorrow", "x")] == [
        'has to be a date such as 2024-02-29, not "tomorrow"'
    ]


def test_all_faults_are_told_at_once() -> None:
    found = told({"address": {"zip": "1"}, "pet": 1, "flags": 2})
    assert set(found) == {"", "/address", "/address/zip", "/pet", "/flags"}


def test_no_more_than_some_faults_are_told() -> None:
    assert len(PERSON.faults({"name": "A", "many": ["x"] * 100}, "greet")) == 20


def test_a_value_is_told_in_part_when_it_is_long() -> None:
    assert len(told({"name": ["x" * 10_000]})["/name"]) <= 300


@pytest.mark.parametrize("first", ["op", "all"])
def test_a_recursive_type_is_checked_to_the_depth_of_any_input_whatever_the_order_of_its_names(first: str) -> None:
    for field, fits in (("a", True), (3, False)):
        value: dict[str, Any] = {"op": "leaf", "field": field}
        for _ in range(28):
            value = {"all": [value], "op": "either"} if first == "all" else {"op": "both", "all": [value]}
        person = {"name": "A", "where": value}
        assert PERSON.fits(person) is fits
        if not fits:
            assert told(person) == {"/where" + "/all/0" * 28 + "/field": '3 is not of type "string"'}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [(r"^\d+$", "٣٤"), (r"^\w+$", "größe"), (r"^a\sb$", "a\u2003b"), (r"^(?i)straße$", "STRAßE"), (r"^\w+\b", "é")],
)
def test_what_the_agents_engine_takes_beyond_ascii_is_not_refused(pattern: str, text: str) -> None:
    agents = TypeAdapter(Annotated[str, Field(pattern=pattern)])
    agents.validate_python(text)
    validator = Validator(json.dumps(agents.json_schema()).encode())
    assert validator.fits(text)
    assert not validator.fits("!")


def test_a_pattern_that_only_other_engines_know_is_left_to_the_agent() -> None:
    document = {"properties": {"a": {"pattern": r"^(?=.*\d)x"}, "b": {"pattern": "^x"}}}
    validator = Validator(json.dumps(document).encode())
    assert validator.fits({"a": "anything"})
    assert not validator.fits({"b": "anything"})


def test_names_that_only_other_engines_know_are_not_refused_either() -> None:
    document = {"patternProperties": {r"^(?=.*\d)x": {"type": "integer"}}, "additionalProperties": False}
    assert Validator(json.dumps(document).encode()).fits({"x1": "anything"})


@pytest.mark.parametrize("document", [b"[]", b'{"type": "nothing"}', b'{"required": 3}', b"3"])
def test_what_is_no_schema_is_refused(document: bytes) -> None:
    with pytest.raises(InvalidInput, match="not a JSON Schema") as caught:
        Validator(document)
    assert caught.value.code == "invalid_schema"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["a", "b", "cat", "leaf", "", "12345"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["op", "k", "all", "a", "b", "kind"]), inner, max_size=4)
    ),
    max_leaves=8,
)
tagged = st.builds(
    lambda name, word, needed, more: {
        "type": "object",
        "properties": {name: {"const": word}, "a": more},
        **({"required": [name]} if needed else {}),
    },
    st.sampled_from(["op", "k"]),
    st.sampled_from(["a", "b", "cat"]),
    st.booleans(),
    st.sampled_from([True, {"type": "integer"}, {"$ref": "#/$defs/root"}]),
)
branches = tagged | st.sampled_from(
    [True, False, {}, {"type": "null"}, {"type": ["string", "integer"]}, {"const": "a"}, {"enum": [1, "a", None]},
     {"type": "array", "items": {"$ref": "#/$defs/root"}}, {"not": {"type": "object"}}]
)  # fmt: skip


def test_what_is_compiled_grows_no_faster_than_the_schema() -> None:
    def unions(levels: int) -> Any:
        inner = unions(levels - 1) if levels else {"type": "integer"}
        case = {"type": "object", "properties": {"k": {"const": "a"}, "of": inner}}
        return {"anyOf": [case, {"type": "object", "properties": {"k": {"const": "b"}}}]}

    small, large = (len(json.dumps(dispatched(unions(levels)))) for levels in (5, 10))
    assert large < 3 * small


@given(st.sampled_from(["anyOf", "oneOf"]), st.lists(branches, min_size=1, max_size=4), values)
def test_choosing_among_alternatives_changes_nothing_about_what_fits(
    keyword: str, several: list[Any], value: object
) -> None:
    document = {"$defs": {"root": {keyword: several}}, "$ref": "#/$defs/root"}
    plain = jsonschema_rs.Draft202012Validator(document, offline=True)
    validator = Validator(json.dumps(document).encode())
    assert validator.fits(value) == plain.is_valid(value)
    if not validator.fits(value):
        assert validator.faults(value, "it")
