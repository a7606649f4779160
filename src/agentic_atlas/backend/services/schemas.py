"""JSON Schemas of skills and questions: checked when an agent declares them, applied before a value is accepted.

The schemas come from agents, so they are bounded, never fetch a reference, and their patterns run in linear time.
"""

import jsonschema_rs
import msgspec

from agentic_atlas.backend.services.cost import MOST_CHECKED, MOST_EXPLAINED, MOST_VISITED, Cost
from agentic_atlas.errors import InvalidInput

MAX_SCHEMA_BYTES = 64 * 1024
MAX_DECLARED_BYTES = 512 * 1024
"""Bytes of all schemas that one instance declares."""
MAX_PATTERN_BYTES = 100_000
"""Memory of one compiled regular expression."""
MAX_FAULTS = 20
"""Faults reported of one input."""
_MAX_MESSAGE = 300
_EMPTY = b"null"


class InputFault(msgspec.Struct, frozen=True):
    """Where a value breaks its schema."""

    path: str
    """JSON Pointer (RFC 6901) into the value; empty for the value itself."""
    message: str


class InputSchema:
    """The schema of a skill's input, or of what else is given from outside, compiled. Thread-safe."""

    def __init__(
        self, schema: bytes, *, of: tuple[str, str] = ("the input", "the skill"), most_visited: int = MOST_VISITED
    ) -> None:
        """Compile `schema`; `of` says in errors what it is the schema of, and for whom.

        Raises:
            InvalidInput: it is longer than 64 KiB, no JSON, or no JSON Schema of draft 2020-12.
        """
        self._value, self._whose = of
        if len(schema) > MAX_SCHEMA_BYTES:
            raise InvalidInput(f"a schema of {len(schema)} bytes is over the limit of {MAX_SCHEMA_BYTES}")
        try:
            declared = msgspec.json.decode(schema)
            self._cost = Cost(declared, most_visited=most_visited)
            self._validator = jsonschema_rs.Draft202012Validator(
                declared, offline=True, pattern_options=jsonschema_rs.RegexOptions(size_limit=MAX_PATTERN_BYTES)
            )
        except (ValueError, msgspec.DecodeError, jsonschema_rs.ReferencingError, RecursionError) as error:
            raise InvalidInput(f"not a JSON Schema: {str(error)[:_MAX_MESSAGE]}") from None

    def check(self, value: object) -> None:
        """Raise InvalidInput, with the faults in its `detail`, when the value breaks the schema."""
        cost = self._cost.of(value)
        if cost > MOST_CHECKED:
            raise InvalidInput(f"{self._value} is nested too deeply to be checked against {self._whose}'s schema")
        if self._validator.is_valid(value):
            return
        if cost > MOST_EXPLAINED:
            raise InvalidInput(f"{self._value} does not fit {self._whose}'s schema")
        faults = []
        for error in self._validator.iter_errors(value):
            faults.append(InputFault(_pointer(error.instance_path), error.message[:_MAX_MESSAGE]))
            if len(faults) == MAX_FAULTS:
                break
        first = faults[0]
        raise InvalidInput(
            f"{self._value} does not fit {self._whose}: at {first.path or '/'}: {first.message}",
            detail=msgspec.to_builtins(faults),
        )


def check_declared(schema: bytes, what: str, *, most_visited: int = MOST_VISITED) -> None:
    """Refuse a declared schema that can't be used, or whose cost takes long to tell; `null` stands for none."""
    if schema == _EMPTY:
        return
    try:
        InputSchema(schema, most_visited=most_visited)
    except InvalidInput as error:
        raise InvalidInput(f"{what}: {error.message}", code="invalid_schema") from None


def _pointer(path: list[str | int]) -> str:
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
