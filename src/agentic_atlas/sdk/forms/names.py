"""Fields that have more than one name in an input: by alias and by name, by several aliases, by a path into another."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pydantic.json_schema import JsonSchemaValue

Node: TypeAlias = Mapping[str, Any]
"""What Pydantic makes of a type, or a part of it."""


def with_all_names(made: JsonSchemaValue, model: Node) -> JsonSchemaValue:
    """Return the schema of a model, `made` with one name for each field, with all names that its check takes."""
    fields = _fields(model)
    config = model.get("config", {})
    by_name = any(config.get(option) for option in ("validate_by_name", "populate_by_name"))
    for name, field in fields.items():
        shown, names = _names(name, field, by_name=by_name)
        if names != {shown: True} and shown in made.get("properties", {}):
            _add(made, shown, names)
    return made


def _names(name: str, field: Node, *, by_name: bool) -> tuple[str, dict[str, bool]]:
    """Return the name that Pydantic shows, and all that are taken: true for those that hold the value itself."""
    alias = field.get("validation_alias", name)
    if isinstance(alias, str):
        return alias, {alias: True} | ({name: True} if by_name else {})
    paths = [alias] if isinstance(alias[0], str) else alias
    shown = next((path[0] for path in paths if len(path) == 1), name)
    return shown, {path[0]: len(path) == 1 for path in paths} | ({name: True} if by_name else {})


def _add(made: JsonSchemaValue, shown: str, names: Mapping[str, bool]) -> None:
    properties = made["properties"]
    value = properties[shown] if names.get(shown) else properties.pop(shown)
    for name, whole in names.items():
        properties.setdefault(name, value if whole else {})
    if shown in made.get("required", []):
        made["required"] = [name for name in made["required"] if name != shown]
        made.setdefault("allOf", []).append({"anyOf": [{"required": [name]} for name in names]})


def _fields(model: Node) -> Node:
    """Return the fields of a model's description, below the functions that are around them."""
    for node in _below(model):
        if node.get("type") == "model-fields":
            fields: Node = node["fields"]
            return fields
    return {}


def _below(node: Node) -> Iterator[Node]:
    inner = node.get("schema")
    while isinstance(inner, Mapping):
        yield inner
        inner = inner.get("schema")
