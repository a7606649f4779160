"""A task as it is sent: its input in its JSON form, its options within their bounds, or an error that names them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.sdk.forms.encode import encode_input

Delivery: TypeAlias = Literal["at_least_once", "at_most_once"]

LONGEST = 31_622_400
"""Seconds of any time that can be asked for: 366 days."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What may be asked of a task beside its input, as the API bounds it; None leaves it to the skill or the server."""

    idempotency_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    deadline: datetime | None = None
    timeout: Annotated[float, Meta(gt=0, le=LONGEST)] | None = None
    priority: Annotated[int, Meta(ge=0, le=9)] | None = None
    queue_ttl: Annotated[float, Meta(ge=0, le=LONGEST)] | None = None
    delivery: Delivery | None = None
    retries: Annotated[int, Meta(ge=0, le=100)] | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=100)] | None = None


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that were given, each within its bounds.

    Raises:
        InvalidInput: one is not, is NaN or infinite, or is no option; or the deadline has no time zone.
    """
    try:
        checked = msgspec.convert(dict(given), Options, strict=True)
    except msgspec.ValidationError as error:
        found = refusal(error, Options, given)
        raise InvalidInput(found.sentence, detail=[{"path": found.path, "message": found.message}]) from None
    if checked.deadline is not None:
        if checked.deadline.tzinfo is None:
            raise InvalidInput("the deadline needs a time zone: datetime.now(UTC) + timedelta(…), for instance")
        checked = msgspec.structs.replace(checked, deadline=checked.deadline.astimezone(UTC))
    return {name: value for name, value in msgspec.structs.asdict(checked).items() if value is not None}


def hinted(error: InvalidInput, fields: Iterable[str]) -> InvalidInput:
    """Return an error of a call, with where options go when fields of its input, which it refuses, are called so."""
    meant = [name for name in fields if name in Options.__struct_fields__ and name in error.message]
    if not meant:
        return error
    hint = f"as options of a task, {', '.join(meant)} can be given to submit, not to call"
    return InvalidInput(f"{error.message}; {hint}", code=error.code, detail=error.detail)


def body(agent: str, skill: str, input: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent for a task; raises InvalidInput."""
    return {"agent": agent, "skill": skill, "input": Raw(encode_input(input)), **options(asked)}
