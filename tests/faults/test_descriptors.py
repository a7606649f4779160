"""A server with few descriptors, and somebody who sits on as many connections as there may be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.processes import Platform, connected
from tests.e2e.programs import ECHO
from tests.faults.floods import Api, api, percentile, sound, spotless, until

DESCRIPTORS = 256
"""Soft and hard limit of the server, so that it can't have more."""
SITTING = 400
CALLS = 20

LIMITED = f"""
import resource, runpy
resource.setrlimit(resource.RLIMIT_NOFILE, ({DESCRIPTORS}, {DESCRIPTORS}))
runpy.run_module("agentic_atlas", run_name="__main__", alter_sys=False)
"""


class Narrow(Platform):
    program = ("-c", LIMITED)


async def sit(port: int, left: list[asyncio.StreamWriter]) -> None:
    """Open a connection and say nothing; one that is cut off is opened again by nobody."""
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        left.append(writer)


async def called(at: Api, number: int) -> None:
    answer = await at.http.post(
        "/tasks", params={"wait": 30}, json={"agent": "echo", "skill": "say", "input": {"text": f"n {number}"}}
    )
    assert answer.json()["output"] == f"n {number}"


async def test_nobody_who_shows_a_key_is_kept_out_by_those_who_show_none(
    tmp_path: Path, found: Callable[[str, str, str], None]
) -> None:
    loop_times: list[float] = []

    platform = Narrow(tmp_path / "network")
    platform.start()
    try:
        with platform.agent("echo", ECHO) as agent:
            agent.wait_for(connected)
            ports = [urlsplit(url).port for url in (platform.url, platform.router_url)]
            sitting: list[asyncio.StreamWriter] = []
            now = asyncio.get_running_loop().time
            for number in range(SITTING):
                await sit(ports[number % 2] or 0, sitting)
            for number in range(CALLS):
                began = now()
                # Each with a connection of its own, as somebody who has just come.
                async with api(platform) as at:
                    await called(at, number)
                loop_times.append(now() - began)
            with platform.agent("echo", ECHO) as late:
                await asyncio.to_thread(late.wait_for, connected)
                assert late.stop() == 0
            for writer in sitting:
                writer.transport.abort()
            async with api(platform) as at:
                await called(at, CALLS)
            assert agent.stop() == 0
        assert platform.process is not None
        spotless(platform.process)
        assert platform.process.output.count("descriptors_used_up") <= 1
        assert platform.stop() == 0
    finally:
        platform.kill()
    sound(platform)
    found(
        "7 bounded, no collateral",
        f"{SITTING} silent connections at a server with {DESCRIPTORS} descriptors",
        f"{CALLS} calls on new connections, all answered, median {percentile(loop_times, 0.5) * 1000:.0f} ms",
    )


async def test_a_server_whose_descriptors_are_used_up_says_so_once_and_goes_on(tmp_path: Path) -> None:
    """Peers of many addresses, none of which has many connections."""

    platform = Narrow(tmp_path / "network")
    platform.start()
    try:
        port = urlsplit(platform.url).port or 0
        sitting: list[asyncio.StreamWriter] = []
        for number in range(SITTING):
            with suppress(OSError):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(f"127.0.0.{2 + number % 200}", 0)
                )
                sitting.append(writer)
        assert platform.process is not None
        process = platform.process
        await until(lambda: "descriptors_used_up" in process.output)
        async with api(platform) as at:
            assert (await at.http.get("/whoami")).status_code == 200
        for writer in sitting:
            writer.transport.abort()
        assert platform.process is not None
        spotless(platform.process)
        assert platform.process.output.count("descriptors_used_up") == 1
        assert platform.stop() == 0
    finally:
        platform.kill()
