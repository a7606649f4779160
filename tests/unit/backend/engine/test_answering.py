from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from agentic_atlas.backend.engine.answering import Answer, Answering, Replies
from agentic_atlas.protocol.inside.messages import Called, Congested, InstanceRef, Replied, ToRouter
from agentic_atlas.protocol.messages import Call, Raw, Reply, ReplyKind
from tests.unit.sdk.memory_log import MemoryLog

INSTANCE, NEXT = InstanceRef("agt", "inst", 1), InstanceRef("agt", "inst", 2)


def called(call: str = "call_1", instance: InstanceRef = INSTANCE) -> Called:
    return Called(instance, Call(call, "task_1", 1, "other", "echo", Raw(b"{}")))


def event(seq: int) -> Reply:
    return Reply("call_1", ReplyKind.EVENT, "task_9", seq)


class Scene:
    """Calls that are being answered, and what the router is told of them."""

    def __init__(self, answer: Answer, group: asyncio.TaskGroup) -> None:
        self.told: list[Replied] = []
        self.log = MemoryLog()

        def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            return group.create_task(work)

        self.answering = Answering(self, self.log, answer, spawn)

    def say(self, message: ToRouter) -> None:
        assert isinstance(message, Replied)
        self.told.append(message)


@asynccontextmanager
async def scene(answer: Answer) -> AsyncIterator[Scene]:
    async with asyncio.timeout(10.0), asyncio.TaskGroup() as group:
        yield Scene(answer, group)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_call_is_answered_on_the_connection_on_which_it_was_made_and_is_open_no_more() -> None:
    async def answer(said: Called, replies: Replies) -> None:
        assert replies(Reply(said.call.id, ReplyKind.RESULT))

    async with scene(answer) as on:
        on.answering.begin(called(instance=NEXT))
        await turns()
        assert [(one.instance, one.reply.id) for one in on.told] == [(NEXT, "call_1")]
        assert len(on.answering) == 0


async def test_a_call_that_is_made_again_takes_the_place_of_the_earlier_one() -> None:
    ended: list[bool] = []

    async def answer(said: Called, replies: Replies) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(replies(event(1)))

    async with scene(answer) as on:
        on.answering.begin(called())
        await turns()
        on.answering.begin(called(instance=NEXT))
        await turns()
        assert (ended, on.told, len(on.answering)) == ([False], [], 1), "nobody waits for the earlier one's replies"
        on.answering.departed(NEXT)


async def test_calls_end_with_their_connection_and_those_of_the_next_one_do_not() -> None:
    ended: list[str] = []

    async def answer(said: Called, replies: Replies) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            assert not replies(event(1))
            ended.append(said.call.id)

    async with scene(answer) as on:
        on.answering.begin(called("call_1"))
        on.answering.begin(called("call_2", NEXT))
        await turns()
        on.answering.departed(INSTANCE)
        await turns()
        assert ended == ["call_1"]
        on.answering.departed(NEXT)
        await turns()
        assert (ended, len(on.answering)) == (["call_1", "call_2"], 0)


async def test_a_stream_of_replies_waits_for_an_agent_that_reads_slowly() -> None:
    async def answer(said: Called, replies: Replies) -> None:
        for seq in range(1, 5):
            await replies.drained()
            replies(event(seq))

    async with scene(answer) as on:
        on.answering.congested(Congested(INSTANCE, congested=True))
        on.answering.begin(called())
        await turns()
        assert on.told == []
        on.answering.congested(Congested(INSTANCE, congested=False))
        await turns()
        assert [one.reply.seq for one in on.told] == [1, 2, 3, 4]


async def test_a_fault_of_ours_in_a_call_is_logged_and_answered() -> None:
    async def broken(said: Called, replies: Replies) -> None:
        raise ZeroDivisionError

    async with scene(broken) as on:
        on.answering.begin(called())
        await turns()
        (told,) = on.told
        assert told.reply.kind is ReplyKind.RESULT
        assert told.reply.error is not None
        assert told.reply.error.code == "internal"
        assert "call_failed" in str(on.log.__dict__)
