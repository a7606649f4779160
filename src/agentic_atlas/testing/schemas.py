"""The schemas of a network in memory, checked with what agents are written with; implements `backend.ports.Schemas`.

An input is read as its skill will read it. What a question asks for is known by its JSON Schema alone, of which the
most usual words are heeded here; the agent reads the answer again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from pydantic_core import CoreSchema, SchemaValidator, ValidationError
from pydantic_core import core_schema as core

from agentic_atlas.backend.domain.records import Payload
from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.forms.faults import faults_of_json, sentence
from agentic_atlas.sdk.skills.skill import Skill

_BOUNDS = {
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "minimum": "ge",
    "maximum": "le",
    "exclusiveMinimum": "gt",
    "exclusiveMaximum": "lt",
    "minItems": "min_length",
    "maxItems": "max_length",
}
_SCALARS: Mapping[str, Callable[..., CoreSchema]] = {
    "string": core.str_schema,
    "integer": core.int_schema,
    "number": core.float_schema,
    "boolean": core.bool_schema,
}
_list: Callable[..., CoreSchema] = core.list_schema


class SkillSchemas:
    """Knows the schemas of these skills."""

    def __init__(self, skills: Iterable[Skill]) -> None:
        self._skills = {bytes(skill.spec().input_schema): skill.signature for skill in skills}

    async def check(self, schema: bytes, value: Payload, *, what: str, name: str, whose: str) -> None:
        """See the port."""
        signature = self._skills.get(schema)
        if signature is not None:
            signature.read_input(value.text, name)
            return
        try:
            SchemaValidator(_whole(msgspec.json.decode(schema))).validate_json(value.text)
        except ValidationError as error:
            found = faults_of_json(error, value.text, name=name)
            raise InvalidInput(f"{what} does not fit {name}: {sentence(found)}", detail=found) from None

    async def check_declared(self, schemas: Sequence[tuple[str, bytes]], whose: str) -> None:
        """Take them: the agent looked at them when they were declared."""

    def check_question(self, schema: bytes, what: str) -> None:
        """Take it: the agent looked at it before it asked."""


def _whole(root: object) -> CoreSchema:
    """Return what checks values as a JSON Schema says."""
    parts = root.get("$defs", {}) if isinstance(root, Mapping) else {}
    named = [{**_part(part), "ref": f"#/$defs/{name}"} for name, part in parts.items()]
    return core.definitions_schema(_part(root), named)  # type: ignore[arg-type]  # a schema with its name


def _part(node: object) -> CoreSchema:
    match node:
        case {"$ref": str(name)}:
            return core.definition_reference_schema(name)
        case {"enum": list(values)}:
            return core.literal_schema(values)
        case {"const": value}:
            return core.literal_schema([value])
        case {"anyOf": list(parts)} | {"oneOf": list(parts)}:
            return core.union_schema([_part(part) for part in parts])
        case {"type": list(kinds), **more}:
            return core.union_schema([_part({**more, "type": kind}) for kind in kinds])
        case {"type": str(kind), **more}:
            return _of_type(kind, more)
    return core.any_schema()


def _of_type(kind: str, node: Mapping[object, object]) -> CoreSchema:
    bounds = {ours: node[theirs] for theirs, ours in _BOUNDS.items() if theirs in node}
    match kind, node:
        case "object", {"properties": {**fields}}:
            return _object(fields, node)
        case "object", _:
            return core.dict_schema(core.str_schema(), _part(node.get("additionalProperties")))
        case "array", _:
            return _list(_part(node.get("items")), strict=True, **bounds)
    return _SCALARS[kind](strict=True, **bounds) if kind in _SCALARS else core.none_schema()


def _object(fields: Mapping[object, object], node: Mapping[object, object]) -> CoreSchema:
    needed = node.get("required")
    named = {str(name): (part, isinstance(needed, list) and name in needed) for name, part in fields.items()}
    taken = {name: core.typed_dict_field(_part(part), required=is_needed) for name, (part, is_needed) in named.items()}
    closed = node.get("additionalProperties") is False
    return core.typed_dict_schema(taken, extra_behavior="forbid" if closed else "allow")
