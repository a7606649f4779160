from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.backend.api.turns import LONG, Turns


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_a_body_that_took_long_the_next_one_waits_and_a_short_one_does_not() -> None:
    async def main() -> None:
        clock, done = Clock(), list[str]()
        turns = Turns(clock)

        def heavy() -> None:
            done.append("heavy")
            clock.now += 0.05

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            began = asyncio.get_running_loop().time()
            await turns.take(LONG, heavy)
            waiting = group.create_task(turns.take(LONG, lambda: done.append("next")))
            await turns.take(LONG - 1, lambda: done.append("short"))
            await waiting
        assert done == ["heavy", "short", "next"]
        assert asyncio.get_running_loop().time() - began >= 0.15

    asyncio.run(main())


def test_a_body_that_is_refused_or_given_up_takes_nobody_s_turn() -> None:
    async def main() -> None:
        turns = Turns(Clock())

        def wrong() -> None:
            raise ValueError("not JSON")

        async with asyncio.timeout(5):
            with pytest.raises(ValueError, match="not JSON"):
                await turns.take(LONG, wrong)
            first = asyncio.ensure_future(turns.take(LONG, lambda: 1))
            given_up = asyncio.ensure_future(turns.take(LONG, lambda: 2))
            await asyncio.sleep(0)
            given_up.cancel()
            assert await first == 1
            assert await turns.take(LONG, lambda: 3) == 3

    asyncio.run(main())
