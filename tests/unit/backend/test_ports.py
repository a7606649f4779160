"""A write that was asked of the store: who is told what became of it, when, and what a waiter that leaves changes."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.ports import Write
from agentic_atlas.errors import Unavailable

pytestmark = pytest.mark.anyio


async def test_those_who_follow_are_told_in_their_order_before_the_loop_turns() -> None:
    write: Write[int] = Write()
    told: list[tuple[str, int | None]] = []
    write.then(lambda one: told.append(("first", one.value)))
    write.then(lambda one: told.append(("second", one.value)))
    assert (write.done, write.value, told) == (False, None, [])
    write.settle(7)
    write.then(lambda one: told.append(("late", one.value)))
    assert told == [("first", 7), ("second", 7), ("late", 7)]
    assert await write == 7


async def test_one_that_waits_may_be_cancelled_and_others_still_have_the_outcome() -> None:
    write: Write[str] = Write()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await write
    asyncio.get_running_loop().call_soon(write.settle, "stored")
    assert await write == "stored"


async def test_a_failed_write_raises_its_error_to_each_who_awaits_it_and_to_nobody_who_only_waits_for_its_end() -> None:
    write: Write[None] = Write()
    write.settle(Unavailable("the disk does not answer"))
    await write.over()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await write
    assert isinstance(write.error, Unavailable)


async def test_a_fault_in_what_follows_reaches_the_loop_and_not_the_next_who_is_told() -> None:
    loop, faults = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    write: Write[int] = Write()
    told: list[int | None] = []
    write.then(lambda _: [][0])
    write.then(lambda one: told.append(one.value))
    write.settle(1)
    loop.set_exception_handler(None)
    assert told == [1]
    assert [type(fault) for fault in faults] == [IndexError]
