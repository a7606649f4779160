"""The schemas of a network in memory, checked with what agents are written with; implements `backend.ports.Schemas`.

An input is read as its skill will read it. What a question asks for is known by its JSON Schema alone, of which the
most usual words are heeded here; the agent reads the answer again.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.skills.skill import Skill
from agentic_atlas.sdk.skills.validation import faults_of_json, sentence

_STRING = {"minLength": "min_length", "maxLength": "max_length", "pattern": "pattern"}
_NUMBER = {"minimum": "ge", "maximum": "le", "exclusiveMinimum": "gt", "exclusiveMaximum": "lt"}
_ARRAY = {"minItems": "min_length", "maxItems": "max_length"}


class SkillSchemas:
    """Knows the schemas of these skills."""

    def __init__(self, skills: Iterable[Skill]) -> None:
        self._skills = {bytes(skill.spec().input_schema): skill.signature for skill in skills}

    async def check(self, schema: bytes, value: bytes, *, what: str, name: str, whose: str) -> None:
        """See the port."""
        signature = self._skills.get(schema)
        if signature is not None:
            signature.read_input(value, name)
            return
        try:
            SchemaValidator(_core(msgspec.json.decode(schema))).validate_json(value)
        except ValidationError as error:
            found = faults_of_json(error, value, name=name)
            raise InvalidInput(f"{what} does not fit {name}: {sentence(found)}", detail=found) from None

    async def check_declared(self, schemas: Sequence[tuple[str, bytes]], whose: str) -> None:
        """Take them: the agent looked at them when they were declared."""

    def check_question(self, schema: bytes, what: str) -> None:
        """Take it: the agent looked at it before it asked."""


def _core(root: object) -> CoreSchema:
    """Return what checks values as a JSON Schema says."""
    named = [
        {**_part(part), "ref": f"#/$defs/{name}"}
        for name, part in (root.get("$defs", {}) if isinstance(root, Mapping) else {}).items()
    ]
    return core_schema.definitions_schema(_part(root), named)  # type: ignore[arg-type]  # a schema with its name


def _part(node: Any) -> CoreSchema:
    if not isinstance(node, Mapping):
        return core_schema.any_schema()
    if "$ref" in node:
        return core_schema.definition_reference_schema(node["$ref"])
    if "enum" in node or "const" in node:
        return core_schema.literal_schema(list(node.get("enum", [node.get("const")])))
    choice = node.get("anyOf", node.get("oneOf"))
    if choice is not None:
        return core_schema.union_schema([_part(part) for part in choice])
    kind = node.get("type")
    if isinstance(kind, list):
        return core_schema.union_schema([_part({**node, "type": one}) for one in kind])
    made: CoreSchema = _OF_TYPE[kind](node) if kind in _OF_TYPE else core_schema.any_schema()
    return made


def _object(node: Mapping[str, Any]) -> CoreSchema:
    more = node.get("additionalProperties", True)
    if "properties" not in node:
        return core_schema.dict_schema(core_schema.str_schema(), _part(more))
    required = node.get("required", ())
    fields = {
        name: core_schema.typed_dict_field(_part(part), required=name in required)
        for name, part in node["properties"].items()
    }
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid" if more is False else "allow")


def _bounds(node: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {ours: node[theirs] for theirs, ours in names.items() if theirs in node}


_OF_TYPE: Mapping[Any, Any] = {
    "string": lambda node: core_schema.str_schema(strict=True, **_bounds(node, _STRING)),
    "integer": lambda node: core_schema.int_schema(strict=True, **_bounds(node, _NUMBER)),
    "number": lambda node: core_schema.float_schema(strict=True, **_bounds(node, _NUMBER)),
    "boolean": lambda node: core_schema.bool_schema(strict=True),
    "null": lambda node: core_schema.none_schema(),
    "array": lambda node: core_schema.list_schema(_part(node.get("items")), strict=True, **_bounds(node, _ARRAY)),
    "object": _object,
}
