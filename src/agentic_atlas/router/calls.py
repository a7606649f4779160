"""The calls of other agents that are open on one connection."""

import asyncio
from collections.abc import Callable

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import Call, Fault, Reply, ReplyKind
from agentic_atlas.protocol.tasks import TaskState
from agentic_atlas.router.office import Office
from agentic_atlas.router.ports import Instance


class Calls:
    """Each open call is a task that the router owns; all of them end with the connection."""

    def __init__(self, office: Office, instance: Instance, say: Callable[[Reply], bool], room: asyncio.Event) -> None:
        """Take how to answer; `room` is set while the agent reads what it is sent."""
        self._office = office
        self._instance = instance
        self._say = say
        self._room = room
        self._open: dict[str, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def open(self, call: Call) -> None:
        """Make a call. One that is sent again takes the place of the earlier one."""
        self._close(call.id)
        limits = self._office.limits
        if len(self._open) >= limits.open_calls:
            self._say(_failed(call, "too_many_calls", f"more than {limits.open_calls} calls are open"))
        elif memoryview(call.input).nbytes > limits.payload_bytes:
            self._say(_failed(call, "payload_too_large", f"the input has more than {limits.payload_bytes} bytes"))
        else:
            self._open[call.id] = made = _Open(self._say, self._room)
            made.task = self._office.spawn(self._answer(call, made))

    def stop(self) -> None:
        """The connection is over."""
        for call_id in list(self._open):
            self._close(call_id)

    def _close(self, call_id: str) -> None:
        made = self._open.pop(call_id, None)
        if made is not None:
            made.close()

    async def _answer(self, call: Call, made: "_Open") -> None:
        try:
            await self._office.backend.call(self._instance, call, made)
        except AtlasError as error:
            made(_failed(call, error.code, error.message))
        except Exception as bug:  # a fault of ours in one call must not end the router
            self._office.log.error("call_failed", task=call.task, call=call.id, exc_info=bug)
            made(_failed(call, "internal", "the router failed to make this call"))
        finally:
            if self._open.get(call.id) is made:
                del self._open[call.id]


class _Open:
    """Where the answers to one call go (`ports.Replies`), until it is closed."""

    def __init__(self, say: Callable[[Reply], bool], room: asyncio.Event) -> None:
        self.task: asyncio.Task[None] | None = None
        self._say = say
        self._room = room
        self._closed = False

    def __call__(self, reply: Reply) -> bool:
        """Send a reply, unless the call was closed."""
        return not self._closed and self._say(reply)

    async def drained(self) -> None:
        """Return when the agent reads. If it does not for too long, its connection is closed and this call with it."""
        await self._room.wait()

    def close(self) -> None:
        """Answer no more."""
        self._closed = True
        if self.task is not None:
            self.task.cancel()


def _failed(call: Call, code: str, message: str) -> Reply:
    return Reply(call.id, ReplyKind.RESULT, state=TaskState.FAILED.value, error=Fault(code, message))
