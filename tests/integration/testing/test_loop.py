"""A loop of its own kind, run by hand: its time jumps over what is only waited for."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine
from typing import Any

import pytest

from agentic_atlas.testing.loop import JumpingLoop

LONG = 3_600.0
SHORT = 0.05


def run(work: Coroutine[Any, Any, float], *, jumps: bool = True) -> float:
    """Run it in a jumping loop and return what it returns; it has to take no time to speak of."""

    async def main() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, JumpingLoop)
        loop.may_jump = lambda: jumps
        return await work

    began = time.monotonic()
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        result = runner.run(main())
    assert time.monotonic() - began < 5
    return result


async def passed(work: Coroutine[Any, Any, object]) -> float:
    """Return the seconds of the loop's time that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await work
    return loop.time() - began


def test_what_waits_for_time_alone_does_not_wait() -> None:
    assert run(passed(asyncio.sleep(LONG))) == pytest.approx(LONG, abs=1)


def test_timers_end_in_their_order() -> None:
    ended: list[float] = []

    async def wait(seconds: float) -> None:
        await asyncio.sleep(seconds)
        ended.append(seconds)

    async def main() -> float:
        async with asyncio.TaskGroup() as group:
            for seconds in (3 * LONG, LONG, 2 * LONG):
                group.create_task(wait(seconds))
        return 0

    run(main())
    assert ended == [LONG, 2 * LONG, 3 * LONG]


def test_a_timeout_comes_at_once_for_what_never_comes() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(LONG):
                await asyncio.Event().wait()
        return 0

    run(main())


def test_time_stands_as_it_is_while_nobody_lets_it_jump() -> None:
    began = time.monotonic()
    run(passed(asyncio.sleep(SHORT)), jumps=False)
    assert time.monotonic() - began >= SHORT


def test_a_thread_of_an_executor_has_its_time() -> None:
    async def main() -> float:
        async with asyncio.timeout(LONG):
            await asyncio.to_thread(time.sleep, SHORT)
        return 0

    assert run(passed(main())) < LONG


def test_a_socket_has_its_time() -> None:
    ours, theirs = socket.socketpair()

    async def main() -> float:
        reader, writer = await asyncio.open_connection(sock=ours)
        threading.Timer(SHORT, theirs.sendall, [b"x"]).start()
        async with asyncio.timeout(LONG):
            assert await reader.read(1) == b"x"
        writer.close()
        await writer.wait_closed()
        return 0

    with theirs:
        assert run(passed(main())) < LONG
