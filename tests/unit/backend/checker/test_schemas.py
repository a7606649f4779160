"""What surely costs little is checked at once; all else apart, and only as much is kept as there is room for."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.domain.records import InputFault, Payload
from agentic_atlas.backend.domain.schemas import look_at
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import Cost

CLOSED = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
TREE = {
    "$defs": {
        "node": {"anyOf": [{"properties": {"child": {"$ref": "#/$defs/node"}}, "required": [side]} for side in "ab"]}
    },
    "$ref": "#/$defs/node",
}
LETTERS = {"type": "object", "properties": {"name": {"pattern": r"^\p{L}{1,64}$"}}}


@dataclass
class Apart:
    """Finds one fault in everything, and keeps what it was asked."""

    asked: list[tuple[bytes, bytes, str, str]] = field(default_factory=list)

    async def check(self, schema: bytes, value: bytes, *, name: str, whose: str) -> tuple[InputFault, ...]:
        self.asked.append((schema, value, name, whose))
        return (InputFault("/a", "is odd"),)

    async def look_at(self, schema: bytes, *, whose: str) -> Cost:
        self.asked.append((schema, b"", "", whose))
        return look_at(schema)


async def check(document: object, value: object, apart: Apart) -> InvalidInput | None:
    schemas = JsonSchemas(apart)
    given = json.dumps(document).encode(), Payload(json.dumps(value).encode())
    try:
        await schemas.check(*given, what="the input", name="greet", whose="usr_1")
    except InvalidInput as error:
        return error
    return None


async def test_what_surely_costs_little_is_checked_at_once() -> None:
    apart = Apart()
    assert await check(CLOSED, {"name": "Ada"}, apart) is None
    error = await check(CLOSED, {"name": 3}, apart)
    assert error is not None
    assert error.message == 'the input does not fit greet: /name: 3 is not of type "string"'
    assert error.detail == [{"path": "/name", "message": '3 is not of type "string"'}]
    assert apart.asked == []


@pytest.mark.parametrize(
    ("document", "value"),
    [
        pytest.param(TREE, {"a": 1}, id="leads back to itself among alternatives"),
        pytest.param(LETTERS, {"name": "Ada"}, id="a large pattern"),
        pytest.param({"items": {"enum": ["a"] * 1_000}}, ["a"] * 1_000, id="a long list of words over many values"),
        pytest.param({"items": {"pattern": "^[a-z]+$"}}, ["a" * 100_000], id="a pattern over a long text"),
        pytest.param({"properties": {f"p{n}": {"type": "string"} for n in range(500)}}, {}, id="a long schema"),
        pytest.param(CLOSED, {"nam": "x" * 6_000}, id="telling why of a long value"),
    ],
)
async def test_all_else_is_checked_apart_for_the_user_who_asks(document: Any, value: object) -> None:
    apart = Apart()
    error = await check(document, value, apart)
    assert error is not None
    assert error.message == "the input does not fit greet: /a: is odd"
    assert apart.asked == [(json.dumps(document).encode(), json.dumps(value).encode(), "greet", "usr_1")]


async def test_a_schema_that_an_older_version_took_is_told_as_no_fault_of_the_callers() -> None:
    error = await check({"$ref": "#"}, {}, Apart())
    assert error is not None
    assert error.code == "invalid_schema"
    assert error.message.startswith("the schema of greet is not taken, which its author can mend: its schema refers to")


async def test_a_misfit_whose_reasons_cannot_be_told_is_refused_all_the_same() -> None:
    class Silent(Apart):
        async def check(self, schema: bytes, value: bytes, *, name: str, whose: str) -> tuple[InputFault, ...]:
            return ()

    error = await check(TREE, {}, Silent())
    assert error is not None
    assert error.message == "the input does not fit greet; telling where would take too long"


async def test_what_is_kept_of_schemas_is_bounded_in_bytes() -> None:
    schemas = JsonSchemas(Apart(), kept=100_000)
    for number in range(200):
        document = json.dumps({"title": str(number), **CLOSED}).encode()
        await schemas.check(document, Payload(b'{"name": "Ada"}'), what="the input", name="greet", whose="usr_1")
        assert schemas.kept.bytes <= 100_000
    assert schemas.kept.bytes > 50_000


NO_SCHEMAS = [
    b"{",
    b"[]",
    b'{"type": "nothing"}',
    b" " * 70_000,
    b'{"$ref": "file:///etc/passwd"}',
    b'{"$ref": "#"}',
    b'{"pattern": "[^/]{9000}"}',
    b"[" * 1_500,
    b'"\xff"',
    b'{"pattern": "[^/]{9000}", "title": "' + b"x" * 8_000 + b'"}',
]


@pytest.mark.parametrize("document", NO_SCHEMAS)
async def test_what_is_no_schema_is_refused_with_the_name_of_the_skill(document: bytes) -> None:
    with pytest.raises(InvalidInput, match="skill greet, input: ") as caught:
        await JsonSchemas(Apart()).check_declared([("skill greet, input", document)], "usr_1")
    assert caught.value.code == "invalid_schema"


@pytest.mark.parametrize("document", NO_SCHEMAS[:-1])
def test_what_is_no_schema_cannot_be_asked_for(document: bytes) -> None:
    with pytest.raises(InvalidInput, match="question 1: ") as caught:
        JsonSchemas(Apart()).check_question(document, "question 1")
    assert caught.value.code == "invalid_schema"


async def test_long_schemas_and_many_of_them_are_looked_at_apart() -> None:
    apart = Apart()
    long = json.dumps({"title": "x" * 5_000}).encode()
    await JsonSchemas(apart).check_declared([("a", long), ("b", b"null"), ("c", b"{}")], "usr_1")
    assert apart.asked == [(long, b"", "", "usr_1"), (b"{}", b"", "", "usr_1")]
    apart.asked.clear()
    await JsonSchemas(apart).check_declared([(f"a{n}", b"{}") for n in range(100)], "usr_1")
    assert apart.asked == []


async def test_the_patterns_of_all_skills_together_are_bounded() -> None:
    one = json.dumps({"properties": {f"p{n}": {"pattern": r"^[^/]{1,1000}$"} for n in range(5)}}).encode()
    schemas = JsonSchemas(Apart())
    await schemas.check_declared([("skill a, input", one)], "usr_1")
    with pytest.raises(InvalidInput, match="patterns of all skills") as caught:
        await schemas.check_declared([(f"skill {n}, input", one) for n in range(9)], "usr_1")
    assert caught.value.code == "invalid_schema"
