"""What Pydantic found wrong, as paths and sentences in which no value appears."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pydantic_core
from pydantic import ValidationError

from agentic_atlas.protocol.refusals import of_pydantic
from agentic_atlas.protocol.schemas import words
from agentic_atlas.sdk.text import presentable

MOST: Final = 32
"""Faults reported of one value; a wrong list of a million items is told in the first few."""

Fault = dict[str, str]
"""`{"path": JSON Pointer (RFC 6901), "message": sentence}`."""


def faults(
    error: ValidationError, root: object, *, name: str = "it", names: Sequence[str] | None = None
) -> list[Fault]:
    """Return where the value is wrong and why, at most 32 faults.

    Pydantic's locations also name branches of unions; `root`, the value that was validated, tells those from keys, so
    a path always points into the value. `name` is whose input it is, and `names` are those that it takes.
    """
    told: list[words.Told] = []
    unknown: list[words.Unknown] = []
    lacking: list[words.Told] = []
    wrong: dict[str, list[str]] = {}
    for fault in error.errors(include_input=False, include_url=False)[:MOST]:
        path, last = _pointer(fault["loc"], root), str(fault["loc"][-1]) if fault["loc"] else ""
        match fault["type"]:
            case "missing":
                lacking.append((path, last))
            case "union_tag_not_found":
                lacking.append((path, _unquoted(fault["ctx"]["discriminator"])))
            case "extra_forbidden":
                around = _pointer(fault["loc"][:-1], root)
                unknown.append(words.Unknown(around, last, None if around else names))
            case "union_tag_invalid":
                tag = words.pointer([_unquoted(fault["ctx"]["discriminator"])])
                told.append((path + tag, _message(fault)))
            case kind if kind in _WRONG_TYPE:
                wrong.setdefault(path, []).append(_WRONG_TYPE[kind])
            case _:
                told.append((path, _message(fault)))
    paths = [*wrong, *(path for path, _ in told + lacking), *(one.path for one in unknown)]
    told = [*_of_types(wrong, paths), *told]
    return [
        {"path": presentable(path, 300), "message": presentable(message, 300)}
        for path, message in words.of_names(unknown, lacking, name) + told
    ]


def _of_types(wrong: Mapping[str, Sequence[str]], paths: Sequence[str]) -> Iterator[words.Told]:
    """Yield the wrong types of each place, but where an alternative of a union has the right one: then at `paths`."""
    for path, names in wrong.items():
        if paths.count(path) == 1 and not any(other.startswith(f"{path}/") for other in paths):
            types = ", ".join(f'"{name}"' for name in dict.fromkeys(names))
            yield path, f"it is not of type{'s' if ',' in types else ''} {types}"


def faults_of_json(
    error: ValidationError, raw: bytes, *, name: str = "it", names: Sequence[str] | None = None
) -> list[Fault]:
    """Do the same as `faults` for a JSON text."""
    try:
        root = pydantic_core.from_json(raw)
    except ValueError:
        root = None
    return faults(error, root, name=name, names=names)


def sentence(found: list[Fault]) -> str:
    """Return the faults as half a sentence."""
    return words.sentence([(fault["path"], fault["message"]) for fault in found]) or "it is not valid"


def why(error: Exception) -> str:
    """Return the first line of what Pydantic says of a type, or the last one, where the first names only the place."""
    if isinstance(error, KeyError):
        return f"its schema refers to {error}, which is not there"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[-1 if isinstance(error, pydantic_core.SchemaError) else 0].rstrip(".")


_TYPES: Final = {
    "string": ("string",),
    "integer": ("int",),
    "number": ("float", "decimal"),
    "boolean": ("bool",),
    "array": ("list", "tuple", "set", "frozen_set"),
    "object": ("dict", "mapping", "model", "model_attributes", "dataclass"),
}
_WRONG_TYPE: Final = {
    f"{kind}_{what}": name for name, kinds in _TYPES.items() for kind in kinds for what in ("type", "parsing")
}


_FORMS: Final = {
    "date_parsing": "date",
    "date_from_datetime_parsing": "date",
    "datetime_parsing": "date-time",
    "datetime_from_date_parsing": "date-time",
    "time_parsing": "time",
    "time_delta_parsing": "duration",
    "uuid_parsing": "uuid",
    "decimal_parsing": "decimal",
}


def _message(fault: pydantic_core.ErrorDetails) -> str:
    """Return what is wrong, in the words in which a network says it; Pydantic's own may quote what came."""
    wrong, facts = fault["type"], fault.get("ctx", {})
    match wrong:
        case "union_tag_invalid":
            return words.one_of(_listed(facts["expected_tags"]))
        case "literal_error" | "enum":
            return words.one_of(_listed(facts["expected"]))
        case "string_pattern_mismatch":
            return f'it does not match "{facts["pattern"]}"'
    told = words.of_form(_FORMS.get(wrong, ""))
    if told is not None:
        return told
    return of_pydantic(fault["msg"])


def _unquoted(text: str) -> str:
    return text.strip("'")


def _listed(expected: str) -> list[str]:
    """Return the words of `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", expected) or [expected]


def _pointer(location: Sequence[int | str], root: object) -> str:
    """Return the path of the last place that is there."""
    steps: list[int | str] = []
    value: Any = root
    for step in location:
        if _leads_on(value, step):
            value = value[step]
            steps.append(step)
    return words.pointer(steps)


def _leads_on(value: object, step: int | str) -> bool:
    if isinstance(value, dict):
        return step in value
    return isinstance(value, list | tuple) and isinstance(step, int) and step < len(value)
