from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import pytest

from agentic_atlas.errors import Busy
from agentic_atlas.http.turns import LONG, Turns

T = TypeVar("T")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def take(turns: Turns, whose: str, size: int, work: Callable[[], T]) -> T:
    with turns.place(whose) as place:
        place.grows(size)
        async with place.turn():
            return work()


async def forgotten(turns: Turns) -> None:
    while turns:  # noqa: ASYNC110 - the end of a rest gives no other sign
        await asyncio.sleep(0.01)


async def test_after_a_body_that_took_long_the_next_one_of_its_user_waits_and_a_short_one_does_not() -> None:
    clock, done = Clock(), list[str]()
    turns = Turns(clock)

    def heavy() -> None:
        done.append("heavy")
        clock.now += 0.05

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        began = asyncio.get_running_loop().time()
        await take(turns, "eve", LONG, heavy)
        waiting = group.create_task(take(turns, "eve", LONG, lambda: done.append("next")))
        await take(turns, "eve", LONG - 1, lambda: done.append("short"))
        await waiting
    assert done == ["heavy", "short", "next"]
    assert asyncio.get_running_loop().time() - began >= 0.15


async def test_a_body_rests_between_steps_that_take_long_and_its_user_once_more_behind_it() -> None:
    clock = Clock()
    turns = Turns(clock)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        with turns.place("eve") as place:
            place.grows(LONG)
            async with place.turn() as step:
                began = loop.time()
                clock.now += 0.05
                await step()
                rested = loop.time()
                clock.now += 0.001
                await step()
                at_once = loop.time()
        await take(turns, "eve", LONG, lambda: None)
        ended = loop.time()
        await forgotten(turns)
    assert [rested - began >= 0.15, at_once - rested < 0.15, ended - at_once >= 0.15] == [True] * 3


async def listed(turns: Turns, clock: Clock, whose: str, done: list[str]) -> None:
    async with turns.turn(whose):
        done.append(whose)
        await asyncio.sleep(0)
        clock.now += 0.05


async def test_who_asks_for_one_list_after_the_other_is_not_slowed_while_nobody_else_waits() -> None:
    clock, done = Clock(), list[str]()
    turns = Turns(clock)
    turns.asking["eve"] += 1
    async with asyncio.timeout(5):
        began = asyncio.get_running_loop().time()
        for _ in range(20):
            await listed(turns, clock, "eve", done)
        assert asyncio.get_running_loop().time() - began < 1.0, "rests of 0.2 s are 4"
        await forgotten(turns)


async def test_who_asks_for_one_list_after_the_other_gives_way_while_somebody_else_waits() -> None:
    clock, done = Clock(), list[str]()
    turns = Turns(clock)
    turns.asking["ada"] += 1
    async with asyncio.timeout(5):
        began = asyncio.get_running_loop().time()
        for _ in range(2):
            await listed(turns, clock, "eve", done)
        assert asyncio.get_running_loop().time() - began >= 0.15
        del turns.asking["ada"]
        await forgotten(turns)


async def test_nobody_waits_for_the_bodies_of_another_user() -> None:
    clock, done = Clock(), list[str]()
    turns = Turns(clock)

    def heavy() -> None:
        done.append("heavy")
        clock.now += 0.05

    async with asyncio.timeout(5):
        several = [asyncio.ensure_future(take(turns, "eve", LONG, heavy)) for _ in range(3)]
        await asyncio.sleep(0)
        await take(turns, "ada", LONG, lambda: done.append("hers"))
        assert done == ["heavy", "hers"]
        await asyncio.wait(several)
        await forgotten(turns)


async def test_a_list_that_took_long_is_followed_by_a_rest_of_its_user_alone_when_more_of_theirs_wait() -> None:
    clock, done = Clock(), list[str]()
    turns = Turns(clock)
    async with asyncio.timeout(5):
        began = asyncio.get_running_loop().time()
        several = [asyncio.ensure_future(listed(turns, clock, whose, done)) for whose in ("eve", "eve", "ada")]
        await asyncio.wait(several)
        assert done == ["eve", "ada", "eve"]
        assert asyncio.get_running_loop().time() - began >= 0.15
        await forgotten(turns)


async def test_one_user_has_so_many_bytes_of_long_bodies_on_the_way() -> None:
    turns = Turns(Clock(), most_bytes=3 * LONG)
    with turns.place("eve") as first, turns.place("eve") as second, turns.place("eve") as third:
        first.grows(LONG)
        second.grows(LONG)
        second.grows(2 * LONG)
        third.grows(LONG - 1)
        with pytest.raises(Busy, match="too many long bodies of yours"):
            third.grows(LONG)
        with turns.place("ada") as hers:
            hers.grows(LONG)
    with turns.place("eve") as next_one:
        next_one.grows(3 * LONG)
    assert not turns


async def test_a_body_that_is_refused_or_given_up_takes_nobody_s_turn() -> None:
    turns = Turns(Clock())

    def wrong() -> None:
        raise ValueError("not JSON")

    async with asyncio.timeout(5):
        with pytest.raises(ValueError, match="not JSON"):
            await take(turns, "eve", LONG, wrong)
        first = asyncio.ensure_future(take(turns, "eve", LONG, lambda: 1))
        given_up = asyncio.ensure_future(take(turns, "eve", LONG, lambda: 2))
        await asyncio.sleep(0)
        given_up.cancel()
        assert await first == 1
        assert await take(turns, "eve", LONG, lambda: 3) == 3
        await forgotten(turns)
