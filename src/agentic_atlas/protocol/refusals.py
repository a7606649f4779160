"""What msgspec and Pydantic say of a value that they refuse, in our words: which field, what is allowed, what came."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import inspect

from agentic_atlas.protocol.schemas import words

_STEP: Final = re.compile(r"\.([A-Za-z0-9_]+)|\[([0-9]+)\]|\[\.\.\.\]")
_BOUND: Final = re.compile(r"Expected `[^`]*` (of length )?(>=|<=|>|<) (\S+)")
_TYPE: Final = re.compile(r"Expected `([^`]*)`, got `([^`]*)`")
_LACKS: Final = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_LONGEST: Final = 60
"""Characters of a text that came, at the most, for it to be told."""
_SIDES: Final = {">=": "at least", "<=": "at most", ">": "over", "<": "under"}
_TYPES: Final = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "datetime": "a time such as 2024-02-29T12:00:00Z",
}
_PYDANTIC: Final = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"^(Input|String|List|Value|URL) should "), "has to "),
    (re.compile(r"^(has to be a valid (?:integer|number|boolean|date|datetime|time|string)).*", re.DOTALL), r"\1"),
    (re.compile(r"^has to be a valid integer"), "has to be a whole number"),
    (re.compile(r"^has to be a valid boolean"), "has to be true or false"),
    (re.compile(r"^has to be a valid string"), "has to be text"),
    (re.compile(r"^has to be a valid "), "has to be a "),
    (re.compile(r"less than or equal to (.+)"), r"at most \1"),
    (re.compile(r"greater than or equal to (.+)"), r"at least \1"),
    (re.compile(r"less than (.+)"), r"under \1"),
    (re.compile(r"greater than (.+)"), r"over \1"),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a value was refused.

    Attributes:
        path: of what is wrong in it, as JSON Pointer (RFC 6901).
        message: half a sentence about what is there.
    """

    path: str
    message: str

    @property
    def sentence(self) -> str:
        """The same with the name of the field before it."""
        field = self.path.removeprefix("/").replace("/", ".")
        if not field:
            return self.message
        return f"{field} {self.message}" if self.message.startswith("has to ") else f"{field}: {self.message}"


def refusal(error: msgspec.ValidationError, kind: type, given: object) -> Refusal:
    """Return what msgspec found wrong with a value, given as JSON values, that was to be of this type."""
    text, _, place = str(error).partition(" - at ")
    steps = list(_steps(place.rpartition(" in ")[2].strip("`")))
    message = _message(text, _allowed(kind, steps), "key" if " in " in place else "it")
    return Refusal(words.pointer(steps), _with_value(message, _at(given, steps)))


def of_pydantic(text: str, given: object = None) -> str:
    """Return what Pydantic says is wrong, as half a sentence, with what was given where that may be told."""
    for found, ours in _PYDANTIC:
        text = found.sub(ours, text)
    return _with_value(text, given)


def _with_value(message: str, value: object) -> str:
    told = message.startswith("has to be ") and " such as " not in message and _short(value)
    return f"{message}, not {value!r}" if told else message


def _steps(place: str) -> Iterator[int | str]:
    """Yield the names and numbers of a path, as far as they are told: keys of a mapping are not."""
    for match in _STEP.finditer(place):
        if match[1] is not None:
            yield match[1]
        elif match[2] is not None:
            yield int(match[2])
        else:
            return


def _message(text: str, allowed: Sequence[str], what: str) -> str:
    bound, wrong, lacks, unknown = (form.fullmatch(text) for form in (_BOUND, _TYPE, _LACKS, _UNKNOWN))
    if bound is not None:
        counted = "have a length of " if bound[1] else "be "
        return f"has to {counted}{_SIDES[bound[2]]} {bound[3].removesuffix('.0')}"
    if text.startswith("Invalid enum value"):
        return words.one_of(allowed)
    if wrong is not None:
        return f"has to be {_typed(wrong[1])}" if what == "it" else f"has to have keys that are {_typed(wrong[1])}"
    if lacks is not None:
        return f"{lacks[1]} is missing"
    if unknown is not None:
        ((_, told),) = words.of_names([words.Unknown("/", unknown[1], allowed or None)], [], "it")
        return told
    return _with_zone(text)


def _with_zone(text: str) -> str:
    if "timezone" in text or "datetime" in text:
        return "has to be a time with its zone, such as 2024-02-29T12:00:00Z"
    return text


def _typed(names: str) -> str:
    return " or ".join(_TYPES.get(name, name) for name in names.split(" | "))


def _allowed(kind: type, steps: Sequence[int | str]) -> list[str]:
    """Return the values, or the names of the parts, that are allowed at a place."""
    nodes = _plain(inspect.type_info(kind))
    for step in steps:
        nodes = [found for node in nodes for found in _below(node, step)]
    return [name for node in nodes for name in _names(node)]


def _plain(node: object) -> list[object]:
    if isinstance(node, inspect.Metadata):
        return _plain(node.type)
    if isinstance(node, inspect.UnionType):
        return [one for each in node.types for one in _plain(each)]
    return [node]


def _below(node: object, step: int | str) -> list[object]:
    if isinstance(node, inspect.StructType):
        return next((_plain(field.type) for field in node.fields if field.encode_name == step), [])
    return _plain(node.item_type) if isinstance(node, inspect.ListType) else []


def _names(node: object) -> list[str]:
    if isinstance(node, inspect.StructType):
        return [field.encode_name for field in node.fields]
    if isinstance(node, inspect.EnumType):
        return [str(one.value) for one in node.cls]
    return [str(one) for one in node.values] if isinstance(node, inspect.LiteralType) else []


def _at(value: object, steps: Sequence[int | str]) -> object:
    for step in steps:
        if isinstance(value, Mapping):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def _short(value: object) -> bool:
    """Tell whether a value may stand in a sentence."""
    if isinstance(value, str):
        return len(value) <= _LONGEST
    return isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**_LONGEST)
