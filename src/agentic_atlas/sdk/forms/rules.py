"""Pydantic's own description of a type (its core schema), changed where its JSON form is not ours.

Pydantic decides each model's form when the model is made, by its own configuration. So that bytes deep in somebody's
model have the one form that all bytes have, the description is walked and such places replaced, and validator and
serializer are built anew from it. In Python (defaults, what a skill returns) nothing changes; in JSON:

- bytes are base64, unless the type says a form of its own (a serializer, as `Base64Bytes` has one);
- a number is a number: text and truth values do not pass for one, as the JSON Schema says, and NaN is none;
- dates and times are text, instants and durations may be numbers of seconds too;
- what has no declared type is written by `anything`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, TypeAlias

from pydantic_core import CoreSchema, core_schema

from agentic_atlas.sdk.forms import base64_text

Node: TypeAlias = Any
"""A part of a core schema: a dictionary with a `type`."""
Anything: TypeAlias = Callable[[object], object]

OURS: Final = "agentic_atlas_form"
"""In the metadata of a node: its JSON side was replaced here."""

_PARTS: Final = frozenset(
    {
        "schema", "items_schema", "keys_schema", "values_schema", "extras_schema", "extras_keys_schema", "json_schema",
        "python_schema", "lax_schema", "strict_schema", "return_schema", "arguments_schema", "var_args_schema",
        "var_kwargs_schema", "steps", "definitions", "computed_fields",
    }
)  # fmt: skip
"""Keys of a node that lead to further nodes."""
_NAMED_PARTS: Final = frozenset({"fields", "choices"})
"""Keys that lead to further nodes by names that are the user's."""
_CLOSED: Final = frozenset({"model", "dataclass", "typed-dict"})
"""What has a form of its own as a whole has its parts' forms nevertheless when it is read."""
_NUMERAL: Final = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*")


def with_our_forms(schema: CoreSchema, anything: Anything) -> CoreSchema:
    """Return the description of a type with the forms that are ours; the one that is given stays as it is."""
    changed: CoreSchema = _Walk(anything).node(schema, own_form=False)
    return changed


@contextmanager
def built_anew(schema: CoreSchema) -> Iterator[None]:
    """Have what is built in the block made from the description alone.

    Else Pydantic takes the validators that the models in it have already, whatever the description says of them.
    """
    classes: list[Any] = [kind for kind in _classes(schema) if kind.__dict__.get("__pydantic_complete__")]
    for kind in classes:
        kind.__pydantic_complete__ = False
    try:
        yield
    finally:
        for kind in classes:
            kind.__pydantic_complete__ = True


class _Walk:
    def __init__(self, anything: Anything) -> None:
        self._rules: Mapping[str, Callable[[Node], Node]] = {
            "bytes": _base64,
            "int": _integer,
            "float": lambda node: _both({**node, "strict": True, "allow_inf_nan": False}, node),
            "bool": lambda node: _both({**node, "strict": True}, node),
            "date": _text_only,
            "time": _text_only,
            "timedelta": _seconds,
            "lax-or-strict": _address,
            "literal": _constants,
            "enum": _constants,
        }
        self._written = core_schema.plain_serializer_function_ser_schema(anything)

    def node(self, node: Node, *, own_form: bool) -> Node:
        """Return a node with all below it changed; `own_form` says that the type writes and reads it its own way."""
        kind, serialization = node.get("type"), node.get("serialization")
        own_form = kind not in _CLOSED and (own_form or _is_function(serialization))
        made = {key: self._part(key, value, own_form=own_form) for key, value in node.items()}
        if (kind == "any" and serialization is None) or serialization == {"type": "any"}:
            made["serialization"] = self._written
        if kind in _CLOSED:
            # Else NaN in a model would become null before anybody could see it.
            made["config"] = {"ser_json_inf_nan": "constants", **node.get("config", {})}
        rule = self._rules.get(kind) if kind != "bytes" or not own_form else None
        if rule is None:
            return made
        # The name by which the node is referred to becomes that of the node around it.
        named = {"ref": made.pop("ref")} if "ref" in made else {}
        return rule(made) | named

    def _part(self, key: str, value: object, *, own_form: bool) -> object:
        if key in _NAMED_PARTS and isinstance(value, dict):
            return {name: self._below(part, own_form=own_form) for name, part in value.items()}
        if key == "serialization" and isinstance(value, dict):
            return {inner: self._part(inner, part, own_form=own_form) for inner, part in value.items()}
        return self._below(value, own_form=own_form) if key in _PARTS or key in _NAMED_PARTS else value

    def _below(self, value: object, *, own_form: bool) -> object:
        if isinstance(value, dict):
            return self.node(value, own_form=own_form)
        if isinstance(value, list):
            return [self._below(part, own_form=own_form) for part in value]
        if isinstance(value, tuple):  # a choice of a union, with its label
            return (self._below(value[0], own_form=own_form), *value[1:])
        return value


def _both(json: Node, python: Node, **more: Any) -> Node:
    return core_schema.json_or_python_schema(json, python, metadata={OURS: True}, **more)


def _base64(node: Node) -> Node:
    read = core_schema.no_info_before_validator_function(base64_text.from_text, node)
    marked = {**node, "metadata": {**node.get("metadata", {}), OURS: True}}
    return _both(read, marked, serialization=BASE64)


BASE64: Final = core_schema.plain_serializer_function_ser_schema(base64_text.to_text, when_used="json")
"""How bytes are written."""


def _integer(node: Node) -> Node:
    if node.get("strict"):
        return node
    whole = core_schema.union_schema(
        [core_schema.int_schema(strict=True), core_schema.chain_schema([core_schema.float_schema(strict=True), node])],
        mode="left_to_right",
        custom_error_type="int_type",
    )
    return _both(core_schema.chain_schema([whole, node]), node)


def _text_only(node: Node) -> Node:
    return _both(core_schema.chain_schema([core_schema.str_schema(), node]), node)


def _seconds(node: Node) -> Node:
    return _both(core_schema.no_info_before_validator_function(_number_in_text, node), node)


def _number_in_text(value: object) -> object:
    """Read `"90"` as 90 seconds: Pydantic takes the number, and of instants the text too."""
    if isinstance(value, bool):
        raise ValueError("Input should be a duration, or a number of seconds")
    return float(value) if isinstance(value, str) and _NUMERAL.fullmatch(value) else value


def _constants(node: Node) -> Node:
    """Let a truth value and a number not pass for each other among constants, nor text for a number."""
    values = {type(getattr(value, "value", value)) for value in node.get("expected", node.get("members", ()))}
    if node.get("strict") or not values & {int, bool}:
        return node
    wrong = tuple({bool, str} - values if int in values else {int, float})
    return _both(core_schema.no_info_before_validator_function(partial(_none_of, wrong), node), node)


def _none_of(wrong: tuple[type, ...], value: object) -> object:
    if isinstance(value, wrong) and (type(value) is not bool or bool in wrong):
        raise ValueError("Input should be one of the values, and of its type")
    return value


def _address(node: Node) -> Node:
    """Let an IP address be text alone: Pydantic takes 1, and true, for 0.0.0.1."""
    strictly = node["strict_schema"].get("json_schema", {}).get("schema", {})
    if node["lax_schema"].get("type") == "function-plain" and strictly.get("type") == "str":
        return _both(core_schema.chain_schema([core_schema.str_schema(), node]), node)
    return node


def _is_function(serialization: object) -> bool:
    return isinstance(serialization, dict) and str(serialization.get("type", "")).startswith(("function", "to-string"))


def _classes(value: object) -> Iterator[type]:
    """Yield the models and dataclasses of a description, each once."""
    found: dict[int, type] = {}
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if part.get("type") in ("model", "dataclass") and isinstance(part.get("cls"), type):
                found[id(part["cls"])] = part["cls"]
            waiting += [
                below for key, below in part.items() if key not in ("metadata", "default", "expected", "config")
            ]
        elif isinstance(part, list | tuple):
            waiting += part
    yield from found.values()
