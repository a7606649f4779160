"""What a skill takes and gives, as JSON Schema (2020-12) and as checks, both made by Pydantic from its function."""

import inspect
import typing
from typing import Annotated, Any

import msgspec
from msgspec import Raw
from pydantic import BaseModel, ConfigDict, Field, create_model

from agentic_atlas.protocol.messages import NULL
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, SchemaRefused, cost_of
from agentic_atlas.sdk.forms.faults import why
from agentic_atlas.sdk.forms.json_schema import INPUT
from agentic_atlas.sdk.forms.typed import UNKNOWN, Signature, TypeForm, attribute
from agentic_atlas.sdk.skills.context import Context
from agentic_atlas.sdk.skills.parameters import Declaration, Function, Parameter, read_parameters

_ANNOTATED: Any = Annotated  # given types that only the running program knows
_LIST: Any = list


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
        given=given,
        names=tuple(field.name for field in fields),
        keys=tuple(field.key for field in fields),
    )


def _model(fields: tuple[Parameter, ...]) -> type[BaseModel]:
    definitions: dict[str, Any] = {}
    for place, field in enumerate(fields):
        named = _ANNOTATED[field.annotation, Field(alias=field.key)]
        if field.description is not None:
            # None would take the place of a description that the annotation's own Field has.
            named = _ANNOTATED[named, Field(description=field.description)]
        default = ... if field.default is inspect.Parameter.empty else field.default
        definitions[attribute(place)] = (named, default)
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
