"""What a server shows, for tests that care for a few of its fields only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from agentic_atlas.protocol.caller.values import Shown

S = TypeVar("S", bound=Shown)

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def filled(kind: type[S], /, **fields: object) -> S:
    """Return one with these fields; what else it has to have is empty."""
    needed = {field.name: field.type for field in msgspec.structs.fields(kind) if field.required}
    return kind(**{name: _empty(hint) for name, hint in needed.items() if name not in fields}, **fields)


def answer(kind: type[Shown], /, **fields: Any) -> dict[str, Any]:
    """Return the same as JSON values; a part of it can be given as a mapping of a few fields, too."""
    whole: dict[str, Any] = msgspec.to_builtins(filled(kind))
    hints = {field.name: field.type for field in msgspec.structs.fields(kind)}
    return {**whole, **{name: _completed(hints.get(name), value) for name, value in fields.items()}}


def _completed(hint: Any, value: Any) -> Any:
    (part,) = [one for one in (hint, *get_args(hint)) if isinstance(one, type) and issubclass(one, Shown)] or [None]
    if part is None:
        return value
    return [answer(part, **one) for one in value] if isinstance(value, list) else value and answer(part, **value)


def _empty(hint: Any) -> object:
    if hint is Any or type(None) in get_args(hint):
        return None
    if hint is datetime:
        return MOMENT
    kind = get_origin(hint) or hint
    if kind is Literal:
        return get_args(hint)[0]
    if hasattr(hint, "__metadata__"):
        return _empty(hint.__origin__)
    return filled(kind) if issubclass(kind, Shown) else kind()
