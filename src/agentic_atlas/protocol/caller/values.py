"""What all nouns are made of: JSON values, bounds, and why something was not done."""

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

Json: TypeAlias = Any
"""Any JSON value. Whoever reads it has it as Python's values; the server passes it on as it came, as `Raw`."""

T = TypeVar("T")
N = TypeVar("N")

LONGEST: Final = 31_622_400
"""Seconds of any time that can be asked for: 366 days."""

Positive: TypeAlias = Annotated[float, Meta(gt=0, le=LONGEST)]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0, le=LONGEST)]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of what a caller says. What is left out has its default on the other end."""


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what a caller is shown. Fields that are not known are ignored."""


class Listing(Shown, Generic[T], frozen=True, kw_only=True):
    """A list that comes whole."""

    items: list[T]


class Page(Listing[T], Generic[T, N], frozen=True, kw_only=True):
    """Part of a list."""

    next: N | None
    """What to give as `after` for the part that follows; null when this is the last one, or all that there is now."""


class ErrorInfo(Shown, frozen=True, kw_only=True):
    """Why a request was not carried out, or a task has no output."""

    code: str
    """A stable word for programs."""
    message: str
    """For people: what was wrong, and what to do."""
    detail: Json = None
    """Facts for programs, for instance where an input is wrong."""


class ErrorAnswer(Shown, frozen=True, kw_only=True):
    """The shape of every error."""

    error: ErrorInfo
