"""Calls to other agents, over the agent's own connection.

A call belongs to the attempt that makes it, and ends with it. The ledger says it again after a cut, so an open call
survives a reconnect; here it is only a queue that its replies come to. Everything here happens on the agent's loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import Raw

from agentic_atlas.errors import AtlasError, Busy, InvalidInput, TaskError
from agentic_atlas.protocol.caller.tasks import CallEvent
from agentic_atlas.protocol.codec import ProtocolError, check_nesting, input_too_large
from agentic_atlas.protocol.messages import Call, Fault, Limits, Reply, ReplyKind, Task
from agentic_atlas.sdk.forms.plain import encode_input
from agentic_atlas.sdk.forms.typed import write_object
from agentic_atlas.sdk.ports import ToLink

UNREAD: Final = 1_000
"""Most events of a stream that wait for a slow reader; then it is told and cut."""

_AROUND: Final = 2
"""Levels of nesting that the message adds around an input."""
_Key = tuple[str, int]


class _Open:
    """A call that waits for replies; `failure` is why it gets no more."""

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.replies: asyncio.Queue[Reply | AtlasError] = asyncio.Queue(UNREAD + 1)
        self.seq = 0

    async def next(self) -> Reply:
        """Return the next reply, or raise why there is none; the wait ends with the attempt at the latest."""
        reply = await self.replies.get()
        if isinstance(reply, AtlasError):
            raise reply
        return reply

    def fail(self, error: AtlasError) -> None:
        """End it with an error, in place of what was not read yet."""
        while not self.replies.empty():
            self.replies.get_nowait()
        self.replies.put_nowait(error)


class OutgoingCalls:
    """The open calls of this process."""

    def __init__(self, link: ToLink) -> None:
        self._link = link
        self._open: dict[str, _Open] = {}
        self._made = 0

    async def call(self, parent: Task, target: tuple[str, str], values: Mapping[str, object], limits: Limits) -> Any:
        """Call `(agent, skill)` and return its output, as JSON values in Python.

        Raises:
            TaskError: the called task ended without an output; `code` says why.
            InvalidInput, PayloadTooLarge: the input has no JSON form or is too large.
            Busy: this process has too many open calls.
        """
        message = self._message(parent, target, values, limits, stream=False)
        with self._opened(message, limits) as waiting:
            reply = await waiting.next()
            while reply.kind is ReplyKind.EVENT:
                reply = await waiting.next()
        return _output(message, reply)

    async def stream(
        self, parent: Task, target: tuple[str, str], values: Mapping[str, object], limits: Limits
    ) -> AsyncGenerator[CallEvent, None]:
        """Call and iterate over the called task's events; errors are those of `call`."""
        call = self._message(parent, target, values, limits, stream=True)
        with self._opened(call, limits) as waiting:
            while (reply := await waiting.next()).kind is ReplyKind.EVENT:
                yield CallEvent(reply.event, _decoded(reply.data), reply.child, reply.seq)
            yield CallEvent(ReplyKind.RESULT, _output(call, reply), reply.child, reply.seq)

    def reply(self, reply: Reply) -> None:
        """Take what the router says of a call; one that nobody waits for is ignored."""
        call = self._open.get(reply.id)
        if call is None:
            return
        if reply.kind is ReplyKind.EVENT:
            if reply.seq <= call.seq:
                return
            call.seq = reply.seq
            if call.replies.qsize() >= UNREAD:
                self._close(reply.id)
                call.fail(Busy(f"{UNREAD} events of the call were not read in time: read faster, or use ctx.call"))
                return
        call.replies.put_nowait(reply)

    def end(self, key: _Key) -> None:
        """The attempt `(task, attempt)` is over or cancelled: whoever still waits for one of its calls is told so."""
        for call_id, call in [item for item in self._open.items() if item[1].key == key]:
            self._close(call_id)
            call.fail(TaskError("the calling task was cancelled or has ended", code="canceled", state="canceled"))

    def _message(
        self, parent: Task, target: tuple[str, str], values: Mapping[str, object], limits: Limits, *, stream: bool
    ) -> Call:
        encoded = encode_input(values, write_object)
        _check_limits(encoded, limits)
        self._made += 1
        agent, skill = target
        return Call(f"call-{self._made}", parent.task, parent.attempt, agent, skill, Raw(encoded), stream=stream)

    @contextmanager
    def _opened(self, call: Call, limits: Limits) -> Iterator[_Open]:
        if len(self._open) >= limits.open_calls:
            raise Busy(f"{limits.open_calls} calls of this agent are open: wait for some of them first")
        waiting = self._open[call.id] = _Open((call.task, call.attempt))
        self._link.post(call)
        try:
            yield waiting
        finally:
            self._close(call.id)

    def _close(self, call_id: str) -> None:
        if self._open.pop(call_id, None) is not None:
            self._link.forget_call(call_id)


def _check_limits(encoded: bytes, limits: Limits) -> None:
    if len(encoded) > limits.payload_bytes:
        raise input_too_large(len(encoded), limits.payload_bytes)
    try:
        check_nesting(encoded, limits.depth - _AROUND)
    except ProtocolError as error:
        raise InvalidInput(f"the input can't be sent: {error.message}") from None


def _decoded(data: Raw) -> Any:
    return msgspec.json.decode(data)


def _output(call: Call, reply: Reply) -> Any:
    if reply.error is None and reply.state in ("", "completed"):
        return _decoded(reply.data)
    fault = reply.error or Fault(reply.state, f"the task ended {reply.state}")
    raise TaskError(
        f"{call.agent}.{call.skill}: {fault.message}",
        code=fault.code,
        detail=_decoded(fault.detail),
        task_id=reply.child or None,
        state=reply.state or "failed",
    )
