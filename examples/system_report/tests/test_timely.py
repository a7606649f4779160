"""A reading that hangs holds nobody up, and only one of them ever hangs."""

from __future__ import annotations

import asyncio
import threading

import pytest
from machine.timely import Timely


def test_what_is_read_or_raised_comes_back() -> None:
    assert asyncio.run(Timely(lambda: 7, 5).read()) == 7

    def broken() -> int:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output error"):
        asyncio.run(Timely(broken, 5).read())


def test_a_reading_that_hangs_is_given_up_and_not_begun_again_beside_it() -> None:
    go_on, begun = threading.Event(), []

    def hanging() -> int:
        begun.append(threading.current_thread())
        go_on.wait(20)
        return 7

    slow = Timely(hanging, 0.05)

    async def main() -> None:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                await slow.read()
        assert len(begun) == 1
        go_on.set()
        await asyncio.to_thread(begun[0].join, 20)
        assert await slow.read() == 7

    asyncio.run(main())
    assert len(begun) == 2


def test_a_reading_that_outlives_its_loop_ends_quietly() -> None:
    go_on, begun = threading.Event(), []

    def hanging() -> None:
        begun.append(threading.current_thread())
        go_on.wait(20)

    with pytest.raises(TimeoutError):
        asyncio.run(Timely(hanging, 0.01).read())
    go_on.set()
    begun[0].join(20)
    assert not begun[0].is_alive()
