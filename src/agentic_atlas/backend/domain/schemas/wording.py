"""The faults of a value in words: for each the place and the reason, within the alternative that was meant."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec
from jsonschema_rs import ValidationError, ValidationErrorKind

from agentic_atlas.backend.domain.records import InputFault
from agentic_atlas.backend.domain.schemas.letters import declared
from agentic_atlas.protocol.schemas import words
from agentic_atlas.protocol.schemas.keywords import Node, definitions, target

MAX_FAULTS = 20
"""Faults told of one value."""
_MAX_MESSAGE = 300
_MAX_VALUE = 60
_NESTED = 16
"""Alternatives within alternatives that are looked into for a reason."""


def faults_of(errors: Iterable[ValidationError], schema: object, name: str) -> list[InputFault]:
    """Return at most `MAX_FAULTS` of them; `name` is whose input it is."""
    told: list[words.Told] = []
    unknown: list[words.Unknown] = []
    lacking: list[words.Told] = []
    for error in _flat(errors, 0):
        path = words.pointer(error.instance_path)
        match error.kind:
            case ValidationErrorKind.Required(property=lacks):
                lacking.append((path, str(lacks)))
            case ValidationErrorKind.AdditionalProperties(unexpected=names):
                taken = _taken(schema, error.schema_path)
                unknown += [words.Unknown(path, one, taken) for one in names[:MAX_FAULTS]]
            case _:
                told.append((path, _message(error)))
        if len(told) + len(unknown) + len(lacking) >= MAX_FAULTS:
            break
    told = words.of_names(unknown, lacking, name) + told
    return [InputFault(path, message) for path, message in told[:MAX_FAULTS]]


def _flat(errors: Iterable[ValidationError], level: int) -> Iterator[ValidationError]:
    """Yield what is wrong, for alternatives that cannot be told apart what is wrong with the likeliest."""
    for error in errors:
        match error.kind:
            case ValidationErrorKind.AnyOf(context=each) | ValidationErrorKind.OneOfNotValid(context=each):
                meant = _likeliest(each, error) if level < _NESTED else None
                if meant is None:
                    yield error
                else:
                    yield from _flat(meant, level + 1)
            case _:
                yield error


def _likeliest(each: Sequence[Sequence[ValidationError]], around: ValidationError) -> Sequence[ValidationError] | None:
    """Return the faults of the alternative whose type is right, with the fewest; None when no type is."""
    right = [faults for faults in each if not any(_is_type(fault, around) for fault in faults)]
    return min(right, key=len, default=None) or None


def _is_type(fault: ValidationError, around: ValidationError) -> bool:
    wrong = isinstance(fault.kind, ValidationErrorKind.Type | ValidationErrorKind.Constant | ValidationErrorKind.Enum)
    return wrong and fault.instance_path == around.instance_path


def _message(error: ValidationError) -> str:
    match error.kind:
        case ValidationErrorKind.Enum(options=options) if all(isinstance(one, str) for one in options):
            return f"{words.one_of(str(one) for one in options)}, not {_value(error.instance)}"
        case ValidationErrorKind.Constant(expected_value=expected):
            return f"has to be {_value(expected)}, not {_value(error.instance)}"
        case ValidationErrorKind.Pattern(pattern=pattern):
            return error.message.replace(pattern, declared(pattern))[:_MAX_MESSAGE]
        case ValidationErrorKind.Format(format=name) if (form := words.of_form(str(name))) is not None:
            return f"{form}, not {_value(error.instance)}"
        case ValidationErrorKind.AnyOf(context=each) | ValidationErrorKind.OneOfNotValid(context=each):
            reasons = list(dict.fromkeys(_message(faults[0]) for faults in each if faults))
            return " and ".join(reasons)[:_MAX_MESSAGE] if len(reasons) <= 3 else error.message[:_MAX_MESSAGE]
    return error.message[:_MAX_MESSAGE]


def _value(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}…"


def _taken(schema: object, steps: Sequence[int | str]) -> list[str] | None:
    """Return the names that an object may have, by the path in the schema of what refused another; None: unknown."""
    node: object = schema
    known = definitions(schema)
    for step in steps[:-1]:
        if step == "$ref":
            node = target(node, known) if isinstance(node, Mapping) else None
        elif isinstance(node, Mapping):
            node = node.get(str(step))
        elif isinstance(node, list) and isinstance(step, int) and step < len(node):
            node = node[step]
    return list(_properties(node)) if isinstance(node, Mapping) else None


def _properties(node: object) -> Node:
    found = node.get("properties") if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else {}
