"""Values of a program as JSON values, exactly or not at all; and what a caller gives, a client as a skill, as JSON.

What JSON cannot carry (NaN, half of a surrogate pair, two keys that become the same text, an object without a form) is
an error that names its place, never something else in its stead. Outputs are looked at on an agent's loop, so what is
plain already is passed over quickly and not copied.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.sdk.forms.simpler import NoJsonForm, Path, Typed, simpler
from agentic_atlas.sdk.text import describe

_AS_THEY_ARE: Final = frozenset({str, int, bool, type(None), msgspec.Raw})
_TEXT: Final = frozenset({str})
_FLOATS: Final = frozenset({float})
_TRUTHS: Final = {True: "true", False: "false"}


def plain(value: object, typed: Typed, *, finite: bool = True) -> object:
    """Return a value as dict, list, str, int, float, bool or None; `typed` does so for objects of Pydantic's.

    With `finite=False`, NaN and infinities are left for a later look, which knows more of the place they are at.

    Raises:
        NoJsonForm: it has no such form.
    """
    try:
        return _Writing(typed, finite=finite).write(value)
    except RecursionError:
        raise NoJsonForm((), "it is nested too deeply, or holds itself") from None


def json_text(value: object) -> bytes:
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


def encode_input(fields: Mapping[str, object], typed: Typed) -> bytes:
    """Return the fields of an input as a JSON object; `typed` as for `plain`.

    Raises:
        InvalidInput: one of them has no JSON form; the message names it, `detail` its place.
    """
    return _encode(dict(fields), typed, "the input cannot be sent")


def encode_answer(value: object, typed: Typed) -> bytes:
    """Return the answer to a question as JSON; `typed` as for `plain`.

    Raises:
        InvalidInput: it has no JSON form.
    """
    return _encode(value, typed, "the answer cannot be sent")


def encode_request(asked: msgspec.Struct) -> bytes:
    """Return the body of a request, in which inputs and answers are JSON already.

    Raises:
        InvalidInput: a text in it is not Unicode.
    """
    try:
        return json_text(asked)
    except NoJsonForm as error:
        raise InvalidInput(f"the request cannot be sent: {error.reason}") from error.__cause__


def _encode(value: object, typed: Typed, problem: str) -> bytes:
    try:
        return json_text(plain(value, typed))
    except NoJsonForm as error:
        detail = [{"path": error.pointer, "message": error.reason}]
        raise InvalidInput(f"{problem}: {error}", detail=detail) from error.__cause__


class _Writing:
    def __init__(self, typed: Typed, *, finite: bool) -> None:
        self._typed = typed
        self._finite = finite

    def write(self, value: Any) -> Any:
        kind = type(value)
        if kind in _AS_THEY_ARE:
            return value
        if kind is float:
            return self._number(value)
        if kind is dict:
            return self._fields(value)
        if kind is list:
            return self._items(value)
        return self.write(self._simpler(value))

    def _number(self, value: float) -> float:
        if self._finite and not math.isfinite(value):
            raise NoJsonForm((), f"{value} is no number of JSON: give None, or text")
        return value

    def _items(self, items: list[Any]) -> list[Any]:
        kinds = set(map(type, items))
        if kinds <= _AS_THEY_ARE or (kinds == _FLOATS and all(map(math.isfinite, items))):
            return items
        made = items
        for place, item in enumerate(items):
            written = item if type(item) in _AS_THEY_ARE else self._part(place, item)
            if written is not item:
                made = items.copy() if made is items else made
                made[place] = written
        return made

    def _fields(self, given: dict[Any, Any]) -> dict[str, Any]:
        fields = given if set(map(type, given)) <= _TEXT else self._named(given)
        made = fields
        for name, value in fields.items():
            written = value if type(value) in _AS_THEY_ARE else self._part(name, value)
            if written is not value:
                made = fields.copy() if made is fields else made
                made[name] = written
        return made

    def _part(self, step: str | int, value: object) -> object:
        try:
            return self.write(value)
        except NoJsonForm as error:
            error.raise_below(step)

    def _named(self, fields: dict[object, object]) -> dict[str, object]:
        """Return a mapping with its keys as text: JSON has no others."""
        named: dict[str, object] = {}
        for key, value in fields.items():
            name = self._name(key)
            if name in named:
                raise NoJsonForm((name,), "two keys of this mapping are the same text in JSON")
            named[name] = value
        return named

    def _name(self, key: object) -> str:
        if isinstance(key, bool):
            return _TRUTHS[key]
        name = None if key is None else self.write(key)
        if isinstance(name, int | float) and not isinstance(name, bool):
            return repr(name)
        if not isinstance(name, str):
            raise NoJsonForm((), f"a key of this mapping is a {type(key).__name__}: make it text")
        return name

    def _simpler(self, value: object) -> object:
        try:
            return simpler(value, self._typed)
        except (NoJsonForm, RecursionError):
            raise
        except Exception as error:  # serialisers of the user's types run here and may raise anything
            raise NoJsonForm((), f"{type(value).__name__} has no JSON form: {describe(error)}") from error


def _half_a_pair(value: object, path: Path) -> Path | None:
    """Return where the text is that is not Unicode."""
    if isinstance(value, str):
        return path if any("\ud800" <= character <= "\udfff" for character in value) else None
    if isinstance(value, dict):
        if any(_half_a_pair(name, path) for name in value):
            return path
        parts: Iterable[tuple[str | int, object]] = value.items()
    else:
        parts = enumerate(value) if isinstance(value, list) else ()
    return next((found for step, part in parts if (found := _half_a_pair(part, (*path, step))) is not None), None)
