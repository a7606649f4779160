"""How an attempt ends, and the end that each exception of a handler stands for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec
from msgspec import Raw

from agentic_atlas.errors import AtlasError, InvalidInput, PayloadTooLarge, TaskError
from agentic_atlas.protocol.messages import NULL, Fault, Outcome
from agentic_atlas.sdk.runner.process import ProcessDied
from agentic_atlas.sdk.skills.content import InvalidOutput
from agentic_atlas.sdk.skills.context import Rejected
from agentic_atlas.sdk.skills.questions import NoAnswer
from agentic_atlas.sdk.text import describe, presentable

_LEAVES: Final = 3
"""Errors of an ExceptionGroup that are named."""
_CODE_LENGTH = 64
_NOT_THE_HANDLERS: Final = {"agentic_atlas", "asyncio", "concurrent", "threading"}


class Ending(msgspec.Struct, frozen=True):
    """What a `result` says beside the attempt it is of."""

    outcome: Outcome
    output: Raw = NULL
    error: Fault | None = None


def failed(code: str, message: str, detail: object = None) -> Ending:
    """Return the end of an attempt without an output."""
    return Ending(Outcome.FAILED, error=_fault(code, message, detail))


def canceled(reason: str) -> Ending:
    """Return the end of an attempt that was stopped because somebody asked for it."""
    return Ending(Outcome.CANCELED, error=_fault("canceled", reason or "the task was cancelled", None))


def invalid_input(error: InvalidInput) -> Ending:
    """Return the end of an attempt whose input did not fit, before its handler began."""
    return failed(error.code, error.message, error.detail)


def ending_of(error: BaseException) -> Ending:
    """Return the end that an exception of a handler stands for; nothing but its type and message leaves the machine."""
    if isinstance(error, Rejected):
        return Ending(Outcome.REJECTED, error=_fault(error.code, error.message, error.detail))
    if isinstance(error, InvalidOutput | PayloadTooLarge | NoAnswer):
        return failed(error.code, error.message, error.detail)
    message = error.message if isinstance(error, ProcessDied) else text_of(error)
    return failed("handler_error", message, _facts(error))


def from_handler(error: BaseException) -> BaseException:
    """Return the error with its traceback from the handler's first line on: how it was called is no news."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__", "").partition(".")[0] in _NOT_THE_HANDLERS:
        trace = trace.tb_next
    return error if trace is None else error.with_traceback(trace)


def text_of(error: BaseException) -> str:
    """Return `Type: message`; of a group, the first errors in it."""
    if not isinstance(error, BaseExceptionGroup):
        text = describe(error)
        return f"{type(error).__name__}: {text}" if text else type(error).__name__
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
        facts["code"] = presentable(error.code, _CODE_LENGTH)
    if isinstance(error, TaskError) and error.task_id:
        facts["task"] = presentable(error.task_id, _CODE_LENGTH)
    return facts


def _fault(code: str, message: str, detail: object) -> Fault:
    try:
        encoded = NULL if detail is None else Raw(msgspec.json.encode(detail))
    except (TypeError, ValueError, OverflowError, RecursionError):
        # A detail that the handler put there and that is not JSON: the error counts more than its detail.
        encoded = NULL
    return Fault(presentable(code, _CODE_LENGTH) or "failed", presentable(message), encoded)
