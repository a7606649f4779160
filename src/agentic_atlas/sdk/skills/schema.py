"""What a skill takes and gives, as JSON Schema (2020-12) and as checks, both made by Pydantic from the signature.

Here is also how what it gives becomes JSON, within the limits of the wire.
"""

import inspect
import typing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final

import msgspec
from msgspec import Raw
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agentic_atlas.errors import AtlasError, InvalidInput, PayloadTooLarge
from agentic_atlas.protocol.codec import ProtocolError, check_nesting
from agentic_atlas.protocol.messages import NULL, Limits
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, SchemaRefused, cost_of
from agentic_atlas.sdk.forms.json_schema import INPUT
from agentic_atlas.sdk.forms.simpler import NoJsonForm
from agentic_atlas.sdk.forms.typed import UNKNOWN, TypeForm
from agentic_atlas.sdk.skills.context import Context
from agentic_atlas.sdk.skills.parameters import Declaration, Function, Parameter, read_parameters
from agentic_atlas.sdk.skills.validation import faults, faults_of_json, sentence, why
from agentic_atlas.sdk.text import describe

_ENVELOPE_DEPTH: Final = 2
"""Levels of nesting that a message needs around a payload."""
_CHUNK_BYTES: Final = 16
"""Bytes that a chunk's event needs around the chunk."""


class InvalidOutput(AtlasError):
    """What a skill returned cannot be sent: not JSON, not of its return annotation, or nested too deeply."""

    default_code: ClassVar[str] = "invalid_output"


@dataclass(frozen=True, slots=True)
class Signature:
    """A skill's input and output.

    Attributes:
        context: name of the parameter that gets the context, if any.
        input_schema: JSON Schema of an object with one property for each other parameter, and no more.
        output_schema: JSON Schema of the return annotation, null without one. A streaming skill's output is the list
            of all it yielded.
        output: checks and serialises what is returned, or each item that is yielded.
    """

    context: str | None
    input_schema: Raw
    output_schema: Raw
    output: TypeForm
    _names: tuple[str, ...]
    _keys: tuple[str, ...]
    _input: TypeForm

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
            model = self._input.read(raw)
        except ValidationError as error:
            found = faults_of_json(error, raw, name=name, names=self._keys)
            raise InvalidInput(f"the input does not fit {name}: {sentence(found)}", detail=found) from None
        except OverflowError:
            reason = "a number in it is larger than its type can hold"
            raise InvalidInput(f"the input does not fit {name}: {reason}") from None
        return {name: getattr(model, _attribute(place)) for place, name in enumerate(self._names)}


def read_signature(function: Function, declaration: Declaration, *, context: type[Context], streams: bool) -> Signature:
    """Make the schemas and checks of a function.

    Raises:
        ConfigurationError: it cannot be a skill; the message names file, line, parameter and fix.
    """
    fields, given_context, returns = read_parameters(function, declaration, context=context)
    given = TypeForm(_model(fields))
    output, schema = _output(returns, declaration, streams=streams)
    return Signature(
        context=given_context,
        input_schema=_bounded(given.json_schema(), declaration, "input"),
        output_schema=schema,
        output=output,
        _names=tuple(field.name for field in fields),
        _keys=tuple(field.key for field in fields),
        _input=given,
    )


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


_ANNOTATED: Any = Annotated  # given types that only the running program knows


_LIST: Any = list


def _attribute(place: int) -> str:
    """Name of a field in the model: a parameter may be called `copy` or `_x`, which a model's field may not."""
    return f"p{place}"


def _model(fields: tuple[Parameter, ...]) -> type[BaseModel]:
    definitions: dict[str, Any] = {}
    for place, field in enumerate(fields):
        named = _ANNOTATED[field.annotation, Field(alias=field.key)]
        if field.description is not None:
            # None would take the place of a description that the annotation's own Field has.
            named = _ANNOTATED[named, Field(description=field.description)]
        default = ... if field.default is inspect.Parameter.empty else field.default
        definitions[_attribute(place)] = (named, default)
    config = ConfigDict(extra="forbid")
    return create_model(INPUT, __config__=config, **definitions)


def _output(annotation: object, declaration: Declaration, *, streams: bool) -> tuple[TypeForm, Raw]:
    if streams:
        # AsyncIterator[X] and AsyncGenerator[X, None]; without the brackets nothing is declared.
        annotation = next(iter(typing.get_args(annotation)), inspect.Signature.empty)
    if annotation is inspect.Signature.empty:
        return TypeForm(Any), NULL
    try:
        item = TypeForm(annotation)
        whole = TypeForm(_LIST[annotation]) if streams else item
        schema = whole.json_schema("serialization")
    except UNKNOWN as error:
        reason = why(error)
        fix = "return plain values, dataclasses, Pydantic models or content parts, or leave the annotation out"
        raise declaration.wrong(f"its return type has no JSON form: {reason}", fix) from None
    return item, _bounded(schema, declaration, "output")


def _bounded(schema: dict[str, object], declaration: Declaration, what: str) -> Raw:
    encoded = msgspec.json.encode(schema)
    if len(encoded) > SCHEMA_BYTES:
        problem = f"the schema of its {what} has {len(encoded)} bytes, more than {SCHEMA_BYTES}"
        raise declaration.wrong(problem, "use simpler types, or Any for the deep parts")
    try:
        cost_of(schema)
    except SchemaRefused as error:
        raise declaration.wrong(f"{what}: {error.problem}", error.fix) from None
    return Raw(encoded)


def _encode(value: object, form: TypeForm, limits: Limits, most: int, envelope: int) -> Raw:
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
