"""A type has one JSON form: what its schema says is what it reads and writes, however deep it lies."""

import dataclasses
import datetime
import enum
import math
import uuid
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    field_serializer,
)
from typing_extensions import TypedDict

from agentic_atlas.sdk.forms.simpler import NoJsonForm
from agentic_atlas.sdk.forms.typed import TypeForm, json_value

BYTES = {"type": "string", "format": "byte", "contentEncoding": "base64"}
DATA = bytes(range(256))


class Picture(BaseModel):
    data: bytes


@dataclasses.dataclass
class Page:
    scan: bytes
    pictures: list[Picture]


class Shelf(TypedDict):
    pages: dict[str, Page]
    seal: bytes | None


class Node(BaseModel):
    data: bytes
    next: "Node | None" = None


class Dotted(BaseModel):
    digest: bytes

    @field_serializer("digest")
    def dotted(self, digest: bytes) -> str:
        return digest.hex(".")


def short(data: bytes) -> bytes:
    assert len(data) < 300
    return data


def unhex(value: str | bytes) -> bytes:
    return bytes.fromhex(value) if isinstance(value, str) else value


Hex = Annotated[bytes, BeforeValidator(unhex), PlainSerializer(bytes.hex, return_type=str)]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (bytes, DATA),
        (bytes | None, DATA),
        (list[bytes], [DATA]),
        (set[bytes], {DATA}),
        (tuple[bytes, int], (DATA, 1)),
        (dict[str, bytes], {"a": DATA}),
        (dict[bytes, int], {DATA: 1}),
        (Annotated[bytes, Field(max_length=256), AfterValidator(short)], DATA),
        (Picture, Picture(data=DATA)),
        (Page, Page(DATA, [Picture(data=DATA)])),
        (Shelf, {"pages": {"a": Page(DATA, [Picture(data=DATA)])}, "seal": DATA}),
        (Node, Node(data=DATA, next=Node(data=DATA))),
        (Base64Bytes, b"aGk="),
        (Hex, DATA),
        (int | bytes, 3),
        (Literal["a"] | bytes, DATA),
    ],
)
def test_bytes_come_back_as_they_were_wherever_they_are(annotation: Any, value: Any) -> None:
    form = TypeForm(annotation)
    wire = form.write(form.check(value))
    assert form.read(msgspec.json.encode(wire)) == form.check(value)


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_schema_says_of_bytes_that_they_are_base64(mode: Any) -> None:
    assert TypeForm(bytes).json_schema(mode) == BYTES
    assert TypeForm(Picture).json_schema(mode)["properties"]["data"] == BYTES
    assert TypeForm(Shelf).json_schema(mode)["$defs"]["Page"]["properties"]["scan"] == BYTES
    assert TypeForm(Base64Bytes).json_schema(mode)["contentEncoding"] == "base64"


def test_bounds_of_bytes_count_the_characters_of_base64_in_the_schema_and_bytes_in_the_check() -> None:
    form = TypeForm(Annotated[bytes, Field(min_length=2, max_length=4)])
    assert form.json_schema() == BYTES | {"minLength": 4, "maxLength": 8}
    assert form.read(b'"AAECAw=="') == b"\x00\x01\x02\x03"
    with pytest.raises(ValidationError):
        form.read(b'"AAECAwQ="')


def test_a_form_that_a_type_gives_its_bytes_itself_is_kept() -> None:
    assert TypeForm(Hex).write(b"\xff") == "ff"
    assert TypeForm(Hex).read(b'"ff"') == b"\xff"
    assert "contentEncoding" not in TypeForm(Hex).json_schema()
    assert TypeForm(Dotted).write(Dotted(digest=b"\x01\x02")) == {"digest": "01.02"}


@pytest.mark.parametrize("raw", [b'"aGk"', b'"a-_="', b'"!"', b"3"])
def test_text_that_is_not_base64_is_refused(raw: bytes) -> None:
    with pytest.raises(ValidationError):
        TypeForm(bytes).read(raw)


def test_a_model_itself_is_what_it_was_before_a_form_was_made_of_it() -> None:
    TypeForm(Picture)
    assert Picture.__pydantic_complete__
    assert Picture.model_validate_json('{"data": "text"}') == Picture(data=b"text")
    assert Picture(data=b"text").model_dump_json() == '{"data":"text"}'


class Size(enum.IntEnum):
    SMALL = 1


@pytest.mark.parametrize(
    ("annotation", "taken", "refused"),
    [
        (int, [b"3", b"3.0", b"1180591620717411303424"], [b'"3"', b"true", b"3.5", b"NaN"]),
        (float, [b"3", b"3.5", b"-0.0"], [b'"3"', b'"nan"', b"true", b"NaN", b"Infinity", b"1e999"]),
        (bool, [b"true"], [b"1", b'"yes"']),
        (Decimal, [b"1", b'"1.10"'], [b'"abc"', b'"NaN"', b"true"]),
        (datetime.date, [b'"2024-02-29"'], [b'"tomorrow"', b"86400"]),
        (datetime.datetime, [b'"2024-02-29T10:00:00"', b'"2024-02-29T10:00:00+01:00"', b"1700000000"], [b'"soon"']),
        (datetime.time, [b'"10:00"', b'"10:00:00Z"'], [b"3600"]),
        (datetime.timedelta, [b"90", b'"90"', b'"PT90S"', b'"00:01:30"'], [b"true", b'"long"', b"1e300"]),
        (set[int], [b"[1, 1]"], [b'["1"]']),
        (Size, [b"1"], [b'"1"', b"true"]),
        (Literal[1, 2], [b"1", b"2.0"], [b"true"]),
        (Literal[True], [b"true"], [b"1"]),
    ],
)
def test_json_is_read_as_its_own_types(annotation: Any, taken: list[bytes], refused: list[bytes]) -> None:
    form = TypeForm(annotation)
    for raw in taken:
        form.read(raw)
    for raw in refused:
        with pytest.raises((ValidationError, OverflowError)):
            form.read(raw)


def test_python_values_are_checked_as_pydantic_does() -> None:
    assert TypeForm(int).check("3") == 3
    assert TypeForm(Path).check("/tmp") == Path("/tmp")


class Measured(BaseModel):
    values: list[float]
    more: Any = None


@pytest.mark.parametrize(
    ("annotation", "value", "place"),
    [
        (float, math.nan, "the whole value"),
        (list[float], [1.0, math.inf], "/1"),
        (Measured, Measured(values=[math.nan]), "/values/0"),
        (dict[str, Measured], {"a": Measured(values=[], more=[math.nan])}, "/a/more/0"),
        (Any, {"a": [math.nan]}, "/a/0"),
    ],
)
def test_no_number_that_json_does_not_have_is_written(annotation: Any, value: object, place: str) -> None:
    form = TypeForm(annotation)
    with pytest.raises(NoJsonForm, match=f"^{place}: "):
        form.write(form.check(value))


@pytest.mark.parametrize(
    "value",
    [
        datetime.datetime(2024, 2, 29, 10, 0, 0, 500_000, tzinfo=datetime.UTC),
        datetime.datetime(2024, 2, 29, tzinfo=datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))),
        datetime.date(2024, 2, 29),
        datetime.time(10, 30, 0, 1),
        datetime.timedelta(days=-1, microseconds=1),
        datetime.timedelta(days=10_000),
        Decimal("1E+5"),
        uuid.UUID(int=3),
        Path("a/b"),
        DATA,
        Size.SMALL,
        IPv4Address("127.0.0.1"),
        (1, "a"),
        0.1,
    ],
    ids=repr,
)
def test_a_value_has_the_same_form_whether_its_type_is_declared_or_not(value: Any) -> None:
    form = TypeForm(type(value))
    assert form.write(value) == json_value(value) == TypeForm(Any).write(value)
    assert form.read(msgspec.json.encode(form.write(value))) == value


class User(BaseModel):
    user_name: str = Field(serialization_alias="userName")
    friend: "User | None" = Field(None, alias="bestFriend")


def test_an_output_has_the_names_that_its_schema_says() -> None:
    form = TypeForm(User)
    written = form.write(User(user_name="ada", bestFriend=User(user_name="bob")))
    assert written == {"userName": "ada", "bestFriend": {"userName": "bob", "bestFriend": None}}
    assert form.json_schema("serialization")["$defs"]["User"]["properties"].keys() == written.keys()
    assert TypeForm(Any).write(User(user_name="ada"))["userName"] == "ada"


class Both(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    user_name: str = Field(alias="userName")


class Choices(BaseModel):
    user_name: str = Field("", validation_alias=AliasChoices("userName", "name", AliasPath("names", 0)))


class Inside(BaseModel):
    first: int = Field(validation_alias=AliasPath("all", 0))


@pytest.mark.parametrize(
    ("annotation", "properties", "required"),
    [
        (Both, {"userName": {"type": "string"}, "user_name": {"type": "string"}}, [["userName"], ["user_name"]]),
        (
            Choices,
            {"userName": {"type": "string", "default": ""}, "name": {"type": "string", "default": ""}, "names": {}},
            [],
        ),
        (Inside, {"all": {}}, [["all"]]),
    ],
)
def test_the_schema_of_an_input_has_every_name_that_a_field_may_come_by(
    annotation: Any, properties: dict[str, Any], required: list[list[str]]
) -> None:
    schema = TypeForm(annotation).json_schema()
    assert schema["properties"] == properties
    assert [part["required"] for one in schema.get("allOf", []) for part in one["anyOf"]] == required
    assert not schema.get("required")


def test_a_default_is_shown_in_its_json_form_and_left_out_where_it_has_none() -> None:
    class Settings(BaseModel):
        data: bytes = b"\xff"
        where: Path = Path("/tmp")
        limit: float = math.inf

    properties = TypeForm(Settings).json_schema()["properties"]
    assert properties["data"]["default"] == "/w=="
    assert properties["where"]["default"] == "/tmp"
    assert "default" not in properties["limit"]


class Tree(BaseModel):
    left: "Tree | None" = None
    right: "Tree | None" = None
    data: bytes = b""


class Equal(BaseModel):
    op: Literal["eq"]
    field: str


class Not(BaseModel):
    op: Literal["not"]
    of: "Filter"


class Every(BaseModel):
    op: Literal["and"]
    all: "list[Filter]"


Filter = Annotated[Equal | Not | Every, Field(discriminator="op")]


def test_recursive_types_are_read_and_written_to_the_depth_of_a_message() -> None:
    tree, where = Tree(data=DATA), Equal(op="eq", field="a")
    chain: Any = where
    for level in range(62):
        tree = Tree(left=tree, data=DATA) if level % 2 else Tree(right=tree)
        chain = Not(op="not", of=chain)
    for annotation, value in ((Tree, tree), (Filter, chain)):
        form = TypeForm(annotation)
        assert form.read(form.text(value)) == value
