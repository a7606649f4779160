import dataclasses
import datetime
import enum
import json
import math
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import jsonschema_rs
import msgspec
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field, SecretStr, WithJsonSchema
from typing_extensions import TypedDict

from agentic_atlas import Agent, Context
from agentic_atlas.errors import ConfigurationError, InvalidInput
from agentic_atlas.sdk.agent import skills_of
from agentic_atlas.sdk.skills.content import FilePart, TextPart
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
    return skills_of(agent)[function.__name__]


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


def test_the_description_of_a_parameter_is_its_text_or_that_of_its_field() -> None:
    schemas = [input_schema(taking(Annotated[str, said])) for said in ("a name", Field(description="a name"))]
    assert [schema["properties"]["value"]["description"] for schema in schemas] == ["a name", "a name"]


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
        (datetime.date, {"type": "string", "format": "date"}),
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


@pytest.mark.parametrize("bounds", [{}, {"max_digits": 4, "decimal_places": 2}])
def test_a_decimal_is_a_format_and_no_pattern_whatever_pydantic_writes(bounds: dict[str, int]) -> None:
    annotation = Annotated[Decimal, Field(**bounds)]  # type: ignore[arg-type]
    text = {"type": "string", "format": "decimal"}
    assert input_schema(taking(annotation))["properties"]["value"] == {"anyOf": [{"type": "number"}, text]}
    assert output_schema(giving(annotation)) == text


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


class Settings(BaseModel):
    folder: Path = Path("/srv")
    key: SecretStr = SecretStr("hidden")


DEFAULTS: list[tuple[Any, Any]] = [
    (Path, Path("/tmp")),
    (PurePosixPath, PurePosixPath("/tmp")),
    (Path | None, Path("/tmp")),
    (list[Path], [Path("/tmp")]),
    (dict[str, Path], {"a": Path("/tmp")}),
    (tuple[Path, ...], (Path("/tmp"),)),
    (Path | int, Path("/tmp")),
    (SecretStr, SecretStr("hidden")),
    (Colour, Colour.RED),
    (datetime.datetime, datetime.datetime(2024, 2, 29, tzinfo=datetime.UTC)),
    (datetime.date, datetime.date(2024, 2, 29)),
    (datetime.time, datetime.time(10)),
    (datetime.timedelta, datetime.timedelta(seconds=90)),
    (Decimal, Decimal("1.10")),
    (uuid.UUID, uuid.UUID(int=3)),
    (bytes, b"\xff"),
    (set[bytes], {b"\xff"}),
    (re.Pattern[str], re.compile("a+")),
    (IPv4Address, IPv4Address("127.0.0.1")),
    (Person, Person(name="Ann")),
    (Point, Point(1)),
    (Options, {"fast": True}),
    (Settings, Settings()),
    (float, math.inf),
    (Any, None),
]


@pytest.mark.parametrize(("annotation", "default"), DEFAULTS, ids=lambda given: str(given)[:30])
def test_a_default_of_any_type_is_what_a_call_without_it_gets(annotation: Any, default: Any) -> None:
    def skill(value: annotation = default) -> None: ...

    def described(value: Annotated[annotation, Field(description="a value")] = default) -> None: ...

    def field(value: annotation = Field(default)) -> None: ...  # noqa: B008

    def factory(value: annotation = Field(default_factory=lambda: default)) -> None: ...  # noqa: B008

    for function in (skill, described, field, factory):
        assert skill_of(function).signature.read_input(b"{}") == {"value": default}


def test_a_default_is_taken_as_its_type_is_checked_when_it_is_declared() -> None:
    def skill(person: Person = {"name": "Ann"}, folder: Path = "/tmp", ratio: float = 1) -> None: ...  # type: ignore[assignment]  # noqa: B006

    arguments = skill_of(skill).signature.read_input(b"{}")
    assert arguments == {"person": Person(name="Ann"), "folder": Path("/tmp"), "ratio": 1.0}


def test_a_secret_default_is_not_told_in_the_schema() -> None:
    def skill(key: SecretStr = SecretStr("hidden"), settings: Settings = Settings()) -> None: ...  # noqa: B008

    assert "hidden" not in json.dumps(input_schema(skill))
    assert "*" not in json.dumps(input_schema(skill))


def test_a_parameter_may_have_a_name_in_json_that_python_does_not_allow() -> None:
    def skill(
        from_: Annotated[int, Field(alias="from")],
        class_: str = Field("a", validation_alias="class"),
        to: Annotated[int, Field(serialization_alias="until")] = 3,
    ) -> None: ...

    signature = skill_of(skill).signature
    assert input_schema(skill)["properties"].keys() == {"from", "class", "to"}
    assert input_schema(skill)["required"] == ["from"]
    assert signature.read_input(b'{"from": 1, "class": "b"}') == {"from_": 1, "class_": "b", "to": 3}
    with pytest.raises(InvalidInput, match=r"there is no from_; .* \(did you mean from\?\)"):
        signature.read_input(b'{"from_": 1, "from": 1}')


def test_an_alias_that_is_not_one_name_is_refused_with_the_fix() -> None:
    def choices(a: Annotated[int, Field(validation_alias=AliasChoices("b", "c"))]) -> None: ...

    def path(a: Annotated[int, Field(validation_alias=AliasPath("b", 0))]) -> None: ...

    def twice(a: Annotated[int, Field(alias="b")], b: int) -> None: ...

    for function in (choices, path):
        with pytest.raises(ConfigurationError, match=r"more than one alias, or a path; give it one name, .*alias="):
            skill_of(function)
    with pytest.raises(ConfigurationError, match='two parameters are called "b" in the input'):
        skill_of(twice)


def test_a_number_that_its_type_cannot_hold_is_a_wrong_input() -> None:
    def skill(span: datetime.timedelta) -> None: ...

    with pytest.raises(InvalidInput, match="larger than its type can hold"):
        skill_of(skill).signature.read_input(b'{"span": -86399999999999}')


@pytest.mark.parametrize(
    ("raw", "faults"),
    [
        (b"{}", [("", "text is missing")]),
        (b'{"text": 5}', [("/text", 'it is not of type "string"')]),
        (b'{"text": "a", "count": 9}', [("/count", "has to be at most 5")]),
        (b'{"tetx": "a"}', [("", "there is no tetx; greet takes text, count (did you mean text?)")]),
        (b'{"text": "a", "other": 1}', [("", "there is no other; greet takes text, count")]),
        (b'{"text": 5, "count": 0}', [("/text", "it is not"), ("/count", "has to be at least")]),
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
