"""The calls of agents that are being answered, each until its final reply or until nobody waits for it any more."""

import asyncio
from asyncio import Task
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

from agentic_atlas.backend.ports import FaultLog, RouterPort
from agentic_atlas.protocol.inside.messages import Called, Congested, InstanceRef, Replied
from agentic_atlas.protocol.messages import Fault, Reply, ReplyKind
from agentic_atlas.protocol.tasks import TaskState


class Replies:
    """Where the answers to one call go."""

    def __init__(self, router: RouterPort, instance: InstanceRef, stalled: dict[InstanceRef, asyncio.Event]) -> None:
        self._router = router
        self._instance = instance
        self._stalled = stalled
        self._closed = False

    def __call__(self, reply: Reply) -> bool:
        """Send a reply; False when the calling agent is gone, or has made the call again, and no more are wanted."""
        if not self._closed:
            self._router.say(Replied(self._instance, reply))
        return not self._closed

    async def drained(self) -> None:
        """Return when the agent has read enough for another reply; for streams of any length."""
        reads = self._stalled.get(self._instance)
        if reads is not None:
            await reads.wait()

    def close(self) -> None:
        """Nobody waits any more."""
        self._closed = True


Answer: TypeAlias = Callable[[Called, Replies], Coroutine[Any, Any, None]]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], Task[None] | None]


class Answering:
    """All calls that are open; those of a connection end with it."""

    def __init__(self, router: RouterPort, log: FaultLog, answer: Answer, spawn: Spawn) -> None:
        """Take what answers a call, and what starts a coroutine (None: not any more)."""
        self._router = router
        self._log = log
        self._answer = answer
        self._spawn = spawn
        self._open: dict[tuple[str, str], tuple[InstanceRef, Replies, Task[None]]] = {}
        self._stalled: dict[InstanceRef, asyncio.Event] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, said: Called) -> None:
        """Answer a call. One that is made again takes the place of the earlier one."""
        key = (said.instance.instance_id, said.call.id)
        self._close(key)
        replies = Replies(self._router, said.instance, self._stalled)
        task = self._spawn(self._carry_out(said, replies))
        if task is not None:
            self._open[key] = (said.instance, replies, task)

    def congested(self, said: Congested) -> None:
        """The agent does not read, or reads again."""
        if said.congested:
            self._stalled.setdefault(said.instance, asyncio.Event())
        else:
            self._go_on(said.instance)

    def departed(self, instance: InstanceRef) -> None:
        """The connection ended: end its calls."""
        self._go_on(instance)
        for key in [key for key, (of, _, _) in self._open.items() if of == instance]:
            self._close(key)

    async def _carry_out(self, said: Called, replies: Replies) -> None:
        try:
            await self._answer(said, replies)
        except Exception as bug:  # noqa: BLE001  # a fault of ours in one call must not end the others
            whose, call = said.instance, said.call
            self._log.error(
                "call_failed",
                agent=whose.agent_id,
                instance=whose.instance_id,
                task=call.task,
                attempt=call.attempt,
                call=call.id,
                exc_info=bug,
            )
            fault = Fault("internal", "the backend failed to make this call")
            replies(Reply(said.call.id, ReplyKind.RESULT, state=TaskState.FAILED.value, error=fault))
        finally:
            key = (said.instance.instance_id, said.call.id)
            if key in self._open and self._open[key][1] is replies:
                del self._open[key]

    def _close(self, key: tuple[str, str]) -> None:
        _, replies, task = self._open.pop(key, (None, None, None))
        if replies is not None and task is not None:
            replies.close()
            task.cancel()

    def _go_on(self, instance: InstanceRef) -> None:
        reads = self._stalled.pop(instance, None)
        if reads is not None:
            reads.set()
