"""A type's form: what JSON of it looks like, how it is read, and how a value of it is written."""

import json
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaError, SchemaSerializer, SchemaValidator
from pydantic_core.core_schema import CoreConfig

from agentic_atlas.sdk.forms.json_schema import SchemaGenerator
from agentic_atlas.sdk.forms.plain import json_text, plain
from agentic_atlas.sdk.forms.rules import built_anew, with_our_forms
from agentic_atlas.sdk.forms.simpler import WOULD_BE_STARS, NoJsonForm, Path

Mode: TypeAlias = Literal["validation", "serialization"]

UNKNOWN: Final = (PydanticUserError, SchemaError, NameError, KeyError, TypeError, ValueError)
"""What is raised for a type that has no form here, or no JSON Schema."""

_CLASSES_KEPT = 256
_CONFIG: Final = CoreConfig(ser_json_inf_nan="constants")
"""Else NaN would become null before anybody could see it."""


class TypeForm:
    """The JSON form of one type."""

    def __init__(self, annotation: Any) -> None:
        """Take any type that Pydantic knows.

        Raises:
            Exception: of `UNKNOWN`: it knows no such type.
        """
        self._schema = with_our_forms(TypeAdapter(annotation).core_schema, _anything)
        self._anything = self._schema["type"] == "any"
        with built_anew(self._schema):
            self._validator = SchemaValidator(self._schema)
            self._serializer = SchemaSerializer(self._schema, _CONFIG)

    def json_schema(self, mode: Mode = "validation") -> dict[str, object]:
        """Return the JSON Schema (2020-12) of what is read (`validation`) or written (`serialization`).

        Raises:
            Exception: of `UNKNOWN`: there is none.
        """
        return SchemaGenerator(json_value).generate(self._schema, mode)

    def read(self, raw: bytes) -> object:
        """Return the value that a JSON text stands for.

        Raises:
            ValidationError: it does not fit.
        """
        return self._validator.validate_json(raw)

    def check(self, value: object) -> object:
        """Return a value of Python as one of this type.

        Raises:
            ValidationError: it does not fit.
        """
        return self._validator.validate_python(value)

    def text(self, value: object) -> bytes:
        """Return a value of this type as JSON, its fields by their aliases.

        Raises:
            NoJsonForm: something in it has none.
            Exception: what a serializer of the user's raises.
        """
        if self._anything:
            return json_text(json_value(value))
        try:
            text = self._serializer.to_json(value, by_alias=True, warnings=False)
        except PydanticSerializationError:
            return json_text(self.write(value))  # which says where, and why in words of ours
        # Looked for in texts too, where they are no harm: `write` can tell.
        return json_text(self.write(value)) if b"NaN" in text or b"Infinity" in text else text

    def write(self, value: object) -> object:
        """Return a value of this type as a plain JSON value; raises as `text` does."""
        return plain(self.written(value), write_object)

    def dumped(self, value: object) -> object:
        """Return a value with its models as dictionaries, all else in it as it is in Python."""
        return self._serializer.to_python(value, by_alias=True, warnings=False)

    def written(self, value: object) -> object:
        """Do the same, with NaN and infinities still in it."""
        try:
            return self._serializer.to_python(value, mode="json", by_alias=True, warnings=False)
        except PydanticSerializationError as error:
            if isinstance(error.__cause__, NoJsonForm):
                raise error.__cause__ from None
            raise


def json_value(value: object) -> object:
    """Return a value whose type nobody declared as a plain JSON value.

    Raises:
        NoJsonForm: something in it has none.
    """
    return plain(value, write_object)


def write_object(value: object) -> object:
    """Return an object of Pydantic's by the form of its class; raises as `TypeForm.written` does."""
    kind: object = type(value)
    form, secretive = _form_of(kind)
    if secretive:
        _refuse_secrets(form.dumped(value), ())
    return form.written(value)


def _anything(value: object) -> object:
    return plain(value, write_object, finite=False)


@lru_cache(_CLASSES_KEPT)
def _form_of(kind: Hashable) -> tuple[TypeForm, bool]:
    """Return the form of a class, and whether an object of it may hold secrets."""
    form = TypeForm(kind)
    try:
        return form, '"writeOnly": true' in json.dumps(form.json_schema())
    except UNKNOWN:
        return form, False


def _refuse_secrets(value: object, path: Path) -> None:
    """Let no secret of a caller's become stars: whoever is called could not tell them from the secret."""
    if hasattr(type(value), "get_secret_value"):
        raise NoJsonForm(path, WOULD_BE_STARS)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for step, part in parts:
        _refuse_secrets(part, (*path, step))
