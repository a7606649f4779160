"""How JSON Schema becomes a check of Pydantic's: the other way round of `json_schema`, as far as that goes.

The most usual words are heeded; of the others a value is free.
"""

from collections.abc import Callable, Mapping

from pydantic_core import CoreSchema, SchemaValidator
from pydantic_core import core_schema as core

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


def check_of(root: object) -> SchemaValidator:
    """Return what checks values as a JSON Schema says."""
    parts = root.get("$defs", {}) if isinstance(root, Mapping) else {}
    named = [{**_part(part), "ref": f"#/$defs/{name}"} for name, part in parts.items()]
    return SchemaValidator(core.definitions_schema(_part(root), named))  # type: ignore[arg-type]  # a schema with its name


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
