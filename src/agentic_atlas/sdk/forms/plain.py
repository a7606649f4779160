"""Values of a program as JSON values, exactly or not at all.

What JSON cannot carry (NaN, half of a surrogate pair, two keys that become the same text, an object without a form) is
an error that names its place, never something else in its stead. Whole containers are looked at by the types of what
they hold, so a list of a million numbers costs no call for each.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from decimal import Decimal
from enum import Enum
from functools import singledispatchmethod
from pathlib import PurePath
from types import GeneratorType
from typing import Any, Final, TypeAlias

import msgspec

from agentic_atlas.sdk.forms import base64_text
from agentic_atlas.sdk.text import describe

DEEPEST: Final = 200
"""Levels of nesting beyond which a value counts as one without an end, for instance a list that holds itself."""

WOULD_BE_STARS: Final = "it is a secret, which would arrive as stars: give its get_secret_value()"

Path: TypeAlias = tuple[str | int, ...]

_AS_THEY_ARE: Final = frozenset({str, int, bool, type(None)})
_TEXT: Final = frozenset({str})
_NAMES: Final = {True: "true", False: "false"}


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


def plain(value: object, typed: Callable[[object], object], *, finite: bool = True) -> Any:
    """Return a value as dict, list, str, int, float, bool or None; `typed` does so for objects of Pydantic's.

    With `finite=False`, NaN and infinities are left for a later look, which knows more of the place they are at.

    Raises:
        NoJsonForm: it has no such form.
    """
    try:
        return _Writing(typed, finite=finite).write(value, ())
    except RecursionError:
        raise NoJsonForm((), "it is nested too deeply, or holds itself") from None


def text_of(value: object) -> bytes:
    """Return a plain value as JSON in UTF-8.

    Raises:
        NoJsonForm: a text in it is not Unicode, or a number has more digits than Python writes.
    """
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        raise NoJsonForm(_half_a_pair(value, ()) or (), "it holds half of a surrogate pair, which is no text") from None
    except ValueError as error:
        raise NoJsonForm((), describe(error)) from None


class _Writing:
    def __init__(self, typed: Callable[[object], object], *, finite: bool) -> None:
        self._typed = typed
        self._finite = finite

    def write(self, value: Any, path: Path) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if len(path) > DEEPEST:
            raise NoJsonForm(path[:3], "it is nested too deeply, or holds itself")
        if kind is list or kind is tuple:
            return self._items(value, path)
        if kind is dict:
            return self._fields(value, path)
        return self._other(value, path)

    def _items(self, items: Sequence[Any], path: Path) -> list[Any]:
        kinds = set(map(type, items))
        if kinds <= _AS_THEY_ARE or (kinds == {float} and all(map(math.isfinite, items))):
            return list(items)
        return [self.write(item, (*path, place)) for place, item in enumerate(items)]

    def _fields(self, fields: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        if set(map(type, fields)) <= _TEXT:
            if set(map(type, fields.values())) <= _AS_THEY_ARE:
                return dict(fields)
            return {name: self.write(value, (*path, name)) for name, value in fields.items()}
        written: dict[str, Any] = {}
        for key, value in fields.items():
            name = self._name(key, path)
            if name in written:
                raise NoJsonForm((*path, name), "two keys of this mapping are the same text in JSON")
            written[name] = self.write(value, (*path, name))
        return written

    def _name(self, key: object, path: Path) -> str:
        """Return a key as text: JSON has no others."""
        if isinstance(key, bool):
            return _NAMES[key]
        name = None if key is None else self.write(key, path)
        if isinstance(name, int | float) and not isinstance(name, bool):
            return repr(name)
        if not isinstance(name, str):
            raise NoJsonForm(path, f"a key of this mapping is a {type(key).__name__}: make it text")
        return name

    @singledispatchmethod
    def _other(self, value: Any, path: Path) -> Any:
        kind = type(value)
        if hasattr(kind, "get_secret_value"):
            raise NoJsonForm(path, WOULD_BE_STARS)
        if hasattr(kind, "__pydantic_serializer__"):
            return self.write(self._called(self._typed, value, path), path)
        if dataclasses.is_dataclass(kind):
            return self._fields({field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}, path)
        if hasattr(kind, "__attrs_attrs__"):
            return self._fields({field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}, path)
        for own in ("tolist", "item"):  # numbers and arrays of numpy, and of those that follow it
            if hasattr(kind, own):
                return self.write(self._called(getattr(kind, own), value, path), path)
        return self._known_to_pydantic(value, path)

    @_other.register(str)
    def _(self, value: str, path: Path) -> str:
        return str.__str__(value)

    @_other.register(int)
    def _(self, value: int, path: Path) -> int:
        return int(value)

    @_other.register(float)
    def _(self, value: float, path: Path) -> float:
        if self._finite and not math.isfinite(value):
            raise NoJsonForm(path, f"{float(value)} is no number of JSON: give None, or text")
        return float(value)

    @_other.register(Decimal)
    def _(self, value: Decimal, path: Path) -> str:
        if not value.is_finite():
            raise NoJsonForm(path, f"the decimal {value} is no number of JSON: give None, or text")
        return str(value)

    @_other.register(bytes)
    @_other.register(bytearray)
    @_other.register(memoryview)
    def _(self, value: bytes | bytearray | memoryview, path: Path) -> str:
        return base64_text.to_text(value)

    @_other.register(msgspec.Raw)
    def _(self, value: msgspec.Raw, path: Path) -> msgspec.Raw:
        return value  # JSON already

    @_other.register(Enum)
    def _(self, value: Enum, path: Path) -> Any:
        return self.write(value.value, path)

    @_other.register(PurePath)
    def _(self, value: PurePath, path: Path) -> str:
        return str(value)

    @_other.register(msgspec.Struct)
    def _(self, value: msgspec.Struct, path: Path) -> Any:
        config = value.__struct_config__
        fields = {field.encode_name: getattr(value, field.name) for field in msgspec.structs.fields(value)}
        if config.array_like:
            return self._items([*([config.tag] if config.tag_field else []), *fields.values()], path)
        tag = {config.tag_field: config.tag} if config.tag_field else {}
        return self._fields({**tag, **fields}, path)

    @_other.register(Mapping)
    def _(self, value: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        return self._fields(value, path)

    @_other.register(Set)
    def _(self, value: Set[Any], path: Path) -> list[Any]:
        try:
            return self._items(sorted(value), path)  # the same in each process, so that a request can be repeated
        except TypeError:
            return self._items(list(value), path)

    @_other.register(Sequence)
    @_other.register(GeneratorType)
    def _(self, value: Iterable[Any], path: Path) -> list[Any]:
        return self._items(list(value), path)

    def _called(self, form: Callable[[Any], Any], value: object, path: Path) -> Any:
        try:
            return form(value)
        except NoJsonForm as error:
            raise NoJsonForm((*path, *error.path), error.reason) from error.__cause__
        except Exception as error:  # serialisers of the user's types run here and may raise anything
            raise NoJsonForm(path, f"{type(value).__name__} has no JSON form: {describe(error)}") from error

    def _known_to_pydantic(self, value: Any, path: Path) -> Any:
        """Leave dates, UUIDs, URLs, addresses, … to Pydantic, which writes them where their type is declared."""
        import pydantic_core

        try:
            return pydantic_core.to_jsonable_python(value)
        except pydantic_core.PydanticSerializationError:
            return self._of_its_class(value, path)
        except Exception as error:  # as above
            raise NoJsonForm(path, f"{type(value).__name__} has no JSON form: {describe(error)}") from error

    def _of_its_class(self, value: object, path: Path) -> Any:
        try:
            return self._typed(value)
        except Exception:  # noqa: BLE001 - a class that nobody knows
            fix = "give text, numbers, lists, mappings, dataclasses or models"
            raise NoJsonForm(path, f"{type(value).__name__} has no JSON form: {fix}") from None


def _half_a_pair(value: Any, path: Path) -> Path | None:
    """Return where the text is that is not Unicode."""
    if isinstance(value, str):
        return path if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        if any(_half_a_pair(name, path) for name in value):
            return path
        parts: Iterable[tuple[str | int, Any]] = value.items()
    else:
        parts = enumerate(value) if isinstance(value, list) else ()
    return next((found for step, part in parts if (found := _half_a_pair(part, (*path, step))) is not None), None)
