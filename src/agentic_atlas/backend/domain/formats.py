"""Formats of text that are asserted: what Pydantic refuses is refused before it is stored, and nothing that it takes.

JSON Schema leaves open whether `format` is checked, and its own definitions differ from what people's types take: RFC
3339 knows no time without a zone, for instance, and Python's `datetime` does. So each format here is as wide as the
types that are declared with it. A format that is not listed says something to people and is not checked.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from typing import Any, Final
from uuid import UUID

from pydantic import AnyUrl, TypeAdapter, ValidationError

_NUMERAL: Final = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]+)?\s*")


def _fits(adapter: TypeAdapter[Any], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except (ValidationError, OverflowError):
        return False
    return True


def _taken_as(kind: Any) -> Callable[[str], bool]:
    return partial(_fits, TypeAdapter(kind))


_DURATIONS: Final[TypeAdapter[timedelta]] = TypeAdapter(timedelta)


def _base64(text: str) -> bool:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _duration(text: str) -> bool:
    return _fits(_DURATIONS, float(text) if _NUMERAL.fullmatch(text) else text)


def _address_of_mail(text: str) -> bool:
    return "@" in text


def _anything(_: str) -> bool:
    return True


CHECKED: Final[dict[str, Callable[[str], bool]]] = {
    "byte": _base64,
    "date": _taken_as(date),
    "date-time": _taken_as(datetime),
    "time": _taken_as(time),
    "duration": _duration,
    "decimal": _taken_as(Decimal),
    "email": _address_of_mail,
    "idn-email": _address_of_mail,
    "uri": _taken_as(AnyUrl),
    "ipv4": _taken_as(IPv4Address),
    "ipv4network": _taken_as(IPv4Network),
    "ipv4interface": _taken_as(IPv4Interface),
    "ipv6": _taken_as(IPv6Address),
    "ipv6network": _taken_as(IPv6Network),
    "ipv6interface": _taken_as(IPv6Interface),
    **{name: _taken_as(UUID) for name in ("uuid", *(f"uuid{version}" for version in range(1, 9)))},
}

_ONLY_SAID: Final = (
    "hostname", "idn-hostname", "iri", "iri-reference", "json-pointer", "regex", "relative-json-pointer",
    "uri-reference", "uri-template",
)  # fmt: skip
"""Formats that the validator would check by definitions of its own."""

FORMATS: Final[dict[str, Callable[[str], bool]]] = {**CHECKED, **dict.fromkeys(_ONLY_SAID, _anything)}
