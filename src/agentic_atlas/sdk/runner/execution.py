"""What becomes of what a skill's function returns: awaited, gone through item by item, or the output itself."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, aclosing, closing, nullcontext
from typing import Any, cast

from msgspec import Raw

from agentic_atlas.errors import PayloadTooLarge
from agentic_atlas.protocol.messages import NULL, Limits
from agentic_atlas.sdk.forms.typed import TypeForm, encode_chunk, encode_output
from agentic_atlas.sdk.skills.crossing import wait_on
from agentic_atlas.sdk.skills.reports import AttemptReports

_ANYTHING = TypeForm(Any)


class Yield:
    """What one attempt gives back, as JSON.

    Of what is yielded, each item is reported as a chunk, and the output is the list of them all. When the list is
    larger than an output may be, the output is null: the chunks have told it. When there were also more chunks than a
    task can have events, something would be lost, and that is an error.
    """

    def __init__(
        self,
        form: TypeForm,
        limits: Limits,
        reports: AttemptReports,
        stopped: Callable[[], bool],
        *,
        streams: bool,
    ) -> None:
        """Prepare.

        Args:
            form: checks and writes the output or, when it `streams`, each item.
            limits: those in force.
            reports: where chunks go.
            stopped: whether the attempt is to stop: then nothing more is asked of an iterator.
            streams: whether items are what was declared.
        """
        self._form = form
        self._limits = limits
        self._reports = reports
        self._stopped = stopped
        self._streams = streams
        self._whole: list[bytes] = []
        self._size = 2

    def output(self, value: object) -> Raw:
        """Return the output that a value is. A skill that streams may also return a whole: that is taken as it is."""
        return encode_output(value, _ANYTHING if self._streams else self._form, self._limits)

    async def arriving(self, value: object) -> Raw:
        """Return the output of a value that may have to be waited for, item by item even. On the loop."""
        if inspect.isawaitable(value):
            value = await value
        if not hasattr(value, "__aiter__"):
            return self.output(value)
        items = cast("AsyncIterator[object]", value)
        async with _closed_after(items):
            async for item in items:
                encoded = self._chunk(item)
                await self._reports.chunk(encoded)
                self._add(encoded)
                if self._stopped():
                    break
        return self._list()

    def in_turn(self, value: object, loop: asyncio.AbstractEventLoop) -> Raw:
        """Do the same for what a plain function returned, generators included, blocking this thread."""
        if not isinstance(value, Iterator):
            return self.output(value)
        with _closing(value):
            for item in value:
                encoded = self._chunk(item)
                wait_on(loop, self._reports.chunk(encoded))
                self._add(encoded)
                if self._stopped():
                    break
        return self._list()

    def _chunk(self, item: object) -> Raw:
        return encode_chunk(item, self._form, self._limits)

    def _add(self, encoded: Raw) -> None:
        self._size += memoryview(encoded).nbytes + 1
        if self._size <= self._limits.payload_bytes:
            self._whole.append(bytes(encoded))
            return
        self._whole.clear()
        if self._reports.overflowed:
            most = f"{self._limits.payload_bytes} bytes and {self._limits.events_per_task} events"
            raise PayloadTooLarge(f"it yielded more than {most}: yield larger items, or fewer")

    def _list(self) -> Raw:
        return Raw(b"[" + b",".join(self._whole) + b"]") if self._size <= self._limits.payload_bytes else NULL


def _closed_after(items: object) -> AbstractAsyncContextManager[object]:
    return aclosing(items) if hasattr(items, "aclose") else nullcontext()


def _closing(items: object) -> AbstractContextManager[object]:
    return closing(items) if hasattr(items, "close") else nullcontext()
