"""Forms are read as what a handler takes, and bounded."""

from __future__ import annotations

import tracemalloc
from time import monotonic
from typing import Annotated, Literal
from urllib.parse import parse_qsl

import msgspec
import pytest
from msgspec import Meta

from agentic_atlas.errors import InvalidInput, PayloadTooLarge
from agentic_atlas.http.forms import FORM, MAX_FIELDS, STEP, UnfitForm, read_any_form, read_fields, read_form
from agentic_atlas.http.messages import Request, RequestBody
from agentic_atlas.http.turns import Turns

pytestmark = pytest.mark.anyio


class Sent(msgspec.Struct, forbid_unknown_fields=True):
    """What a form may say."""

    name: str
    about: str = "nothing"
    hours: Annotated[float, Meta(gt=0)] | None = None
    kind: Literal["a", "b"] = "a"
    sure: bool = False
    scopes: list[str] = []


def sent(text: str, kind: str = FORM, **fields: str) -> Request:
    request = Request("POST", "/form", "", {"content-type": [kind], "content-length": [str(len(text))], **{
        name.replace("_", "-"): [value] for name, value in fields.items()
    }})  # fmt: skip
    body = RequestBody()
    body.feed(text.encode("latin-1"))
    body.end()
    request.received("", body, None)
    return request


async def read(request: Request, most: int = 1_000) -> Sent:
    return await read_form(request, Turns(monotonic), Sent, most=most)


async def test_text_becomes_what_the_fields_are() -> None:
    found = await read(sent("name=Ada+%C3%A9&hours=1.5&kind=b&sure=true&scopes=x&scopes=y"))
    assert found == Sent("Ada é", hours=1.5, kind="b", sure=True, scopes=["x", "y"])


async def test_what_was_left_empty_is_not_there_unless_it_is_a_text() -> None:
    assert await read(sent("name=&about=&hours=&kind=&sure=")) == Sent("", about="")


@pytest.mark.parametrize(
    ("text", "told"),
    [("about=x", "name"), ("name=x&hours=-1", "hours"), ("name=x&more=y", "more"), ("name=x&kind=c", "kind")],
)
async def test_what_is_not_acceptable_is_named(text: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as refused:
        await read(sent(text))
    assert refused.value.detail is not None


@pytest.mark.parametrize("text", ["name=%FF", "name=\xff", "&".join(["scopes=x"] * (MAX_FIELDS + 1))])
async def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await read(sent(text), most=100_000)
    assert refused.value.code == "invalid_form"


async def test_it_is_bounded_and_has_to_say_what_it_is() -> None:
    with pytest.raises(PayloadTooLarge):
        await read(sent("name=" + "x" * 1_000))
    for kind in ("application/json", "text/plain", "multipart/form-data"):
        with pytest.raises(InvalidInput, match="has to be a form"):
            await read(sent("name=x", kind))
    with pytest.raises(InvalidInput, match="compressed"):
        await read(sent("name=x", content_encoding="gzip"))


@pytest.mark.parametrize(
    "text",
    [
        "a=1&a=2&b&=c&&d=x+y%20%C3%A9&%C3%A9=%zz%4&e==%3D",
        "a=" + "%5B%5D%2C" * STEP + "&b=" + "x%C3%A9" * STEP,
        "a=x" + "%5B" * STEP + "&b=xx" + "%5B" * STEP,
        "&".join(f"n{number}=" + "%C3%A9" * 10 for number in range(2_000)),
    ],
)
async def test_fields_are_read_as_they_came_however_long_they_are(text: str) -> None:
    found = await read_fields(sent(text), Turns(lambda: 0.0), most=len(text), most_fields=5_000)
    assert found == dict(parse_qsl(text, keep_blank_values=True))


@pytest.mark.parametrize("text", ["a=%ff", "a=é", "&".join(["a=1"] * 11), "a=" + "x" * STEP + "%C3"])
async def test_fields_that_are_no_text_or_too_many_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await read_fields(sent(text), Turns(lambda: 0.0), most=STEP * 2, most_fields=10)
    assert refused.value.code == "invalid_form"


async def test_what_is_all_escapes_takes_no_more_than_some_times_its_room() -> None:
    text = "json=" + "%5B%5D%2C" * 100_000
    request = sent(text)
    tracemalloc.start()
    await read_fields(request, Turns(lambda: 0.0), most=len(text), most_fields=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * len(text)


async def test_a_form_that_does_not_fit_is_there_as_it_was_typed() -> None:
    request = sent("name=Ada&hours=-1&kind=c&sure=true&scopes=x")
    unfit = await read_any_form(request, Turns(monotonic), Sent, most=1_000)
    assert isinstance(unfit, UnfitForm)
    assert isinstance(unfit.error.detail, list)
    assert unfit.error.detail[0]["path"] in ("/hours", "/kind")
    assert unfit.typed(Sent) == Sent("Ada", sure=True, scopes=["x"])


class Confirmed(msgspec.Struct):
    """What has to be said."""

    sure: Literal["yes"]
    why: Annotated[str, Meta(max_length=3)]


async def test_text_that_is_missing_is_empty_and_all_else_is_refused_again() -> None:
    short, unsure = sent("sure=yes"), sent("why=because")
    unfit = await read_any_form(short, Turns(monotonic), Confirmed, most=1_000)
    assert isinstance(unfit, UnfitForm)
    assert unfit.typed(Confirmed) == Confirmed("yes", "")
    unfit = await read_any_form(unsure, Turns(monotonic), Confirmed, most=1_000)
    assert isinstance(unfit, UnfitForm)
    with pytest.raises(InvalidInput):
        unfit.typed(Confirmed)
