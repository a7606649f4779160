"""A JSON Schema compiled, and values checked against it.

What a schema may hold and cost is the matter of `protocol.schemas`; here it has been looked at already.
"""

from collections.abc import Callable, Mapping
from functools import partial

import jsonschema_rs
import msgspec

from agentic_atlas.backend.domain.formats import FORMATS
from agentic_atlas.backend.domain.records import InputFault
from agentic_atlas.backend.domain.schemas.dispatch import dispatched
from agentic_atlas.backend.domain.schemas.letters import lenient
from agentic_atlas.backend.domain.schemas.wording import faults_of
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import Cost
from agentic_atlas.protocol.schemas.keywords import changed

_ENGINE = 16 * 1024 * 1024
"""Bytes of one compiled regular expression that the engine itself takes; `protocol.schemas.patterns` is stricter."""
_MAX_REASON = 300
_AROUND = 100
"""Bytes that a byte of a schema takes at the most when it is compiled, as measured."""

_UNUSABLE = (ValueError, msgspec.DecodeError, jsonschema_rs.ReferencingError, RecursionError)


class Validator:
    """A schema that is ready to check values. Thread-safe.

    Attributes:
        fits: tells whether a JSON value fits.
    """

    def __init__(self, schema: bytes, *, patterns: bool = True) -> None:
        """Compile; without `patterns` for learning only whether it is a schema, which costs little memory.

        A pattern that the engine of the server does not know is left to the agent's own check.

        Raises:
            InvalidInput: it is no JSON, or no JSON Schema of draft 2020-12.
        """
        try:
            self._schema = lenient(dispatched(msgspec.json.decode(schema)))
            self._validator = _compiled(self._schema if patterns else _without(self._schema, _any))
        except _UNUSABLE as error:
            if not patterns:
                raise _no_schema(error) from None
            self._validator = _compiled_in_part(self._schema)
        self.fits: Callable[[object], bool] = self._validator.is_valid

    def faults(self, value: object, name: str) -> list[InputFault]:
        """Return where and why a value that does not fit does not; `name` is whose input it is."""
        return faults_of(self._validator.iter_errors(value), self._schema, name)


def compiled_size(schema: bytes, cost: Cost) -> int:
    """Return about how many bytes a schema takes when it is compiled."""
    return _AROUND * len(schema) + cost.patterns


def _compiled(schema: object) -> jsonschema_rs.Draft202012Validator:
    # Only objects and booleans are schemas; what else was declared is for the library to refuse.
    options = jsonschema_rs.RegexOptions(size_limit=_ENGINE)
    return jsonschema_rs.Draft202012Validator(
        schema,  # type: ignore[arg-type]
        offline=True,
        pattern_options=options,
        validate_formats=True,
        formats=FORMATS,
    )


def _compiled_in_part(schema: object) -> jsonschema_rs.Draft202012Validator:
    try:
        return _compiled(_without(schema, _unknown))
    except _UNUSABLE as error:
        raise _no_schema(error) from None


def _no_schema(error: BaseException) -> InvalidInput:
    return InvalidInput(f"not a JSON Schema: {str(error)[:_MAX_REASON]}", code="invalid_schema")


def _any(pattern: object) -> bool:
    return isinstance(pattern, str)


def _unknown(pattern: object) -> bool:
    """Tell whether the engine does not take a pattern: it has another syntax than the agent's, in some corners."""
    try:
        _compiled({"pattern": pattern})
    except _UNUSABLE:
        return isinstance(pattern, str)
    return False


def _without(node: object, unwanted: Callable[[object], bool]) -> object:
    """Return a schema that takes the same, and what only these patterns exclude."""
    if not isinstance(node, Mapping):
        return node
    made = changed(node, partial(_without, unwanted=unwanted))
    if unwanted(made.get("pattern")):
        del made["pattern"]
    named = made.get("patternProperties")
    if isinstance(named, Mapping) and any(unwanted(pattern) for pattern in named):
        # What it names could not be told from what is not to be there at all.
        for keyword in ("patternProperties", "additionalProperties", "unevaluatedProperties"):
            made.pop(keyword, None)
    return made
