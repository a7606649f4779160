"""A type's form: what JSON of it looks like, how it is read, and how a value of it is written.

A skill has a form for its input and one for its output, of which what it gives becomes JSON within the wire's limits.
"""

import json
from collections.abc import Coroutine, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Raw
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaError, SchemaSerializer, SchemaValidator
from pydantic_core.core_schema import CoreConfig

from agentic_atlas.errors import AtlasError, InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.schemas import cost_of
from agentic_atlas.sdk.forms.faults import faults, faults_of_json, sentence
from agentic_atlas.sdk.forms.json_schema import SchemaGenerator
from agentic_atlas.sdk.forms.plain import json_text, plain
from agentic_atlas.sdk.forms.rules import built_anew, with_our_forms
from agentic_atlas.sdk.forms.simpler import WOULD_BE_STARS, NoJsonForm, Path
from agentic_atlas.sdk.text import describe

Mode: TypeAlias = Literal["validation", "serialization"]

UNKNOWN: Final = (PydanticUserError, SchemaError, NameError, KeyError, TypeError, ValueError)
"""What is raised for a type that has no form here, or no JSON Schema."""

_CLASSES_KEPT = 256
_CONFIG: Final = CoreConfig(ser_json_inf_nan="constants")
"""Else NaN would become null before anybody could see it."""

_ENVELOPE_DEPTH: Final = 2
"""Levels of nesting that a message needs around a payload."""
_CHUNK_BYTES: Final = 16
"""Bytes that a chunk's event needs around the chunk."""


class InvalidOutput(AtlasError):
    """What a skill returned cannot be sent: not JSON, not of its return annotation, or nested too deeply."""

    default_code: ClassVar[str] = "invalid_output"


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


@dataclass(frozen=True, slots=True)
class Signature:
    """A skill's input and output.

    Attributes:
        context: name of the parameter that gets the context, if any.
        input_schema: JSON Schema of an object with one property for each other parameter, and no more.
        output_schema: JSON Schema of the return annotation, null without one. A streaming skill's output is the list
            of all it yielded.
        output: checks and serialises what is returned, or each item that is yielded.
        given: checks and reads the input, as a model with a field for each parameter (`attribute`).
        names: those of the parameters.
        keys: those that they have in the input.
    """

    context: str | None
    input_schema: Raw
    output_schema: Raw
    output: TypeForm
    given: TypeForm
    names: tuple[str, ...]
    keys: tuple[str, ...]

    def sizes(self) -> tuple[int, int]:
        """Return the bytes of both schemas, and those of their patterns when they are compiled, as estimated."""
        schemas = [bytes(schema) for schema in (self.input_schema, self.output_schema)]
        return sum(map(len, schemas)), sum(cost_of(msgspec.json.decode(schema)).patterns for schema in schemas)

    def read_input(self, raw: bytes, name: str = "the skill") -> dict[str, object]:
        """Return the arguments that a JSON input of the skill of this name stands for, defaults filled in.

        Raises:
            InvalidInput: it does not fit; `detail` lists `{"path", "message"}`, and no value is echoed.
        """
        try:
            model = self.given.read(raw)
        except ValidationError as error:
            found = faults_of_json(error, raw, name=name, names=self.keys)
            raise InvalidInput(f"the input does not fit {name}: {sentence(found)}", detail=found) from None
        except OverflowError:
            reason = "a number in it is larger than its type can hold"
            raise InvalidInput(f"the input does not fit {name}: {reason}") from None
        return {name: getattr(model, attribute(place)) for place, name in enumerate(self.names)}


def attribute(place: int) -> str:
    """Name of a field in the model: a parameter may be called `copy` or `_x`, which a model's field may not."""
    return f"p{place}"


def encode_output(value: object, form: TypeForm, limits: Limits) -> Raw:
    """Return a skill's output as JSON that the wire takes.

    Raises:
        InvalidOutput: it does not fit its annotation, has no JSON form, or is nested too deeply.
        PayloadTooLarge: it has more than `limits.payload_bytes`.
    """
    return _encode(value, form, limits, limits.payload_bytes, _ENVELOPE_DEPTH)


def encode_chunk(value: object, form: TypeForm, limits: Limits) -> Raw:
    """Do the same for one item that a streaming skill yields, which has to fit `limits.event_bytes`."""
    return _encode(value, form, limits, limits.event_bytes - _CHUNK_BYTES, _ENVELOPE_DEPTH + 1)


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


def _encode(value: object, form: TypeForm, limits: Limits, most: int, envelope: int) -> Raw:
    if isinstance(value, Coroutine):
        value.close()
        raise InvalidOutput("what it returned is a coroutine and not its result: `await` is missing where it is made")
    try:
        encoded = form.text(form.check(value))
    except ValidationError as error:
        found = faults(error, value)
        raise InvalidOutput(f"what it returned is not what it declares: {sentence(found)}", detail=found) from None
    except NoJsonForm as error:
        detail = [{"path": error.pointer, "message": error.reason}]
        raise InvalidOutput(f"what it returned cannot be sent: {error}", detail=detail) from error.__cause__
    except Exception as error:  # serialisers of the user's models run here and may raise anything
        raise InvalidOutput(f"what it returned has no JSON form: {describe(error)}") from error
    if len(encoded) > most:
        raise PayloadTooLarge(f"{len(encoded)} bytes are more than the {most} allowed: return less, or a link to it")
    try:
        check_nesting(encoded, limits.depth - envelope)
    except ProtocolError as error:
        raise InvalidOutput(f"what it returned can't be sent: {error.message}") from None
    return Raw(encoded)
