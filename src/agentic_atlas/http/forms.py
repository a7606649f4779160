"""Forms of our own pages (`application/x-www-form-urlencoded`), within bounds, as the struct that a handler takes.

What a form sends is text: numbers and truths are read from it. A field that was left empty is not there, unless its
type takes an empty text; one whose type takes a list has all the values that came.
"""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from agentic_atlas.errors import InvalidInput
from agentic_atlas.http.messages import Request, body_of, check_type
from agentic_atlas.http.turns import Step, Turns
from agentic_atlas.protocol.refusals import refusal

T = TypeVar("T")

STEP = 32 * 1024
"""Bytes of a long form that are read in one step of its turn."""

FORM = "application/x-www-form-urlencoded"
MAX_FORM = 256 * 1024
"""Bytes of a form."""
MAX_FIELDS = 1_000
"""Fields of a form."""


class UnfitForm(msgspec.Struct, frozen=True):
    """A form as it came that is not of the shape that its handler takes: one that takes this too shows it again.

    Attributes:
        values: what its fields say.
        error: why it does not fit, with the field in its detail.
    """

    values: dict[str, Any]
    error: InvalidInput

    def typed(self, kind: type[T]) -> T:
        """Return it as such a struct all the same, to be shown again and never to be acted upon.

        Text is as it was typed, however long; all else that does not fit is as it is without having been said.

        Raises:
            InvalidInput: something that is no text is missing.
        """
        said: dict[str, Any] = {}
        shape: type = kind
        for one in msgspec.structs.fields(shape):
            value, text = self.values.get(one.encode_name), _is_text(one.type)
            if value is not None and (text or _takes(value, one.type, strict=False)):
                said[one.name] = value if text else msgspec.convert(value, one.type, strict=False)
            elif one.required:
                if not text:
                    raise self.error
                said[one.name] = ""
        return kind(**said)


async def read_form(request: Request, turns: Turns, kind: type[T], *, most: int = MAX_FORM) -> T:
    """Return a form, of at most so many bytes, as a struct.

    Raises:
        PayloadTooLarge: longer than `most`; what is over is not read.
        InvalidInput: no form, not of this shape, of too many fields, or cut off.
    """
    form = await read_any_form(request, turns, kind, most=most)
    if isinstance(form, UnfitForm):
        raise form.error
    return form


async def read_any_form(request: Request, turns: Turns, kind: type[T], *, most: int = MAX_FORM) -> T | UnfitForm:
    """Return the same, or as it came where it is not of this shape; raises as `read_form` does otherwise."""
    check_type(request, FORM)
    values = _values(kind, _fields(await body_of(request, min(most, MAX_FORM), None), MAX_FIELDS))
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        found = refusal(error, kind, values)
        detail = [{"path": found.path, "message": found.message}]
        unfit = InvalidInput(f"the form is not acceptable: {found.sentence}", detail=detail)
        return UnfitForm(values, unfit)


async def read_fields(request: Request, turns: Turns, *, most: int, most_fields: int) -> dict[str, str]:
    """Return a form of at most so many bytes and fields as it came, of each name the last field.

    Raises:
        PayloadTooLarge: longer than `most`; what is over is not read.
        InvalidInput: no form, of too many fields, or cut off.
        Busy: too many long bodies of this user are on their way.
    """
    check_type(request, FORM)
    request.body.awaited = True
    with turns.place(request.asker) as place:
        body = await body_of(request, most, place)
        async with place.turn() as step:
            return {name: value async for name, value in _in_steps(body, most_fields, step)}


async def _in_steps(body: bytes, most: int, step: Step) -> AsyncIterator[tuple[str, str]]:
    """Yield the fields as `_fields` does, with steps between: what is all escapes takes a hundred times its room."""
    try:
        body.decode("ascii")
        if body.count(b"&") >= most:
            raise ValueError("Max number of fields exceeded")
        read = 0
        for pair in filter(None, body.split(b"&")):
            name, _, value = pair.partition(b"=")
            yield await _unescaped(name, step), await _unescaped(value, step)
            read += len(pair) % STEP
            if read >= STEP:
                read = 0
                await step()
    except ValueError as error:
        raise InvalidInput(f"the body is no form: {error}", code="invalid_form") from None


async def _unescaped(text: bytes, step: Step) -> str:
    """Return what an escaped text stands for; raises ValueError for what is not UTF-8."""
    parts = []
    begin = 0
    while begin < len(text):
        end = begin + STEP
        cut = text.rfind(b"%", end - 2, end)  # between the parts of an escape
        end = cut if cut >= 0 and end < len(text) else end
        parts.append(unquote_to_bytes(text[begin:end].replace(b"+", b" ")))
        begin = end
        if begin < len(text):
            await step()
    return b"".join(parts).decode()


def _fields(body: bytes, most: int) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=most)
    except ValueError as error:
        raise InvalidInput(f"the body is no form: {error}", code="invalid_form") from None


def _values(kind: type, fields: list[tuple[str, str]]) -> dict[str, Any]:
    many, no_text = _told_apart(kind)
    values: dict[str, Any] = {}
    for name, value in fields:
        if name in many:
            values.setdefault(name, []).append(value)
        elif value or name not in no_text:
            values[name] = value
    return values


@lru_cache(maxsize=256)
def _told_apart(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """Return the fields of a struct that take several values, and those that take no empty text."""
    fields = msgspec.structs.fields(kind)
    many = frozenset(one.encode_name for one in fields if _takes([], one.type))
    return many, frozenset(one.encode_name for one in fields if not _takes("", one.type))


def _is_text(kind: Any) -> bool:
    info = msgspec.inspect.type_info(kind)
    return any(isinstance(one, msgspec.inspect.StrType) for one in getattr(info, "types", (info,)))


def _takes(value: object, kind: Any, *, strict: bool = True) -> bool:
    try:
        msgspec.convert(value, kind, strict=strict)
    except msgspec.ValidationError:
        return False
    return True
