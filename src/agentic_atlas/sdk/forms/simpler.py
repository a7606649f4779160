"""One step from what a program has to what JSON has: an enum to its value, a struct to its fields, bytes to base64."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from functools import singledispatch
from pathlib import PurePath
from types import GeneratorType
from typing import Any, Final, NoReturn, TypeAlias

import msgspec

from agentic_atlas.sdk.forms import base64_text

Path: TypeAlias = tuple[str | int, ...]
Typed: TypeAlias = Callable[[object], object]

WOULD_BE_STARS: Final = "it is a secret, which would arrive as stars: give its get_secret_value()"


class NoJsonForm(Exception):
    """A value, or a part of it, cannot be written as JSON.

    Attributes:
        path: names and numbers that lead to the part.
        pointer: the same as a JSON Pointer (RFC 6901); empty for the whole.
        reason: half a sentence: what it is, and what to give instead.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
        self.reason = reason
        super().__init__(f"{self.pointer or 'the whole value'}: {reason}")

    def raise_below(self, *steps: str | int) -> NoReturn:
        """Raise the same of what holds the value at these steps."""
        raise NoJsonForm((*steps, *self.path), self.reason) from self.__cause__


@singledispatch
def simpler(value: object, typed: Typed) -> object:
    """Return what a value stands for, one step nearer to JSON; `typed` writes objects of Pydantic's.

    Raises:
        NoJsonForm: it has no JSON form.
        Exception: what its own serializer raises.
    """
    kind = type(value)
    if hasattr(kind, "get_secret_value"):
        raise NoJsonForm((), WOULD_BE_STARS)
    if hasattr(kind, "__pydantic_serializer__"):
        return typed(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    for own in ("tolist", "item"):  # numbers and arrays of numpy, and of those that follow it
        if hasattr(kind, own):
            return getattr(value, own)()
    return _known_to_pydantic(value, typed)


def _known_to_pydantic(value: object, typed: Typed) -> object:
    """Leave dates, UUIDs, URLs, addresses, … to Pydantic, which writes them where their type is declared."""
    import pydantic_core

    try:
        return pydantic_core.to_jsonable_python(value)
    except pydantic_core.PydanticSerializationError:
        pass
    try:
        return typed(value)
    except Exception:  # noqa: BLE001 - a class that nobody knows
        fix = "give text, numbers, lists, mappings, dataclasses or models"
        raise NoJsonForm((), f"{type(value).__name__} has no JSON form: {fix}") from None


@simpler.register(str)
def _(value: str, _: Typed) -> str:
    return str.__str__(value)


@simpler.register(int)
def _(value: int, _: Typed) -> int:
    return int(value)


@simpler.register(float)
def _(value: float, _: Typed) -> float:
    return float(value)


@simpler.register(Decimal)
def _(value: Decimal, _: Typed) -> str:
    if not value.is_finite():
        raise NoJsonForm((), f"the decimal {value} is no number of JSON: give None, or text")
    return str(value)


@simpler.register(bytes)
@simpler.register(bytearray)
@simpler.register(memoryview)
def _(value: bytes | bytearray | memoryview, _: Typed) -> str:
    return base64_text.to_text(value)


@simpler.register(Enum)
def _(value: Enum, _: Typed) -> object:
    return value.value


@simpler.register(PurePath)
def _(value: PurePath, _: Typed) -> str:
    return str(value)


@simpler.register(msgspec.Struct)
def _(value: msgspec.Struct, _: Typed) -> object:
    config = value.__struct_config__
    fields = {field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
    if config.array_like:
        return [*([config.tag] if config.tag_field else []), *fields.values()]
    return {**({config.tag_field: config.tag} if config.tag_field else {}), **fields}


@simpler.register(Mapping)
def _(value: Mapping[object, object], _: Typed) -> dict[object, object]:
    return dict(value)


@simpler.register(Set)
def _(value: Set[Any], _: Typed) -> list[Any]:
    try:
        return sorted(value)  # the same in each process, so that a request can be repeated
    except TypeError:
        return list(value)


@simpler.register(Sequence)
@simpler.register(GeneratorType)
def _(value: Iterable[object], _: Typed) -> list[object]:
    return list(value)
