"""The schema that the server checks and the type's own check never contradict each other in the harmful direction."""

import datetime
import enum
import json
import uuid
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, AnyUrl, Base64Bytes, BaseModel, ByteSize, ConfigDict, Field
from typing_extensions import TypedDict

from agentic_atlas.backend.domain.schemas import Validator
from agentic_atlas.sdk.forms.typed import TypeForm


class Colour(enum.StrEnum):
    RED = "red"


class Size(enum.IntEnum):
    SMALL = 1


class Point(NamedTuple):
    x: int
    at: datetime.date = datetime.date(2024, 1, 1)


@dataclass
class Span:
    length: datetime.timedelta
    data: bytes = b""


class Options(TypedDict, total=False):
    fast: bool
    when: datetime.datetime


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    born: datetime.date | None = None


class Renamed(BaseModel):
    from_: int = Field(alias="from")
    by: str = Field("", validation_alias="byWhom")


class Both(BaseModel):
    model_config = ConfigDict(populate_by_name=True, extra="forbid")

    from_: int = Field(alias="from")
    by: str = Field("", alias="byWhom")


class Choices(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: int = Field(validation_alias=AliasChoices("byWhom", "by", AliasPath("when", 0)))


class Inside(BaseModel):
    by: int = Field(validation_alias=AliasPath("when", 0))


class Coerced(BaseModel):
    model_config = ConfigDict(str_strip_whitespace=True, coerce_numbers_to_str=True, populate_by_name=True)

    by: str = Field(max_length=2)


EXACT: list[Any] = [
    int, float, bool, str, None, bytes, datetime.date, datetime.datetime, datetime.time,
    datetime.timedelta, uuid.UUID, Decimal, IPv4Address, IPv6Address, IPv4Network, Colour, Size, Literal[1, "a"],
    Literal[True], list[datetime.date], dict[str, bytes], int | None, Cat, Span, Options,
]  # fmt: skip
"""Types whose schema says all that their check does."""

LOOSE: list[Any] = [
    set[int], frozenset[str], Annotated[set[int], Field(max_length=1)], tuple[int, str], tuple[float, ...], deque[int],
    Base64Bytes, Annotated[bytes, Field(min_length=2, max_length=4)], Annotated[int, Field(ge=1, multiple_of=3)],
    Annotated[Decimal, Field(ge=1, max_digits=4)], Annotated[str, Field(pattern=r"^\d{2}$")],
    Annotated[str, Field(pattern=r"^\w+$")],
    Annotated[str, Field(min_length=2, max_length=3)], dict[int, float], dict[datetime.date, int], AnyUrl, Path,
    complex, Fraction, ByteSize, Renamed, Both, Choices, Inside, Coerced, Point, Any,
    str | int, bytes | None, float | datetime.datetime,
    Annotated[Cat | Dog, Field(discriminator="kind")], list[Cat | Dog], Annotated[float, Field(multiple_of=0.1)],
    Annotated[datetime.timedelta, Field(gt=datetime.timedelta(0))],
]  # fmt: skip
"""Types whose check says more than a schema can."""

TEXTS = st.sampled_from(
    [
        "", "3", " 3 ", " ab ", "3.5", "1e5", "-0", "nan", "inf", "true", "yes", "red", "a", "cat", "2024-02-29",
        "2023-02-29",
        "2024-02-29T10:00:00", "2024-02-29T10:00:00Z", "2024-02-29 10:00", "10:00", "10:00:61", "tomorrow", "86400",
        "1700000000", "90", "P1D", "PT90S", "-PT1.5S", "1 day", "P", "P1000000000D", "99999999999999999", "aGk=",
        "aGk", "!", "_-==", "\u0663\u0663", "127.0.0.1", "::1", "10.0.0.0/8", "https://example.org", "no url", "1GB",
        "00000000-0000-0000-0000-000000000003", "{00000000-0000-0000-0000-000000000003}", "1/3", "1+2j", "größe",
        "a\u0000b",
    ]
)  # fmt: skip
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([0.0, -0.0, 1.0, 1.5, 0.3, 90, 86_400, 2**53 + 1, 2**70, -(2**70), 1e14, -62135596800, 9e15]),
    st.floats(-9e15, 9e15),
)
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS | st.text(max_size=4)
NAMES = st.sampled_from(["kind", "lives", "born", "from", "from_", "byWhom", "by", "length", "data", "fast", "when"])
VALUES = st.recursive(
    SCALARS,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(NAMES | TEXTS, part, max_size=3),
    max_leaves=6,
)
LIKELY = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["cat", "dog", "cow"])}, optional={"lives": SCALARS, "born": SCALARS}
    ),
    st.fixed_dictionaries({"length": SCALARS}, optional={"data": SCALARS}),
    st.dictionaries(st.sampled_from(["from", "from_", "byWhom", "by"]), SCALARS),
    st.dictionaries(st.sampled_from(["when", "by"]), SCALARS | st.lists(SCALARS, max_size=2)),
    st.dictionaries(st.sampled_from(["fast", "when"]), SCALARS),
    st.dictionaries(st.sampled_from(["x", "at"]), SCALARS),
    st.lists(SCALARS, max_size=3),
)


@cache
def form(place: int) -> tuple[TypeForm, Validator]:
    made = TypeForm([*EXACT, *LOOSE][place])
    return made, Validator(json.dumps(made.json_schema()).encode())


def taken_by_type(place: int, raw: bytes) -> bool:
    try:
        form(place)[0].read(raw)
    except Exception:  # noqa: BLE001 - for some wrong values the types of Python raise errors of their own
        return False
    return True


def taken_by_schema(place: int, value: object) -> bool:
    return form(place)[1].fits(value)


@pytest.mark.parametrize("place", range(len(EXACT) + len(LOOSE)), ids=lambda place: str([*EXACT, *LOOSE][place])[:40])
@settings(max_examples=60, deadline=None)
@given(value=VALUES | LIKELY | SCALARS)
def test_the_server_refuses_nothing_that_the_type_takes_and_takes_nothing_that_both_can_tell_is_wrong(
    place: int, value: object
) -> None:
    raw = json.dumps(value).encode()
    by_type, by_schema = taken_by_type(place, raw), taken_by_schema(place, json.loads(raw))
    assert by_schema or not by_type
    if place < len(EXACT):
        assert by_type or not by_schema
