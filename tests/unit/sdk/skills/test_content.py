import dataclasses
import datetime
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError, field_serializer

from agentic_atlas.errors import PayloadTooLarge
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.forms.typed import InvalidOutput, TypeForm, encode_chunk, encode_output
from agentic_atlas.sdk.skills.content import (
    INLINE_BYTES,
    DataPart,
    FilePart,
    LinkPart,
    Part,
    TextPart,
)

ANY = TypeForm(Any)


class City(BaseModel):
    name: str


@dataclasses.dataclass
class Point:
    x: int


class Broken(BaseModel):
    name: str = "x"

    @field_serializer("name")
    def shout(self, name: str) -> str:
        raise KeyError(name)


def encoded(value: object, form: TypeForm = ANY, **limits: int) -> Any:
    return msgspec.json.decode(encode_output(value, form, Limits(**limits)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("text", "text"),
        (City(name="Oslo"), {"name": "Oslo"}),
        (Point(1), {"x": 1}),
        ({"at": datetime.date(2024, 2, 29)}, {"at": "2024-02-29"}),
        (Path("a") / "b", "a/b"),
        ({1, 2}, [1, 2]),
        (b"\xff", "/w=="),
        ({"deep": [City(name="Oslo")]}, {"deep": [{"name": "Oslo"}]}),
        (TextPart(text="hello"), {"kind": "text", "text": "hello"}),
        (DataPart(data={"a": 1}), {"kind": "data", "data": {"a": 1}}),
        (
            [LinkPart(url="https://example.org/a")],
            [{"kind": "link", "url": "https://example.org/a", "name": None, "media_type": None}],
        ),
    ],
)
def test_plain_values_models_and_parts_become_json(value: object, expected: object) -> None:
    assert encoded(value) == expected


def test_a_file_part_is_bytes_in_python_and_base64_in_json() -> None:
    part = FilePart(name="a.bin", content=b"\xff\xfe\xfd")
    wire = encoded(part)
    assert wire == {"kind": "file", "name": "a.bin", "media_type": "application/octet-stream", "content": "//79"}
    assert TypeAdapter(Part).validate_python(wire) == part


def test_a_file_part_made_from_a_file_takes_its_name_and_type(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_bytes(b"<p>")
    part = FilePart.read(tmp_path / "page.html")
    assert (part.name, part.media_type, part.content) == ("page.html", "text/html", b"<p>")


def test_a_file_that_is_too_large_to_travel_inside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"x" * (INLINE_BYTES + 1))
    with pytest.raises(PayloadTooLarge, match="link to it"):
        FilePart.read(tmp_path / "big")
    with pytest.raises(ValidationError):
        FilePart(name="big", content=b"x" * (INLINE_BYTES + 1))


@pytest.mark.parametrize(
    "fields",
    [{"name": "a/b", "content": b""}, {"name": "..\\b", "content": b""}, {"name": "a", "content": "no base64"}],
)
def test_a_file_part_with_a_path_for_a_name_or_broken_base64_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FilePart(**fields)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "file:///etc/passwd", "https://", "https://a b"])
def test_a_link_leads_to_the_web(url: str) -> None:
    with pytest.raises(ValidationError):
        LinkPart(url=url)


def test_a_part_of_any_kind_is_told_by_its_kind() -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(Part)
    assert adapter.validate_python({"kind": "text", "text": "a"}) == TextPart(text="a")
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "video"})


@pytest.mark.parametrize(
    ("value", "form", "reason"),
    [
        (object(), ANY, "object"),
        ("\ud800", ANY, "surrogate pair"),
        ([1.0, math.nan], ANY, "/1: nan is no number of JSON"),
        (math.inf, TypeForm(float), "inf is no number of JSON"),
        (Broken(), ANY, "KeyError|name"),
        ("seven", TypeForm(int), 'it is not of type "integer"'),
        ({"name": 7}, TypeForm(City), '/name: it is not of type "string"'),
    ],
)
def test_what_has_no_json_form_or_another_type_is_an_invalid_output(value: object, form: TypeForm, reason: str) -> None:
    with pytest.raises(InvalidOutput, match=reason) as caught:
        encoded(value, form)
    assert caught.value.code == "invalid_output"


def test_an_invalid_output_does_not_echo_its_value() -> None:
    with pytest.raises(InvalidOutput) as caught:
        encoded({"name": ["secret-7"]}, TypeForm(City))
    assert "secret-7" not in json.dumps([caught.value.message, caught.value.detail])


def test_a_cycle_is_an_invalid_output() -> None:
    knot: list[object] = []
    knot.append(knot)
    with pytest.raises(InvalidOutput):
        encoded(knot)


def test_what_is_nested_too_deeply_for_the_wire_never_gets_there() -> None:
    def nested(depth: int) -> object:
        return [nested(depth - 1)] if depth else 0

    assert encoded(nested(8), depth=10)
    with pytest.raises(InvalidOutput, match="deeper than 8"):
        encoded(nested(9), depth=10)


def test_an_output_over_the_limit_of_the_connection_is_too_large() -> None:
    assert encoded("x" * 98, payload_bytes=100)
    with pytest.raises(PayloadTooLarge) as caught:
        encoded("x" * 99, payload_bytes=100)
    assert caught.value.code == "payload_too_large"


def test_a_chunk_fits_an_event_with_what_surrounds_it() -> None:
    fits = encode_chunk("x" * 82, ANY, Limits(event_bytes=100))
    assert len(msgspec.json.encode({"value": fits})) <= 100
    with pytest.raises(PayloadTooLarge):
        encode_chunk("x" * 83, ANY, Limits(event_bytes=100))
