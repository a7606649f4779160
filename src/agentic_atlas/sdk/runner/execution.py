"""Running a skill's function: on the loop, in a thread, in a process, or item by item."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar, cast

from msgspec import Raw

from agentic_atlas.errors import PayloadTooLarge
from agentic_atlas.protocol.messages import NULL, Limits
from agentic_atlas.sdk.skills.content import encode_chunk, encode_output
from agentic_atlas.sdk.skills.reports import Reports
from agentic_atlas.sdk.skills.skill import Skill

T = TypeVar("T")


async def run_async(skill: Skill, arguments: dict[str, object], limits: Limits) -> Raw:
    """Await an `async def` skill and return its output."""
    return encode_output(await skill.function(**arguments), skill.signature.output, limits)


async def run_stream(skill: Skill, arguments: dict[str, object], limits: Limits, reports: Reports) -> Raw:
    """Report each item that the skill yields as a chunk, and return the list of them all.

    When the list is larger than an output may be, the output is null: the chunks have told it. When there were also
    more chunks than a task can have events, something would be lost, and that is an error.

    Raises:
        PayloadTooLarge: one item is too large for an event, or the whole was not told.
    """
    whole: list[bytes] = []
    size = 2
    async with aclosing(skill.function(**arguments)) as items:
        async for item in items:
            encoded = encode_chunk(item, skill.signature.output, limits)
            await reports.chunk(encoded)
            size += memoryview(encoded).nbytes + 1
            if size <= limits.payload_bytes:
                whole.append(bytes(encoded))
            else:
                whole.clear()
                _check_told(reports, limits)
    return Raw(b"[" + b",".join(whole) + b"]") if size <= limits.payload_bytes else NULL


def _check_told(reports: Reports, limits: Limits) -> None:
    if reports.overflowed:
        most = f"{limits.payload_bytes} bytes and {limits.events_per_task} events"
        raise PayloadTooLarge(f"it yielded more than {most}: yield larger items, or fewer")


async def in_thread(function: Callable[[], T], *, name: str) -> T:
    """Run a blocking function in a thread of its own and wait for it.

    The thread is a daemon: a function that never returns must not keep the process from ending. For the same reason
    it is no executor's. When the wait is cancelled the thread goes on and its outcome is forgotten.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Outcome] = loop.create_future()
    work = contextvars.copy_context().run

    def settle(outcome: _Outcome) -> None:
        if not done.done():
            done.set_result(outcome)

    def run() -> None:
        try:
            outcome = _Outcome(value=work(function))
        except BaseException as error:  # noqa: BLE001 - whatever the user's function raises is told to who waits
            outcome = _Outcome(error=error)
        try:
            loop.call_soon_threadsafe(settle, outcome)
        except RuntimeError:
            # The loop is closed: nobody waits any more.
            return

    threading.Thread(target=run, name=name, daemon=True).start()
    outcome = await done
    if outcome.error is not None:
        raise outcome.error
    return cast("T", outcome.value)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """A value or an error; a future itself refuses some errors, StopIteration for one."""

    value: object = None
    error: BaseException | None = None
