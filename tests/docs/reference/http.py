"""The HTTP API, from its OpenAPI document and the structs it is made from."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, get_origin

from agentic_atlas.api import page, system
from agentic_atlas.api.app import ROUTES
from agentic_atlas.api.describe import Document
from agentic_atlas.compose.limits import attribute_docs
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.caller import accounts, agents, audit, backups, people, tasks, values
from agentic_atlas.protocol.caller import system as server
from tests.docs.reference.markdown import anchor, code, paragraphs, table, wrapped

Json = dict[str, Any]
_MODULES = (page, system, agents, audit, backups, people, accounts, tasks, server, values, messages)


@cache
def document() -> Json:
    """Return the OpenAPI document."""
    return Document(ROUTES).value


def operations() -> list[tuple[str, str, Json]]:
    """Return (method, path, operation), as they are declared."""
    return [
        (method.upper(), path, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    ]


def list_of_operations() -> str:
    rows = [
        (f"[`{method} {path}`](#{anchor(f'{method} {path}')})", _first(operation))
        for method, path, operation in operations()
        if not _is_twin(path)
    ]
    return table(("operation", "does"), rows)


def details_of_operations() -> str:
    parts = []
    for method, path, operation in operations():
        if not _is_twin(path):
            parts += [f"### {method} {path}", wrapped(operation["description"]), *_twin(method, path)]
            parts += [_parameters(operation), _body(operation), _answer(operation)]
    return paragraphs(*parts)


def shapes() -> str:
    parts = []
    for name, schema in sorted(document()["components"]["schemas"].items()):
        parts += [f"### {name}", wrapped(schema.get("description", "")), _fields(name, schema)]
    return paragraphs(*parts)


def _is_twin(path: str) -> bool:
    return "{owner}/" in path


def _twin(method: str, path: str) -> list[str]:
    other = path.replace("/agents/{name}", "/agents/{owner}/{name}")
    known = any((method, other) == (found, place) for found, place, _ in operations())
    return [f"Also `{other}`."] if known and other != path else []


def _first(operation: Json) -> str:
    return str(operation["description"].partition("\n\n")[0])


def _parameters(operation: Json) -> str:
    rows = [
        (code(each["name"]), each["in"], _type(each["schema"]), _default(each), each.get("description", ""))
        for each in operation.get("parameters", [])
    ]
    return table(("parameter", "in", "type", "when left out", "meaning"), rows) if rows else ""


def _body(operation: Json) -> str:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return f"Body: {_type(content['schema'])}." if content else ""


def _answer(operation: Json) -> str:
    status, answer = next((status, each) for status, each in operation["responses"].items() if status != "default")
    content = answer.get("content", {}).get("application/json", {}).get("schema")
    return f"Answers {status}: {_type(content)}." if content else f"Answers {status}."


def _fields(name: str, schema: Json) -> str:
    if "enum" in schema:
        return "One of " + ", ".join(code(value) for value in schema["enum"]) + "."
    docs = _docs(name)
    required = schema.get("required", [])
    rows = [
        (code(field), _type(each), "always there" if field in required else _default({"schema": each}),
         docs.get(field, ""))
        for field, each in schema.get("properties", {}).items()
    ]  # fmt: skip
    return table(("field", "type", "when left out", "meaning"), rows)


def _docs(name: str) -> dict[str, str]:
    kind = next((vars(module)[name] for module in _MODULES if name in vars(module)), None)
    kind = get_origin(kind) or kind
    return attribute_docs(kind) if isinstance(kind, type) else {}


def _default(each: Json) -> str:
    if each.get("required"):
        return "required"
    value = each["schema"].get("default")
    return "" if value in (None, "") else code(value if isinstance(value, str) else json.dumps(value))


def _type(schema: Json | None) -> str:
    if not schema:
        return "any JSON"
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{anchor(name)})"
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"array of {_type(schema['items'])}" + _bounds(schema)
    return str(schema.get("format") or schema.get("type") or "any JSON") + _bounds(schema)


_BOUNDS = {
    "minimum": "≥ {}", "maximum": "≤ {}", "exclusiveMinimum": "> {}", "minItems": "≥ {} items",
    "maxItems": "≤ {} items", "minLength": "≥ {} characters", "maxLength": "≤ {} characters", "pattern": "`{}`",
}  # fmt: skip


def _bounds(schema: Json) -> str:
    found = [text.format(schema[name]) for name, text in _BOUNDS.items() if name in schema]
    return f", {', '.join(found)}" if found else ""
