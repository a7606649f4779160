"""How Pydantic's types become JSON Schema here: of inputs, outputs and answers alike."""

import typing
from typing import Any, Final

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from pydantic_core import core_schema

INPUT: Final = "SkillInput"
"""Name of the model that stands for a skill's input."""


class Plain(GenerateJsonSchema):
    """Schemas without the titles that Pydantic derives from names: they only repeat those."""

    ignored_warning_kinds: set[JsonSchemaWarningKind] = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def field_title_should_be_set(self, schema: object) -> bool:
        """Return False."""
        return False

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        """Return the schema without a pattern: some versions of Pydantic write one that takes no linear time."""
        made = super().decimal_schema(schema)
        for form in (made, *made.get("anyOf", ())):
            form.pop("pattern", None)
        return made

    def generate(
        self, schema: core_schema.CoreSchema, mode: typing.Literal["validation", "serialization"] = "validation"
    ) -> dict[str, Any]:
        """Return the schema, without the name that the model of an input has."""
        made = super().generate(schema, mode)
        if made.get("title") == INPUT:
            del made["title"]
        return made
