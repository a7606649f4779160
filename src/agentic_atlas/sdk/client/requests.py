"""What is asked of a server, seen to here: within its bounds, or an error that names the field."""

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.tasks import SubmitRequest, TaskOptions
from agentic_atlas.protocol.caller.values import Asked
from agentic_atlas.protocol.refusals import refusal
from agentic_atlas.sdk.forms.encode import encode_input

A = TypeVar("A", bound=Asked)


class TaskRequest(TaskOptions, frozen=True, kw_only=True):
    """One task to submit, for `client.tasks.batch`; its options are those of `client.submit`."""

    agent: str
    """`name`, or `owner/name`."""
    skill: str
    input: Mapping[str, Any] = {}
    """The skill's parameters."""


def requested(agent: str, /, *given: Any, **more: Any) -> TaskRequest:
    """Return what `submit` was called with, in any of the clients, as a request: its options, and fields of an input.

    Raises:
        InvalidInput: a field is given twice, or the input is no mapping.
    """
    skill, input = (*given, None)[:2]
    options = {name: value for name, value in more.items() if name in TaskOptions.__struct_fields__}
    fields = {name: value for name, value in more.items() if name not in options}
    return TaskRequest(agent=agent, skill=skill, input=merged(input, fields), **options)


def checked(asked: A) -> A:
    """Return what is asked, with each field within its bounds; raises InvalidInput."""
    given = msgspec.structs.asdict(asked)
    kind = type(asked)
    try:
        return msgspec.convert(given, kind, strict=True)
    except msgspec.ValidationError as error:
        found = refusal(error, kind, given)
        raise InvalidInput(found.sentence, detail=[{"path": found.path, "message": found.message}]) from None


def submission(request: TaskRequest, key: str) -> SubmitRequest:
    """Return what is sent for a task, with an idempotency key, its own or this one: sending it twice is submitting it
    once.

    Raises:
        InvalidInput: the input has no JSON form, or an option is out of its bounds.
    """
    given = msgspec.structs.asdict(request)
    given["input"] = Raw(encode_input(request.input))
    if request.idempotency_key is None:
        given["idempotency_key"] = key
    return checked(SubmitRequest(**given))


def merged(input: Mapping[str, Any] | None, fields: Mapping[str, object]) -> dict[str, Any]:
    """Return the whole input of a task.

    Raises:
        InvalidInput: a field is in both, or the input is no mapping.
    """
    if input is not None and not isinstance(input, Mapping):
        raise InvalidInput("an input has names: call(agent, skill, name=value), or a mapping as the third argument")
    twice = fields.keys() & (input or {}).keys()
    if twice:
        raise InvalidInput(f"given twice, in the mapping and as keyword: {', '.join(sorted(twice))}")
    return {**(input or {}), **fields}


def hinted(error: InvalidInput, fields: Iterable[str]) -> InvalidInput:
    """Return an error of a call, with where options go when fields of its input, which it refuses, are called so."""
    meant = [name for name in fields if name in TaskOptions.__struct_fields__ and name in error.message]
    if not meant:
        return error
    hint = f"as options of a task, {', '.join(meant)} can be given to submit, not to call"
    return InvalidInput(f"{error.message}; {hint}", code=error.code, detail=error.detail)
