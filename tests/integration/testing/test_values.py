"""Values arrive as they were sent, at every door between a caller and a skill, or are refused where they are given."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import math
import uuid
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from pydantic import BaseModel, Field

from agentic_atlas import Agent, Context, InvalidInput, SyncContext, TaskError
from agentic_atlas.testing import Caller, running

DATA = bytes(range(256))
TEXT = b64encode(DATA).decode()


class Colour(enum.Enum):
    RED = "red"


class Person(BaseModel):
    full_name: str = Field(alias="fullName")
    photo: bytes = b""
    friends: list[Person] = []


@dataclasses.dataclass
class Parcel:
    content: bytes
    to: Person | None = None


class Row(msgspec.Struct):
    number: int
    content: bytes


@functools.cache
def values() -> Agent:
    agent = Agent("values")
    _add_bytes(agent)
    _add_calls(agent)
    _add_numbers(agent)
    return agent


def _add_bytes(agent: Agent) -> None:
    @agent.skill
    async def raw(data: bytes = DATA) -> bytes:
        assert isinstance(data, bytes)
        return data[::-1]

    @agent.skill
    def parcel(parcel: Parcel) -> Parcel:
        assert isinstance(parcel.content, bytes)
        return dataclasses.replace(parcel, content=parcel.content[::-1])

    @agent.skill
    def untyped(value: Any) -> Any:
        return [value, Parcel(DATA, Person(fullName="Ada", photo=DATA)), {"data": DATA}]

    @agent.skill
    async def pieces() -> AsyncIterator[bytes]:
        yield DATA
        yield b"\xff"

    @agent.skill
    async def asks(ctx: Context) -> list[Any]:
        data = await ctx.ask("Which bytes?", bytes)
        assert isinstance(data, bytes)
        return [data, await ctx.ask("Which value?")]


def _add_calls(agent: Agent) -> None:
    @agent.skill
    async def hands_on(ctx: Context, skill: str, data: bytes) -> list[Any]:
        person = Person(fullName="Ada", photo=data)
        answers = [await ctx.call("values", "raw", data=data)]
        answers.append((await ctx.call("values", "parcel", parcel=Parcel(data, person)))["content"])
        answers += [event.data async for event in ctx.stream("values", "pieces")]
        return answers

    @agent.skill
    def calls(ctx: SyncContext, agent: str, skill: str, input: Any, nan: bool = False) -> Any:
        return ctx.call(agent, skill, value={"a": [math.nan]} if nan else input)

    @agent.skill
    def everything(
        at: datetime.datetime,
        for_: Annotated[datetime.timedelta, Field(alias="for")],
        colour: Colour,
        id: uuid.UUID,
        price: Decimal,
        where: Path,
        tags: set[str],
        row: dict[str, Any],
    ) -> dict[str, Any]:
        return {"at": at, "for": for_, "colour": colour, "id": id, "price": price, "where": where, "tags": tags} | row


def _add_numbers(agent: Agent) -> None:
    @agent.skill
    def number(kind: str) -> float:
        return float(kind)

    @agent.skill
    def numbers(kind: str) -> list[Any]:
        return [1, {"deep": float(kind)}]

    @agent.skill
    async def yields(kind: str) -> AsyncIterator[float]:
        yield 1.0
        yield float(kind)

    @agent.skill
    def same(value: Any) -> Any:
        return value

    @agent.skill
    def whole(value: int) -> int:
        return value

    @agent.skill
    def wrong(kind: str) -> int:
        return "seven" if kind == "text" else None  # type: ignore[return-value]

    @agent.skill
    def logs(ctx: SyncContext) -> str:
        ctx.log.info("measured", value=math.nan)
        ctx.progress(math.inf)
        return "done"


@pytest.fixture(scope="module")
def caller() -> Any:
    with running(values()) as network:
        yield network


def test_bytes_are_base64_in_json_and_bytes_in_python_both_ways(caller: Caller) -> None:
    assert b64decode(caller.call("raw", data=DATA)) == DATA[::-1]
    assert b64decode(caller.call("raw", data=bytearray(DATA))) == DATA[::-1]
    assert b64decode(caller.call("raw", data=memoryview(DATA))) == DATA[::-1]
    assert b64decode(caller.call("raw", data=TEXT)) == DATA[::-1]
    assert b64decode(caller.call("raw")) == DATA[::-1]


def test_bytes_deep_in_what_nobody_declared_have_the_same_form(caller: Caller) -> None:
    person = {"fullName": "Ada", "photo": TEXT, "friends": []}
    assert caller.call("untyped", value={"a": {DATA}}) == [
        {"a": [TEXT]},
        {"content": TEXT, "to": person},
        {"data": TEXT},
    ]


def test_bytes_in_models_and_dataclasses_come_back_as_they_were(caller: Caller) -> None:
    friend = Person(fullName="Bob", photo=DATA)
    sent = Parcel(DATA, Person(fullName="Ada", photo=DATA, friends=[friend]))
    answer = caller.call("parcel", parcel=sent)
    assert b64decode(answer["content"]) == DATA[::-1]
    assert Person.model_validate(answer["to"] | {"photo": b64decode(answer["to"]["photo"]), "friends": []}) == Person(
        fullName="Ada", photo=DATA
    )
    assert answer["to"]["friends"] == [{"fullName": "Bob", "photo": TEXT, "friends": []}]


def test_bytes_that_are_yielded_asked_for_and_handed_on_have_the_same_form(caller: Caller) -> None:
    assert caller.call("pieces") == [TEXT, "/w=="]
    handed = caller.call("hands_on", skill="raw", data=DATA)
    backwards = b64encode(DATA[::-1]).decode()
    assert handed[:2] == [backwards, backwards]
    assert handed[2:] == [{"value": TEXT}, {"value": "/w=="}, [TEXT, "/w=="]]
    task = caller.submit("asks")
    task.answer(DATA)
    task.answer({"any": DATA})
    assert task.result() == [TEXT, {"any": TEXT}]


def test_text_that_is_not_base64_is_refused_before_there_is_a_task(caller: Caller) -> None:
    with pytest.raises(InvalidInput, match=r"/data: .*base64"):
        caller.call("raw", data="hello")


@pytest.mark.parametrize("skill", ["number", "numbers", "yields"])
@pytest.mark.parametrize("kind", ["nan", "inf", "-inf"])
def test_no_number_of_an_output_becomes_null(caller: Caller, skill: str, kind: str) -> None:
    with pytest.raises(TaskError, match=r"is no number of JSON") as caught:
        caller.call(skill, kind=kind)
    assert caught.value.code == "invalid_output"


def test_no_number_of_an_input_becomes_null(caller: Caller) -> None:
    for value in (math.nan, [math.inf], {"a": Decimal("NaN")}):
        with pytest.raises(InvalidInput, match=r"/value.* is no number of JSON"):
            caller.call("same", value=value)
    with pytest.raises(TaskError, match=r"InvalidInput: .*/value/a/0: nan is no number of JSON"):
        caller.call("calls", agent="values", skill="same", input=None, nan=True)
    task = caller.submit("asks")
    with pytest.raises(InvalidInput, match="the answer cannot be sent: /0: nan"):
        task.answer([math.nan])
    task.cancel()


def test_what_is_reported_of_a_number_that_json_does_not_have_says_so(caller: Caller) -> None:
    task = caller.submit("logs")
    assert task.result() == "done"
    told = {event.kind: event.data for event in task.events()}
    assert told["log"]["fields"] == {"value": "nan"}
    assert told["progress"]["fraction"] == 1.0


def test_a_client_and_a_skill_take_the_same_types(caller: Caller) -> None:
    given = {
        "at": datetime.datetime(2024, 2, 29, 10, tzinfo=datetime.UTC),
        "for": datetime.timedelta(minutes=1.5),
        "colour": Colour.RED,
        "id": uuid.UUID(int=3),
        "price": Decimal("1.10"),
        "where": Path("/tmp/a"),
        "tags": {"b"},
        "row": Row(1, DATA),
    }
    answer = caller.call("everything", given)
    assert answer == {
        "at": "2024-02-29T10:00:00Z",
        "for": "PT1M30S",
        "colour": "red",
        "id": "00000000-0000-0000-0000-000000000003",
        "price": "1.10",
        "where": "/tmp/a",
        "tags": ["b"],
        "number": 1,
        "content": TEXT,
    }
    assert caller.call("everything", given | {"for": 90})["at"] == "2024-02-29T10:00:00Z"


@pytest.mark.parametrize(
    "value", [2**53 + 1, 2**64, -(2**70), 0.1, 1e-300, "a\x00b", "\U0001f600", [], {}, None, False]
)
def test_a_value_is_the_same_after_its_way_through_the_network(caller: Caller, value: Any) -> None:
    answer = caller.call("same", value=value)
    assert (answer, type(answer)) == (value, type(value))


def test_a_whole_number_of_any_size_arrives_exactly_and_a_zero_keeps_its_sign(caller: Caller) -> None:
    assert caller.call("whole", value=2**70 + 1) == 2**70 + 1
    assert math.copysign(1, caller.call("same", value=-0.0)) == -1


def test_half_of_a_surrogate_pair_is_refused_where_it_is_given(caller: Caller) -> None:
    with pytest.raises(InvalidInput, match="/value/a: it holds half of a surrogate pair"):
        caller.call("same", value={"a": "\ud800"})


@pytest.mark.parametrize("kind", ["text", "none"])
def test_an_output_of_another_type_than_declared_is_an_invalid_output(caller: Caller, kind: str) -> None:
    with pytest.raises(TaskError) as caught:
        caller.call("wrong", kind=kind)
    assert caught.value.code == "invalid_output"


@pytest.mark.parametrize("timeout", [math.nan, 0.0, -1.0, math.inf])
def test_an_option_out_of_its_bounds_is_refused_by_its_name(caller: Caller, timeout: float) -> None:
    with pytest.raises(InvalidInput, match="timeout has to be "):
        caller.submit("same", {"value": 1}, timeout=timeout)
