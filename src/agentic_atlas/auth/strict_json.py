"""JSON with one reading only: what two parsers could understand differently is refused.

RFC 8725 section 3.7 and RFC 8259 section 4 name the dangers: other encodings than UTF-8, repeated names, numbers
that are no JSON. Fractions and exponents are refused too, because every number here counts seconds.
"""

import json
from typing import NoReturn


def loads_object(data: bytes) -> dict[str, object]:
    """Read one JSON object of strict UTF-8. The size of `data` is bounded by the caller.

    Raises:
        ValueError: anything else, a repeated name, a number that is not whole, or nesting too deep to read.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice")
    return members


def _refuse_number(_: str) -> NoReturn:
    raise ValueError("a number that is not whole")
