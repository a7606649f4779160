"""How Pydantic's types become JSON Schema here: of inputs, outputs and answers alike.

What a schema allows in an input is what the type's own check takes (`rules`): nothing that it would take is refused
before it gets there, and what it would refuse is refused early as far as JSON Schema and its formats can say it.
"""

import typing
from collections.abc import Callable
from typing import Any, Final

import pydantic_core
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, JsonSchemaWarningKind
from pydantic_core import core_schema

from agentic_atlas.sdk.forms.names import with_all_names
from agentic_atlas.sdk.forms.rules import BASE64, OURS
from agentic_atlas.sdk.forms.simpler import NoJsonForm

INPUT: Final = "SkillInput"
"""Name of the model that stands for a skill's input."""

_BASE64_TEXT: Final = {"type": "string", "format": "byte", "contentEncoding": "base64"}
"""`byte` is OpenAPI's name of the format."""
_DURATIONS: Final = (-86_399_999_913_600, 86_399_999_999_999)
"""Seconds of the longest `timedelta`s."""
_INSTANTS: Final = (-62_135_596_800_000, 253_402_300_799_999)
"""The first and the last instant of `datetime`; Pydantic takes numbers over 20,000,000,000 for milliseconds."""


def _of_floats(schema: core_schema.DecimalSchema) -> JsonSchemaValue:
    """Return the bounds of a decimal as JSON has them."""
    bounds = ("le", "ge", "lt", "gt")
    return {name: float(schema[name]) for name in bounds if name in schema}  # type: ignore[literal-required]


class SchemaGenerator(GenerateJsonSchema):
    """Schemas without the titles that Pydantic derives from names: they only repeat those."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def __init__(self, written: Callable[[object], object]) -> None:
        """`written` says how a default is written as a plain JSON value."""
        super().__init__()
        self._written = written

    def field_title_should_be_set(self, schema: object) -> bool:
        """Return False."""
        return False

    def generate(
        self, schema: core_schema.CoreSchema, mode: typing.Literal["validation", "serialization"] = "validation"
    ) -> JsonSchemaValue:
        """Return the schema, without the name that the model of an input has."""
        made = super().generate(schema, mode)
        if made.get("title") == INPUT:
            del made["title"]
        return made

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        """Say of `Base64Bytes` too, in the words of JSON Schema, that it is base64."""
        made = super().generate_inner(schema)
        return made | {"contentEncoding": "base64"} if made.get("format") == "base64" else made

    def json_or_python_schema(self, schema: core_schema.JsonOrPythonSchema) -> JsonSchemaValue:
        """Take the node that stood there before its JSON side was replaced: that one is short."""
        ours = OURS in schema.get("metadata", {})
        return self.generate_inner(schema["python_schema"]) if ours else super().json_or_python_schema(schema)

    def bytes_schema(self, schema: core_schema.BytesSchema) -> JsonSchemaValue:
        """Say that bytes are base64; bounds count its characters."""
        if OURS not in schema.get("metadata", {}):
            return super().bytes_schema(schema)
        bounds = {"minLength": schema.get("min_length"), "maxLength": schema.get("max_length")}
        return _BASE64_TEXT | {name: (size + 2) // 3 * 4 for name, size in bounds.items() if size is not None}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Name a field in all ways in which an input may."""
        made = super().model_schema(schema)
        return with_all_names(made, schema) if self.mode == "validation" else made

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Leave out bounds of what is left when spaces are stripped; let a number be text where it becomes that."""
        made = super().str_schema(schema)
        if self.mode == "validation" and self._told(schema, "strip_whitespace", "str_strip_whitespace"):
            made.pop("maxLength", None)
            made.pop("pattern", None)
        if self.mode == "validation" and self._told(schema, "coerce_numbers_to_str", "coerce_numbers_to_str"):
            return {"anyOf": [made, {"type": "number"}]}
        return made

    def float_schema(self, schema: core_schema.FloatSchema) -> JsonSchemaValue:
        """Leave out of what a float is a multiple: Pydantic allows for rounding, and JSON Schema does not."""
        return _without(super().float_schema(schema), "multipleOf")

    def set_schema(self, schema: core_schema.SetSchema) -> JsonSchemaValue:
        """Let an input name a member twice: it is in the set once."""
        made = super().set_schema(schema)
        return _without(made, "uniqueItems", "maxItems") if self.mode == "validation" else made

    def frozenset_schema(self, schema: core_schema.FrozenSetSchema) -> JsonSchemaValue:
        """Do the same for one that does not change."""
        made = super().frozenset_schema(schema)
        return _without(made, "uniqueItems", "maxItems") if self.mode == "validation" else made

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        """Let a duration be a number of seconds too."""
        made = super().timedelta_schema(schema)
        return _or_number(made, _DURATIONS) if self.mode == "validation" else made

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        """Let an instant be a number of seconds since 1970 too."""
        made = super().datetime_schema(schema)
        return _or_number(made, _INSTANTS) if self.mode == "validation" else made

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """Say in words that every validator knows that a decimal is a number, or text that is one."""
        text = {"type": "string", "format": "decimal"}
        if self.mode == "serialization":
            return text
        number: JsonSchemaValue = {"type": "number"}
        self.update_with_validations(number, _of_floats(schema), self.ValidationsMapping.numeric)
        return {"anyOf": [number, text]}

    def named_tuple_schema(self, schema: Any) -> JsonSchemaValue:
        """Let a named tuple be an object too."""
        made = super().named_tuple_schema(schema)
        return _or_named(made, [field["name"] for field in schema["fields"]]) if self.mode == "validation" else made

    def call_schema(self, schema: core_schema.CallSchema) -> JsonSchemaValue:
        """Do the same for what a named tuple is to Pydantic before 2.14."""
        made = super().call_schema(schema)
        arguments: Any = schema["arguments_schema"]
        names = [one["name"] for one in arguments["arguments_schema"]]
        return _or_named(made, names) if self.mode == "validation" else made

    def complex_schema(self, schema: core_schema.ComplexSchema) -> JsonSchemaValue:
        """Let a complex number be a number too."""
        return {"type": "string"} if self.mode == "serialization" else {"type": ["string", "number"]}

    def encode_default(self, dft: object) -> object:
        """Write a default as a value of its kind is written; one without a form is left out."""
        try:
            return self._written(dft)
        except NoJsonForm as error:
            raise pydantic_core.PydanticSerializationError(error.reason) from None

    def ser_schema(self, schema: Any) -> JsonSchemaValue | None:
        """Say the same of bytes that are written."""
        return dict(_BASE64_TEXT) if schema == BASE64 else super().ser_schema(schema)

    def _told(self, schema: core_schema.StringSchema, here: str, by_model: str) -> bool:
        return bool(schema.get(here, self._config.config_dict.get(by_model)))


def _or_named(made: JsonSchemaValue, names: list[str]) -> JsonSchemaValue:
    if made.get("type") != "array":
        return made
    properties = dict(zip(names, made.get("prefixItems", []), strict=True))
    named = {"type": "object", "properties": properties, "required": names[: made.get("minItems", 0)]}
    return {"anyOf": [made, {**named, "additionalProperties": False}]}


def _or_number(made: JsonSchemaValue, bounds: tuple[int, int]) -> JsonSchemaValue:
    if made.get("type") != "string":
        return made
    return made | {"type": ["string", "number"], "minimum": bounds[0], "maximum": bounds[1]}


def _without(made: JsonSchemaValue, *words: str) -> JsonSchemaValue:
    return {word: value for word, value in made.items() if word not in words}
