"""What Pydantic found wrong, as paths and sentences in which no value appears."""

from collections.abc import Iterable
from typing import Any, Final

import pydantic_core
from pydantic import ValidationError

from agentic_atlas.sdk.text import presentable

MOST: Final = 32
"""Faults reported of one value; a wrong list of a million items is told in the first few."""

Fault = dict[str, str]
"""`{"path": JSON Pointer (RFC 6901), "message": sentence}`."""


def faults(error: ValidationError, root: object) -> list[Fault]:
    """Return where the value is wrong and why, at most 32 faults.

    Pydantic's locations also name branches of unions; `root`, the value that was validated, tells those from keys, so
    a path always points into the value.
    """
    found = error.errors(include_input=False, include_url=False)
    return [{"path": _pointer(fault, root), "message": _message(fault)} for fault in found[:MOST]]


def faults_of_json(error: ValidationError, raw: bytes) -> list[Fault]:
    """Do the same as `faults` for a JSON text."""
    try:
        root = pydantic_core.from_json(raw)
    except ValueError:
        root = None
    return faults(error, root)


def sentence(found: list[Fault]) -> str:
    """Return the first fault as half a sentence, and how many more there are."""
    if not found:
        return "it is not valid"
    first = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{first['path'] or 'the whole value'}: {first['message']}{more}"


def why(error: Exception) -> str:
    """Return the first line of what Pydantic says of a type, or the last one, where the first names only the place."""
    if isinstance(error, KeyError):
        return f"its schema refers to {error}, which is not there"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if isinstance(error, pydantic_core.SchemaError) else 0].rstrip(".")


def _message(fault: pydantic_core.ErrorDetails) -> str:
    if fault["type"] == "union_tag_invalid":
        # Pydantic's own sentence quotes the tag that came.
        return f"Input should be one of {fault['ctx']['expected_tags']}"
    return presentable(fault["msg"], 300)


def _pointer(fault: pydantic_core.ErrorDetails, root: object) -> str:
    steps: list[int | str] = []
    value: Any = root
    location = fault["loc"]
    for place, step in enumerate(location):
        if _leads_on(value, step):
            value = value[step]
        elif not (fault["type"] == "missing" and place == len(location) - 1):
            continue
        steps.append(step)
    return _escaped(steps)


def _leads_on(value: object, step: int | str) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)


def _escaped(steps: Iterable[int | str]) -> str:
    return presentable("".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps), 300)
