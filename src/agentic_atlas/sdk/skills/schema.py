"""What a skill takes and gives, as JSON Schema (2020-12) and as checks, both made by Pydantic from the signature."""

import inspect
import typing
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Raw
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import NULL
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, SchemaRefused, cost_of
from agentic_atlas.sdk.forms.json_schema import INPUT
from agentic_atlas.sdk.forms.typed import UNKNOWN, TypeForm
from agentic_atlas.sdk.skills.context import Context
from agentic_atlas.sdk.skills.parameters import Declaration, Function, Parameter, Parameters, read_parameters
from agentic_atlas.sdk.skills.validation import faults_of_json, sentence, why


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
    parameters = read_parameters(function, declaration, context=context)
    given = TypeForm(_model(parameters.fields))
    output, schema = _output(parameters, declaration, streams=streams)
    return Signature(
        context=parameters.context,
        input_schema=_bounded(given.json_schema(), declaration, "input"),
        output_schema=schema,
        output=output,
        _names=tuple(field.name for field in parameters.fields),
        _keys=tuple(field.key for field in parameters.fields),
        _input=given,
    )


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


def _output(parameters: Parameters, declaration: Declaration, *, streams: bool) -> tuple[TypeForm, Raw]:
    annotation = parameters.returns
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
