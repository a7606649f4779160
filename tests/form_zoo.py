"""An agent whose skills take what real signatures take: forms are made of them in tests. It can be run as a program."""

from __future__ import annotations

import datetime
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AnyUrl, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from agentic_atlas import Agent

agent = Agent("zoo", description="One skill for each kind of parameter")

SAMPLES: dict[str, list[dict[str, Any]]] = {}
"""By skill, inputs that it takes."""


def takes(*samples: dict[str, Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare the decorated function as a skill that takes these inputs."""

    def declare(skill: Callable[..., Any]) -> Callable[..., Any]:
        SAMPLES[skill.__name__] = list(samples)
        return agent.skill(skill)  # type: ignore[call-overload,no-any-return]  # one overload is a decorator's

    return declare


class Colour(enum.StrEnum):
    RED = "red"
    GREEN = "green"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Address:
    street: str
    city: str = "Bern"


@dataclass
class Person:
    name: Annotated[str, Field(min_length=1, max_length=80, description="As on the letter box")]
    address: Address
    former: list[Address] = field(default_factory=list)


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    born: datetime.date | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Tree(BaseModel):
    """A node with others below it."""

    label: str
    children: list[Tree] = []


class Chain(BaseModel):
    value: int
    next: Chain | None = None


class Constant(BaseModel):
    op: Literal["constant"]
    value: float


class Sum(BaseModel):
    op: Literal["sum"]
    left: Expression
    right: Expression


Expression = Annotated[Constant | Sum, Field(discriminator="op")]
Sum.model_rebuild()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    only: int


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int


class Options(TypedDict, total=False):
    fast: bool
    when: datetime.datetime


class Paired(BaseModel):
    given: Annotated[str, Field(alias="givenName")]


@takes({})
async def nothing() -> None: ...


@takes({"text": "hello"}, {"text": ""}, {"text": "two\nlines\n\nand <b>more</b>"}, {"text": "hidden \u202e and \x07"})
async def text(text: str) -> None: ...


@takes({"text": "short"})
async def short_text(text: Annotated[str, Field(min_length=2, max_length=20)]) -> None: ...


@takes({"code": "AB-12"})
async def pattern(code: Annotated[str, Field(pattern="^[A-Z]{2}-[0-9]{2}$")]) -> None: ...


@takes({"count": 3}, {"count": -(10**30)})
async def whole(count: int) -> None: ...


@takes({"ratio": 0.5}, {"ratio": 1e300}, {"ratio": 2})
async def number(ratio: Annotated[float, Field(description="Of all")]) -> None: ...


@takes({"count": 20})
async def bounded(count: Annotated[int, Field(ge=1, le=20, multiple_of=5)]) -> None: ...


@takes({"yes": True}, {"yes": False})
async def truth(yes: bool) -> None: ...


@takes({}, {"yes": True}, {"yes": False})
async def truth_by_default(yes: bool = False) -> None: ...


@takes({}, {"text": "x", "count": 1, "items": ["a"]}, {"text": "", "items": []})
async def defaults(text: str = "word", count: int = 5, items: list[str] = []) -> None: ...  # noqa: B006


@takes({}, {"text": None}, {"text": ""}, {"text": "x", "count": 0}, {"count": None})
async def nullable(text: str | None = None, count: int | None = None) -> None: ...


@takes({"text": None}, {"text": "x"}, {"text": ""})
async def null_or_text(text: str | None) -> None: ...


@takes({"colour": "red"}, {"colour": "green"})
async def enumeration(colour: Colour) -> None: ...


@takes({"size": 1}, {"size": 2, "other": 1})
async def numbered(size: Size, other: Size = Size.SMALL) -> None: ...


@takes({"mode": "fast"}, {"mode": 3}, {"mode": True}, {"mode": None})
async def literals(mode: Literal["fast", 3, True, None]) -> None: ...


@takes({"day": "2026-11-30"}, {"day": "2024-02-29"})
async def day(day: datetime.date) -> None: ...


@takes(
    {"at": "2026-11-30T18:05:00Z"},
    {"at": "2026-11-30T18:05:07+05:45"},
    {"at": "2026-11-30T18:05:00"},
    {"at": "2026-11-30T18:05:07.123456Z"},
)
async def moment(at: datetime.datetime) -> None: ...


@takes({"at": "18:05:00"}, {"at": "18:05:07Z"}, {"at": "18:05:07.5"})
async def clock(at: datetime.time) -> None: ...


@takes({"lasts": "PT1H30M"}, {"lasts": "P1DT2S"})
async def duration(lasts: datetime.timedelta) -> None: ...


@takes({"price": "12.30"}, {"price": 12.5}, {})
async def decimal(price: Decimal = Decimal("1.50")) -> None: ...


@takes({"id": "123e4567-e89b-42d3-a456-426614174000"})
async def identifier(id: uuid.UUID) -> None: ...


@takes({"url": "https://example.org/a?b=c#d", "host": "192.0.2.1"})
async def addresses(url: AnyUrl, host: IPv4Address) -> None: ...


@takes({"where": "a/b.txt"})
async def path(where: Path) -> None: ...


@takes({"data": "aGVsbG8="}, {"data": ""})
async def file(data: bytes) -> None: ...


@takes({}, {"data": None}, {"data": "aGVsbG8="})
async def optional_file(data: bytes | None = None) -> None: ...


@takes({"words": ["a", "b"]}, {"words": []}, {"words": [""]})
async def texts(words: list[str]) -> None: ...


@takes({"numbers": [1, 2.5]}, {"numbers": [0]})
async def some_numbers(numbers: Annotated[list[float], Field(min_length=1, max_length=3)]) -> None: ...


@takes({"rows": [[1, 2], [], [3]]})
async def table(rows: list[list[int]]) -> None: ...


@takes({"tags": ["a", "b"]})
async def unique(tags: set[str]) -> None: ...


@takes({"pair": ["a", 1]})
async def pair(pair: tuple[str, int]) -> None: ...


@takes({"point": [1, 2], "more": [1, 2, 3]}, {"point": [1], "more": []})
async def tuples(point: Point, more: tuple[int, ...] = ()) -> None: ...


@takes({"person": {"name": "Ada", "address": {"street": "1 Way"}}})
async def nested(person: Person) -> None: ...


@takes({"people": []}, {"people": [{"name": "A", "address": {"street": "", "city": "X"}, "former": [{"street": "s"}]}]})
async def people(people: list[Person]) -> None: ...


@takes({"counts": {"a": 1, "b/c": 2}}, {"counts": {}}, {"counts": {"": 1}})
async def mapping(counts: dict[str, int]) -> None: ...


@takes({"of": {"x": {"y": ["z"]}}})
async def mappings(of: dict[str, dict[str, list[str]]]) -> None: ...


@takes({"either": 1}, {"either": "1"}, {"either": ["1"]}, {"either": [1]})
async def either(either: int | str | list[int] | list[str]) -> None: ...


@takes({"pet": {"kind": "cat"}}, {"pet": {"kind": "dog", "born": None}}, {"pet": {"kind": "dog", "born": "2020-01-01"}})
async def tagged(pet: Pet) -> None: ...


@takes({}, {"pet": None}, {"pet": {"kind": "cat", "lives": 7}}, {"pets": [{"kind": "dog"}]})
async def some_pets(pet: Pet | None = None, pets: list[Pet] = []) -> None: ...  # noqa: B006


@takes({"tree": {"label": "a"}}, {"tree": {"label": "a", "children": [{"label": "b", "children": [{"label": "c"}]}]}})
async def tree(tree: Tree) -> None: ...


@takes({"chain": {"value": 1}}, {"chain": {"value": 1, "next": {"value": 2, "next": None}}})
async def chain(chain: Chain) -> None: ...


@takes(
    {"of": {"op": "constant", "value": 1}},
    {"of": {"op": "sum", "left": {"op": "constant", "value": 1}, "right": {"op": "constant", "value": 2.5}}},
)
async def expression(of: Expression) -> None: ...


@takes({"strict": {"only": 1}, "loose": {"known": 1, "other": [1, {"a": None}]}}, {"strict": {"only": 1}})
async def open_and_closed(strict: Strict, loose: Loose | None = None) -> None: ...


@takes({"options": {}}, {"options": {"fast": True, "when": "2026-11-30T18:05:00Z"}})
async def options(options: Options) -> None: ...


@takes({"anything": None}, {"anything": {"a": [1, "x", False]}}, {"anything": "text", "whatever": {"b": {}}})
async def anything(anything: Any, whatever: dict[str, Any] = {}) -> None: ...  # noqa: B006


@takes({"paired": {"givenName": "Ada"}, "a_b": 1})
async def renamed(paired: Paired, a_b: int) -> None: ...


if __name__ == "__main__":
    agent.run()
