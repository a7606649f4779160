"""A schema as an agent declares it: looked at once, before anything is checked against it."""

import msgspec

from agentic_atlas.backend.domain.schemas.validator import Validator
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.schemas import SCHEMA_BYTES, Cost, SchemaRefused, cost_of


def look_at(schema: bytes) -> Cost:
    """Return what a schema costs.

    Raises:
        InvalidInput: it is longer than 64 KiB, no JSON, no JSON Schema of draft 2020-12, refers to others in a form
            that is not taken, or is too expensive for any value (`invalid_schema`).
    """
    if len(schema) > SCHEMA_BYTES:
        raise SchemaRefused(f"a schema of {len(schema)} bytes is over the limit of {SCHEMA_BYTES}", "use simpler types")
    try:
        cost = cost_of(msgspec.json.decode(schema))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"not a JSON Schema: {error}", code="invalid_schema") from None
    Validator(schema, patterns=False)
    return cost
