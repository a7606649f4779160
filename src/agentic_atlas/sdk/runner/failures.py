"""How an attempt ends, and the end that each exception of a handler stands for.

An exception is an object of the user's: its texts and attributes may be of any type, and reading them may raise. None
of that may keep an end from being told, so whatever goes wrong here is `handler_error` with the type's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType
from typing import Final

import msgspec
from msgspec import Raw

from agentic_atlas.errors import AtlasError, InvalidInput, PayloadTooLarge, TaskError
from agentic_atlas.protocol import codes
from agentic_atlas.protocol.messages import NULL, Fault, Outcome
from agentic_atlas.sdk.forms.plain import json_text
from agentic_atlas.sdk.forms.simpler import NoJsonForm
from agentic_atlas.sdk.forms.typed import InvalidOutput, json_value
from agentic_atlas.sdk.runner.process import ProcessDied
from agentic_atlas.sdk.skills.context import Rejected
from agentic_atlas.sdk.skills.questions import NoAnswer
from agentic_atlas.sdk.text import describe, presentable, type_name

_LEAVES: Final = 3
"""Errors of an ExceptionGroup that are named."""
_NOT_THE_HANDLERS: Final = {"agentic_atlas", "asyncio", "concurrent", "threading"}


class AttemptOutcome(msgspec.Struct, frozen=True):
    """What a `result` says beside the attempt it is of."""

    outcome: Outcome
    output: Raw = NULL
    error: Fault | None = None


def failed(code: str, message: str, detail: object = None) -> AttemptOutcome:
    """Return the end of an attempt without an output."""
    return AttemptOutcome(Outcome.FAILED, error=_fault(code, message, detail))


def canceled(reason: str) -> AttemptOutcome:
    """Return the end of an attempt that was stopped because somebody asked for it."""
    return AttemptOutcome(Outcome.CANCELED, error=_fault("canceled", reason or "the task was cancelled", None))


def invalid_input(error: InvalidInput) -> AttemptOutcome:
    """Return the end of an attempt whose input did not fit, before its handler began."""
    return failed(InvalidInput.default_code, error.message, error.detail)


def ending_of(error: BaseException) -> AttemptOutcome:
    """Return the end that an exception of a handler stands for; nothing but its type and message leaves the machine.

    A rejection's code is put into the form of the wire (`403` is `"403"`, `Too many` is `too_many`); one that means
    something of the network's own becomes `rejected`. Never raises.
    """
    try:
        return _ending_of(error)
    except BaseException as fault:  # noqa: BLE001 - the error is the user's object, and reading it runs the user's code
        named = f"{type_name(error)}, which cannot be told ({type_name(fault)})"
        return AttemptOutcome(Outcome.FAILED, error=Fault("handler_error", named))


def _ending_of(error: BaseException) -> AttemptOutcome:
    if isinstance(error, Rejected):
        code = codes.of_rejection(_code(error.code, "rejected"))
        return AttemptOutcome(Outcome.REJECTED, error=_fault(code, error.message, error.detail))
    for kind in (InvalidOutput, PayloadTooLarge, NoAnswer):
        if isinstance(error, kind):
            return failed(kind.default_code, error.message, error.detail)
    message = error.message if isinstance(error, ProcessDied) else text_of(error)
    return failed("handler_error", message, _facts(error))


def from_handler(error: BaseException) -> BaseException:
    """Return the error with its traceback from the handler's first line on: how it was called is no news."""
    try:
        trace = error.__traceback__
        while trace is not None and _package(trace.tb_frame) in _NOT_THE_HANDLERS:
            trace = trace.tb_next
        # One of ours says all in its message, when nothing of the handler's led to it.
        return error.with_traceback(trace) if trace is not None or isinstance(error, AtlasError) else error
    except BaseException:  # noqa: BLE001 - as above: then with all of its traceback
        return error


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def text_of(error: BaseException) -> str:
    """Return `Type: message`; of a group, the first errors in it."""
    if not isinstance(error, BaseExceptionGroup):
        text = describe(error)
        return f"{type_name(error)}: {text}" if text else type_name(error)
    leaves = list(_leaves(error))
    more = f"; and {len(leaves) - _LEAVES} more" if len(leaves) > _LEAVES else ""
    return presentable("; ".join(text_of(leaf) for leaf in leaves[:_LEAVES]) + more)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _facts(error: BaseException) -> dict[str, object]:
    facts: dict[str, object] = {"type": presentable(type(error).__qualname__, 200)}
    if isinstance(error, AtlasError):
        facts["code"] = presentable(error.code, codes.LONGEST)
    if isinstance(error, TaskError) and error.task_id:
        facts["task"] = presentable(error.task_id, codes.LONGEST)
    return facts


def _code(given: object, otherwise: str) -> str:
    return codes.readable(describe(given)) or otherwise


def _fault(code: str, message: object, detail: object) -> Fault:
    return Fault(code, presentable(message), _encoded(detail))


def _encoded(detail: object) -> Raw:
    if detail is None:
        return NULL
    try:
        return Raw(json_text(json_value(detail)))
    except NoJsonForm as error:
        return Raw(msgspec.json.encode(f"the detail cannot be sent: {presentable(str(error))}"))
    except BaseException:  # noqa: BLE001 - a detail of the handler's that has no JSON form: the error counts more
        return NULL
