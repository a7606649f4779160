"""Schemas come from agents: whatever they are, checking is bounded and says where an input is wrong."""

import json
from typing import Any

import pytest

from agentic_atlas.backend.services.schemas import InputSchema, check_declared
from agentic_atlas.errors import InvalidInput

TREE: dict[str, Any] = {
    "$defs": {
        "node": {
            "anyOf": [
                {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "required": ["left"]},
                {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "required": ["right"]},
            ]
        }
    },
    "$ref": "#/$defs/node",
}


def schema(document: object) -> InputSchema:
    return InputSchema(json.dumps(document).encode())


def refused(document: object, value: object) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        schema(document).check(value)
    return caught.value


def test_a_fault_is_told_with_its_place() -> None:
    document = {"type": "object", "properties": {"a/b": {"type": "array", "items": {"type": "integer"}}}}
    error = refused(document, {"a/b": [1, "two"]})
    assert error.detail == [{"path": "/a~1b/1", "message": '"two" is not of type "integer"'}]


def test_doubling_references_are_refused_when_they_are_declared() -> None:
    definitions: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(40)
    }
    definitions["d40"] = {"type": "string"}
    with pytest.raises(InvalidInput, match="alternatives within alternatives"):
        schema({"$defs": definitions, "$ref": "#/$defs/d0"})


def nested(depth: int) -> object:
    value: object = {"wrong": 1}
    for _ in range(depth):
        value = {"child": value}
    return value


def test_what_telling_a_cost_would_cost_is_bounded_for_references_that_lead_back_from_everywhere() -> None:
    names = [f"d{number}" for number in range(14)]
    everywhere = [{"$ref": f"#/$defs/{name}"} for name in names]
    document = {"$defs": {name: {"anyOf": everywhere} for name in names}, "$ref": "#/$defs/d0"}
    with pytest.raises(InvalidInput, match=r"references that lead back|alternatives"):
        InputSchema(json.dumps(document).encode())
    with pytest.raises(InvalidInput, match="references that lead back"):
        InputSchema(json.dumps(document).encode(), most_visited=100)


def test_a_recursive_schema_is_checked_as_deeply_as_that_is_cheap() -> None:
    assert refused(TREE, nested(2)).detail
    assert refused(TREE, nested(12)).message == "the input does not fit the skill's schema"
    assert "nested too deeply" in refused(TREE, nested(40)).message


def test_a_list_of_lists_may_be_as_deep_as_any_input() -> None:
    value: object = {"next": None}
    for _ in range(60):
        value = {"next": value}
    linked = {
        "$defs": {"link": {"properties": {"next": {"anyOf": [{"$ref": "#/$defs/link"}, {"type": "null"}]}}}},
        "$ref": "#/$defs/link",
    }
    schema(linked).check(value)


def test_a_pattern_that_needs_much_memory_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a JSON Schema"):
        schema({"type": "string", "pattern": r"[\w\W]{1500}i"})


@pytest.mark.parametrize(
    "document", [b"{", b"[]", b'{"type": "nothing"}', b" " * 70_000, b'{"$ref": "file:///etc/passwd"}']
)
def test_what_is_no_schema_is_refused_with_the_name_of_the_skill(document: bytes) -> None:
    with pytest.raises(InvalidInput, match="skill greet, input") as caught:
        check_declared(document, "skill greet, input")
    assert caught.value.code == "invalid_schema"
