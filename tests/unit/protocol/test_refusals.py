"""What libraries say of a refused value is told in our words: the field, what is allowed, what came."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta
from pydantic import Field, TypeAdapter, ValidationError

from agentic_atlas.protocol.refusals import of_pydantic, refusal


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Part(msgspec.Struct, forbid_unknown_fields=True):
    size: Annotated[int, Meta(ge=1, le=9)]


class Whole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    name: Annotated[str, Meta(min_length=2)] = "ok"
    seconds: Annotated[float, Meta(gt=0, le=31_622_400)] | None = None
    colour: Colour | None = None
    mode: Literal["fast", "slow"] = "fast"
    parts: list[Part] = []
    labels: Annotated[dict[str, str], Meta(max_length=1)] = {}
    when: Annotated[datetime, Meta(tz=True)] | None = None


@pytest.mark.parametrize(
    ("given", "path", "sentence"),
    [
        ({"seconds": 0}, "/seconds", "seconds has to be over 0, not 0"),
        ({"seconds": 864e6}, "/seconds", "seconds has to be at most 31622400, not 864000000.0"),
        ({"seconds": "1"}, "/seconds", "seconds has to be a number or null, not '1'"),
        ({"parts": [{"size": 10**61}]}, "/parts/0/size", "parts.0.size has to be at most 9"),
        ({"colour": "green"}, "/colour", "colour has to be one of red, blue, not 'green'"),
        ({"mode": "once"}, "/mode", "mode has to be one of fast, slow, not 'once'"),
        ({"name": "x"}, "/name", "name has to have a length of at least 2"),
        ({"name": None}, "/name", "name has to be text"),
        ({"parts": [{"size": 1}, {"size": 0}]}, "/parts/1/size", "parts.1.size has to be at least 1, not 0"),
        ({"parts": [{}]}, "/parts/0", "parts.0: size is missing"),
        ({"parts": [{"sise": 1}]}, "/parts/0", "parts.0: there is no sise; it takes size (did you mean size?)"),
        ({"labels": {"a": 1}}, "/labels", "labels has to be text"),
        ({"labels": {"a": "", "b": ""}}, "/labels", "labels has to have a length of at most 1"),
        ({"when": "2024-01-01T00:00:00"}, "/when", "when has to be a time with its zone, such as 2024-02-29T12:00:00Z"),
        ([], "", "has to be an object"),
        (
            {"colours": 1},
            "",
            "there is no colours; it takes name, seconds, colour, mode, parts, labels, when (did you mean colour?)",
        ),
    ],
)
def test_what_msgspec_refuses_is_told_with_the_field_and_what_is_allowed(given: Any, path: str, sentence: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(msgspec.json.encode(given), type=Whole)
    found = refusal(caught.value, Whole, given)
    assert (found.path, found.sentence) == (path, sentence)


def test_a_long_text_is_not_repeated() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"mode": "x" * 61}, Whole)
    assert refusal(caught.value, Whole, {"mode": "x" * 61}).sentence == "mode has to be one of fast, slow"


@pytest.mark.parametrize(
    ("kind", "given", "message"),
    [
        (Annotated[int, Field(le=65_535)], 99_999, "has to be at most 65535"),
        (Annotated[int, Field(ge=1)], 0, "has to be at least 1"),
        (Annotated[float, Field(gt=0)], 0, "has to be over 0"),
        (Annotated[float, Field(lt=1)], 1, "has to be under 1"),
        (int, "abc", "has to be a whole number"),
        (float, "abc", "has to be a number"),
        (bool, "abc", "has to be true or false"),
        (str, 3, "has to be text"),
        (Literal["debug", "info"], "x", "has to be 'debug' or 'info'"),
        (Annotated[str, Field(max_length=2)], "abc", "has to have at most 2 characters"),
        (Annotated[str, Field(pattern="^a")], "b", "has to match pattern '^a'"),
    ],
)
def test_what_pydantic_refuses_is_told_as_half_a_sentence(kind: Any, given: Any, message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(given)
    assert of_pydantic(caught.value.errors()[0]["msg"]) == message
    assert of_pydantic("Input should be less than or equal to 5", 9) == "has to be at most 5, not 9"
