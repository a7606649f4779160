"""A value becomes JSON exactly or not at all, and an error says where and what to do."""

import dataclasses
import datetime
import enum
import ipaddress
import json
import math
import uuid
from collections import OrderedDict, deque
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import pytest
from pydantic import AnyUrl, BaseModel, Field, SecretStr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.forms.plain import encode_answer, encode_input, encode_request
from agentic_atlas.sdk.forms.typed import write_object


class Colour(enum.Enum):
    RED = b"red"


class Shade(enum.StrEnum):
    DARK = "dark"


class Pair(NamedTuple):
    left: int
    right: bytes


@dataclasses.dataclass
class Point:
    at: datetime.date
    data: bytes


@pydantic_dataclass
class Named:
    name: str = Field(serialization_alias="fullName")


class Person(BaseModel):
    name: str = Field(alias="fullName")
    photo: bytes = b""
    more: Any = None


class Login(BaseModel):
    key: SecretStr


class Row(msgspec.Struct, tag="row", rename="camel"):
    row_number: int
    content: bytes


class Scalar:
    """A number as numpy has them."""

    def __init__(self, value: float) -> None:
        self.value = value

    def item(self) -> float:
        return self.value


class Array:
    """An array as numpy has them."""

    def tolist(self) -> list[list[float]]:
        return [[1.0, 2.5]]


class Half(float):
    """A float of another class, as numpy's."""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00\xff", "AP8="),
        (bytearray(b"ab"), "YWI="),
        (memoryview(b"ab"), "YWI="),
        ({"deep": [(b"a", {b"b"})]}, {"deep": [["YQ==", ["Yg=="]]]}),
        (PurePosixPath("a/b"), "a/b"),
        (datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.UTC), "2024-02-29T10:00:00Z"),
        (datetime.datetime.fromisoformat("2024-02-29T10:00:00"), "2024-02-29T10:00:00"),
        (datetime.time(10, 30), "10:30:00"),
        (datetime.timedelta(seconds=90), "PT1M30S"),
        (uuid.UUID(int=3), "00000000-0000-0000-0000-000000000003"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "cmVk"),
        (Shade.DARK, "dark"),
        ({3, 1, 2}, [1, 2, 3]),
        (deque([1]), [1]),
        (range(2), [0, 1]),
        ((n for n in (1, 2)), [1, 2]),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (Pair(1, b"a"), [1, "YQ=="]),
        (Point(datetime.date(2024, 2, 29), b"a"), {"at": "2024-02-29", "data": "YQ=="}),
        (Named("Ada"), {"fullName": "Ada"}),
        (Person(fullName="Ada", photo=b"\xff"), {"fullName": "Ada", "photo": "/w==", "more": None}),
        (
            Person(fullName="Ada", more=[Person(fullName="Bob", photo=b"\xff")]).more,
            [{"fullName": "Bob", "photo": "/w==", "more": None}],
        ),
        (
            Person(fullName="Ada", more={"of": Point(datetime.date(2024, 2, 29), b"a")}),
            {"fullName": "Ada", "photo": "", "more": {"of": {"at": "2024-02-29", "data": "YQ=="}}},
        ),
        (Row(1, b"a"), {"type": "row", "rowNumber": 1, "content": "YQ=="}),
        ([Scalar(1.5), Array(), Half(2.0)], [1.5, [[1.0, 2.5]], 2.0]),
        ({2: "a", 2.5: "b", True: "c", Shade.DARK: "d"}, {"2": "a", "2.5": "b", "true": "c", "dark": "d"}),
        ({datetime.date(2024, 2, 29): 1, b"a": 2}, {"2024-02-29": 1, "YQ==": 2}),
        ([2**53 + 1, 2**70, -(2**70)], [2**53 + 1, 2**70, -(2**70)]),
        ("a\x00b", "a\x00b"),
        (ipaddress.IPv4Address("127.0.0.1"), "127.0.0.1"),
        (AnyUrl("https://example.org/a"), "https://example.org/a"),
    ],
)
def test_a_value_arrives_in_the_one_form_of_its_type(value: Any, expected: Any) -> None:
    assert json.loads(encode_answer(value, write_object)) == expected


def test_a_negative_zero_keeps_its_sign() -> None:
    assert math.copysign(1, json.loads(encode_answer([-0.0], write_object))[0]) == -1


KNOT: list[Any] = []
KNOT.append(KNOT)


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (math.nan, "/x", "nan is no number of JSON: give None"),
        ([1, {"deep": (0.5, -math.inf)}], "/x/1/deep/1", "-inf is no number"),
        ([1.0, math.nan], "/x/1", "nan is no number"),
        (Half("nan"), "/x", "nan is no number"),
        (Scalar(math.nan), "/x", "nan is no number"),
        (Decimal("NaN"), "/x", "the decimal NaN is no number"),
        (Person(fullName="A", more=math.inf), "/x/more", "inf is no number"),
        ({"a": Person(fullName="A", more={"b": math.nan})}, "/x/a/more/b", "nan is no number"),
        (["a", "b\ud800"], "/x/1", "half of a surrogate pair"),
        ({"\ud800": 1}, "/x", "half of a surrogate pair"),
        ({1: "a", "1": "b"}, "/x/1", "two keys"),
        ({None: 1}, "/x", "a key of this mapping is a NoneType: make it text"),
        ({(1, 2): 1}, "/x", "a key of this mapping is a tuple: make it text"),
        (SecretStr("hidden"), "/x", "it is a secret"),
        ([Login(key=SecretStr("hidden"))], "/x/0/key", "it is a secret"),
        (object(), "/x", "object has no JSON form: give text"),
        ([10**5000], "", "limit"),
        (KNOT, "", "holds itself"),
    ],
)
def test_what_has_no_json_form_is_refused_with_its_place_and_what_to_do(value: Any, path: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        encode_input({"x": value}, write_object)
    [fault] = caught.value.detail  # type: ignore[misc]
    assert fault["path"] == path  # type: ignore[call-overload,index]
    assert reason in caught.value.message
    assert "hidden" not in caught.value.message


def test_json_that_is_made_already_is_passed_on() -> None:
    assert encode_request({"input": msgspec.Raw(b'{"a": 1}')}) == b'{"input":{"a": 1}}'
