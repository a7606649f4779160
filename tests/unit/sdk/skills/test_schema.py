import dataclasses
import datetime
import enum
import re
from collections.abc import AsyncGenerator, AsyncIterator
from decimal import Decimal
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pytest
from pydantic import BaseModel, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import GenerateJsonSchema
from typing_extensions import TypedDict

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.sdk.skills.content import FilePart, TextPart
from agentic_atlas.sdk.skills.json_schema import Plain
from agentic_atlas.sdk.skills.skill import Skill


class Colour(enum.StrEnum):
    RED = "red"


class Person(BaseModel):
    name: str
    age: Annotated[int, Field(ge=0)] = 0


@dataclasses.dataclass
class Point:
    x: int


class Options(TypedDict, total=False):
    fast: bool


class Opaque:
    """No type that JSON knows."""


def skill_of(function: Any) -> Skill:
    agent = Agent("tester")
    agent.skill(function)
    return agent.skills[function.__name__]


def input_schema(function: Any) -> Any:
    return msgspec.json.decode(skill_of(function).signature.input_schema)


def output_schema(function: Any) -> Any:
    return msgspec.json.decode(skill_of(function).signature.output_schema)


def taking(annotation: Any) -> Any:
    def skill(value: annotation) -> None: ...

    return skill


def giving(annotation: Any) -> Any:
    def skill() -> annotation: ...

    return skill


def test_parameters_become_the_properties_of_a_closed_object() -> None:
    async def translate(ctx: Context, text: Annotated[str, "Text to translate"], language: str = "fr") -> str:
        """Translate text."""
        return text

    assert input_schema(translate) == {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "Text to translate"},
            "language": {"type": "string", "default": "fr"},
        },
        "required": ["text"],
        "additionalProperties": False,
    }
    assert output_schema(translate) == {"type": "string"}


def test_a_skill_without_parameters_takes_an_empty_object() -> None:
    def skill() -> None: ...

    assert input_schema(skill) == {"type": "object", "properties": {}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (str, {"type": "string"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (Any, {}),
        (list[float], {"type": "array", "items": {"type": "number"}}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (datetime.datetime, {"type": "string", "format": "date-time"}),
        (Annotated[int, Field(ge=1, le=5)], {"type": "integer", "minimum": 1, "maximum": 5}),
        (Person, {"$ref": "#/$defs/Person"}),
        (Point, {"$ref": "#/$defs/Point"}),
        (Options, {"$ref": "#/$defs/Options"}),
        (Colour, {"$ref": "#/$defs/Colour"}),
        (FilePart, {"$ref": "#/$defs/FilePart"}),
    ],
)
def test_the_types_people_write_have_a_schema(annotation: Any, expected: dict[str, Any]) -> None:
    schema = input_schema(taking(annotation))
    assert schema["properties"]["value"] == expected
    jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (None, {"type": "null"}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (object, {}),
        (Any, {}),
    ],
)
def test_the_return_type_is_the_schema_of_the_output(annotation: Any, expected: dict[str, Any]) -> None:
    assert output_schema(giving(annotation)) == expected


def test_parts_tell_their_kinds_in_the_output_schema() -> None:
    schema = output_schema(giving(list[TextPart | FilePart]))
    assert {"TextPart", "FilePart"} <= schema["$defs"].keys()


def test_without_a_return_type_no_output_is_declared() -> None:
    def skill(): ...

    assert output_schema(skill) is None


def test_the_output_of_a_stream_is_the_list_of_what_it_yields() -> None:
    async def iterating() -> AsyncIterator[int]:
        yield 1

    async def generating() -> AsyncGenerator[int, None]:
        yield 1

    async def untold():
        yield 1

    assert output_schema(iterating) == output_schema(generating) == {"type": "array", "items": {"type": "integer"}}
    assert output_schema(untold) is None


def test_a_return_type_without_a_json_form_is_refused_with_the_fix() -> None:
    with pytest.raises(ConfigurationError, match=r"test_schema\.py:\d+: skill skill: its return type .* leave the ann"):
        skill_of(giving(Opaque))


def test_a_schema_that_is_too_long_for_a_registration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="use simpler types"):
        skill_of(taking(Annotated[str, "long " * 20_000]))


def file_of(annotation: Any) -> str:
    """Return the file and line that an error names for a skill that takes this type."""
    with pytest.raises(ConfigurationError) as caught:
        skill_of(taking(annotation))
    return caught.value.message


@pytest.mark.parametrize(
    ("pattern", "problem", "fix"),
    [
        (r"^(?=.*\d).+$", "look-around", "write a pattern without look-around"),
        (r"(a)\1", "regex|backreferences", "write a pattern without look-around and back-references"),
        (r"^[^/]{1,4000}$", "takes about 5", "repeat less in it, or check that in the function"),
        (r"(a", "unclosed group", "check that in the function"),
    ],
)
def test_a_pattern_that_is_not_taken_is_refused_where_it_is_declared(pattern: str, problem: str, fix: str) -> None:
    told = file_of(Annotated[str, Field(pattern=pattern)])
    assert re.match(rf".*test_schema\.py:\d+: skill skill: .*({problem}).*; .*{re.escape(fix)}", told), told


@pytest.mark.parametrize("pattern", [r"^[^/]{1,255}$", r"^\w{1,64}$", r"^\p{L}{1,64}$"])
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert input_schema(taking(Annotated[str, Field(pattern=pattern)]))["properties"]["value"]["pattern"] == pattern


@pytest.mark.parametrize(
    "schema", [{"$ref": "https://example.com/x"}, {"$dynamicRef": "#x"}, {"$id": "x", "type": "string"}]
)
def test_a_reference_in_another_form_is_refused_where_it_is_declared(schema: dict[str, Any]) -> None:
    told = file_of(Annotated[str, WithJsonSchema(schema)])
    assert re.match(r'.*test_schema\.py:\d+: skill skill: input: .*; put it into "\$defs" at the root', told), told


def test_a_reference_that_pydantic_does_not_know_is_refused_where_it_is_declared() -> None:
    assert "refers to '#', which is not there" in file_of(Annotated[str, WithJsonSchema({"$ref": "#"})])


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_a_decimal_has_no_pattern_whatever_pydantic_writes(mode: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = {"type": "string", "pattern": r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"}
    forms = {"validation": {"anyOf": [{"type": "number"}, dict(pattern)]}, "serialization": dict(pattern)}
    monkeypatch.setattr(GenerateJsonSchema, "decimal_schema", lambda _self, _schema: forms[mode])
    made = TypeAdapter(Decimal).json_schema(mode=mode, schema_generator=Plain)
    assert "pattern" not in str(made)


@pytest.mark.parametrize("name", ["schema", "copy", "json", "model_config", "_hidden", "class_", "größe", "self"])
def test_a_parameter_may_have_any_name_that_python_allows(name: str) -> None:
    scope: dict[str, Any] = {}
    exec(f"def skill({name}: int = 1): ...", scope)
    skill = skill_of(scope["skill"])
    assert list(msgspec.json.decode(skill.signature.input_schema)["properties"]) == [name]
    assert skill.signature.read_input(msgspec.json.encode({name: 2})) == {name: 2}


def test_input_becomes_arguments_with_defaults_and_real_types() -> None:
    def skill(person: Person, at: datetime.date, point: Point, colour: Colour = Colour.RED) -> None: ...

    arguments = skill_of(skill).signature.read_input(b'{"person":{"name":"Ann"},"at":"2024-02-29","point":{"x":1}}')
    assert arguments == {
        "person": Person(name="Ann"),
        "at": datetime.date(2024, 2, 29),
        "point": Point(1),
        "colour": Colour.RED,
    }


def test_a_default_is_not_shared_between_tasks() -> None:
    def skill(words: list[str] = []) -> None: ...  # noqa: B006

    signature = skill_of(skill).signature
    first = signature.read_input(b"{}")["words"]
    assert isinstance(first, list)
    first.append("left over")
    assert signature.read_input(b"{}") == {"words": []}


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        (b"{}", [("", "text is missing")]),
        (b'{"text": 5}', [("/text", 'it is not of type "string"')]),
        (b'{"text": "a", "count": 9}', [("/count", "Input should be less than or equal to 5")]),
        (b'{"tetx": "a"}', [("", "there is no tetx; greet takes text, count (did you mean text?)")]),
        (b'{"text": "a", "other": 1}', [("", "there is no other; greet takes text, count")]),
        (b'{"text": 5, "count": 0}', [("/text", "it is not"), ("/count", "Input should be greater")]),
        (b"[]", [("", 'it is not of type "object"')]),
        (b"{", [("", "Invalid JSON")]),
        (b'{"text": "\\ud800"}', [("", "Invalid JSON")]),
    ],
)
def test_a_wrong_input_is_told_by_path(raw: bytes, faults: list[tuple[str, str]]) -> None:
    def skill(text: str, count: Annotated[int, Field(ge=1, le=5)] = 1) -> None: ...

    with pytest.raises(InvalidInput) as caught:
        skill_of(skill).signature.read_input(raw, "greet")
    assert caught.value.code == "invalid_input"
    assert isinstance(caught.value.detail, list)
    for fault, (path, message) in zip(caught.value.detail, faults, strict=True):
        assert fault["path"] == path
        assert message in fault["message"]


def test_a_wrong_input_is_not_echoed() -> None:
    def skill(pin: int, person: Person) -> None: ...

    with pytest.raises(InvalidInput) as caught:
        skill_of(skill).signature.read_input(b'{"pin": "secret-7", "person": {"name": ["secret-7"]}}')
    assert "secret-7" not in f"{caught.value.message} {caught.value.detail}"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
