"""Processes that are asked to stop, or stand still for a while, seen from outside."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.parse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.errors import AtlasError
from agentic_atlas.sdk.signals import SAME
from tests.e2e.processes import PATIENCE, Platform, Process, connected

GRACE = 3.0
BEAT = 0.25

KEEPER = """
import asyncio, os
from agentic_atlas import Agent, Context

agent = Agent("keeper", concurrency=4)
LEDGER, WHO = os.environ["LEDGER"], os.environ.get("WHO", "a")

def write(line: str) -> None:
    with open(LEDGER, "a") as file:
        file.write(line + "\\n")

@agent.skill
async def hold(ctx: Context, seconds: float) -> str:
    write(f"{WHO} began {ctx.task_id} {ctx.attempt}")
    print("began", flush=True)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        write(f"{WHO} stopped {ctx.task_id} {ctx.attempt}")
        print("stopped", flush=True)
        raise
    print("ended", flush=True)
    return WHO

@agent.skill(delivery="at_most_once")
async def once(ctx: Context) -> str:
    write(f"{WHO} began {ctx.task_id} {ctx.attempt}")
    return WHO

if __name__ == "__main__":
    agent.run()
"""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A network with little patience."""
    running = Platform(tmp_path / "network", grace=str(GRACE), beat_every=str(BEAT))
    running.start()
    yield running
    running.kill()


@contextmanager
def keeper(platform: Platform, who: str = "a") -> Iterator[Process]:
    ledger = str(platform.folder / "ledger")
    with platform.agent("keeper", KEEPER, LEDGER=ledger, WHO=who) as process:
        process.wait_for(connected)
        yield process


def written(platform: Platform, what: str) -> list[str]:
    """Return the lines of the agents' ledger with this word."""
    ledger = platform.folder / "ledger"
    return [line for line in ledger.read_text().splitlines() if what in line] if ledger.exists() else []


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """Have a process stand still until the end of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: "T (stopped)" in Path(f"/proc/{pid}/status").read_text())
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    ends = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < ends, "this never happened"
        time.sleep(0.02)


def passes(seconds: float) -> None:
    """Let time pass: what is tested is how long something may last."""
    ends = time.monotonic() + seconds
    until(lambda: time.monotonic() >= ends)


def test_a_server_that_stands_still_for_longer_than_the_grace_period_loses_and_repeats_nothing(
    platform: Platform, client: Client
) -> None:
    assert platform.process is not None
    with keeper(platform) as agent:
        tasks = [client.submit("keeper", "hold", seconds=seconds) for seconds in (1, 2 * GRACE)]
        for _ in tasks:
            agent.wait_for("began")
        with standing_still(platform.process.pid):
            passes(1.5 * GRACE)
        assert [task.result(PATIENCE) for task in tasks] == ["a", "a"]
        assert [task.refresh().attempt for task in tasks] == [1, 1]
    assert len(written(platform, "began")) == 2
    assert written(platform, "stopped") == []


def test_an_agent_that_stands_still_for_less_than_the_grace_period_loses_and_repeats_nothing(
    platform: Platform, client: Client
) -> None:
    with keeper(platform) as agent:
        task = client.submit("keeper", "hold", seconds=1)
        agent.wait_for("began")
        with standing_still(agent.pid):
            until(lambda: client.agents.get("keeper").instances_online == 0)
            passes(GRACE / 3)
        assert task.result(PATIENCE) == "a"
        assert task.refresh().attempt == 1
    assert len(written(platform, "began")) == 1


@pytest.mark.parametrize(("seconds", "says"), [(600.0, "stopped"), (4.0, "ended")])
def test_an_agent_that_stands_still_for_longer_loses_its_task_learns_it_and_changes_nothing_any_more(
    platform: Platform, client: Client, seconds: float, says: str
) -> None:
    with keeper(platform, "a") as sleeping:
        task = client.submit("keeper", "hold", seconds=seconds)
        sleeping.wait_for("began")
        with keeper(platform, "b") as other:
            with standing_still(sleeping.pid):
                other.wait_for("began")
                if says == "ended":
                    assert task.result(PATIENCE) == "b"
            sleeping.wait_for(says)
            until(lambda: client.agents.get("keeper").instances_online == 2)
            assert client.call("keeper", "hold", seconds=0) in ("a", "b")
            if says == "ended":
                seen = task.refresh()
                assert (seen.state, seen.attempt, seen.output) == ("completed", 2, "b")
            else:
                assert (task.refresh().state, task.refresh().attempt) == ("working", 2)
                assert [line.split()[0] for line in written(platform, "stopped")] == ["a"]
    assert [line.split()[0] for line in written(platform, f"began {task.id}")] == ["a", "b"]


def test_who_calls_an_agent_right_after_a_restart_is_answered_by_it(platform: Platform, client: Client) -> None:
    with keeper(platform):
        for end in (platform.stop, platform.kill, platform.stop):
            end()
            platform.start()
            assert client.call("keeper", "hold", seconds=0) == "a"


def test_an_agent_that_stopped_before_the_restart_is_not_waited_for(platform: Platform, client: Client) -> None:
    with keeper(platform) as agent:
        assert agent.stop() == 0
    platform.stop()
    platform.start()
    with pytest.raises(AtlasError) as refused:
        client.call("keeper", "hold", seconds=0)
    assert refused.value.code == "agent_offline"


def test_an_agent_that_does_not_come_back_after_a_restart_fails_its_callers_after_the_grace_period(
    platform: Platform, client: Client
) -> None:
    with keeper(platform) as agent:
        platform.kill()
        agent.kill()
    platform.start()
    begun = time.monotonic()
    with pytest.raises(AtlasError) as failed:
        client.call("keeper", "hold", seconds=0)
    assert failed.value.code == "agent_offline"
    assert GRACE / 2 < time.monotonic() - begun < GRACE + 5


def test_agents_that_stop_in_the_middle_of_a_flood_cost_no_task(platform: Platform, client: Client) -> None:
    token = platform.token("keeper")
    environ = {"LEDGER": str(platform.folder / "ledger")}
    with keeper(platform, "b"), ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            with platform.agent("keeper", KEEPER, token=token, **environ) as leaving:
                leaving.wait_for(connected)
                calls = [pool.submit(client.call, "keeper", "once") for _ in range(60)]
                calls[10].result(PATIENCE)
                assert leaving.stop() == 0
                assert {call.result(PATIENCE) for call in calls} <= {"a", "b"}
    began = [line.split()[2] for line in written(platform, "began")]
    assert len(began) == len(set(began)) == 180, "each was begun once"


def test_a_second_signal_ends_the_server_at_once(tmp_path: Path) -> None:
    platform = Platform(tmp_path / "network", drain="600").start()
    assert platform.process is not None
    address = urllib.parse.urlsplit(platform.url)
    assert address.hostname is not None
    with socket.create_connection((address.hostname, address.port or 0)) as asking:
        head = "POST /api/v1/login-codes HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        asking.sendall(f"{head}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n".encode())
        assert asking.recv(1_000).startswith(b"HTTP/1.1 100 "), "it waits for what follows"
        os.kill(platform.process.pid, signal.SIGTERM)
        os.kill(platform.process.pid, signal.SIGINT)
        until(lambda: refused((address.hostname or "", address.port or 0)))
        asked_at = time.monotonic()  # The first one is taken, and how long ago it came is counted from then on.
        until(lambda: time.monotonic() - asked_at > SAME)
        assert platform.process.running, "it waits for the request, for two signals in a moment are one"
        os.kill(platform.process.pid, signal.SIGINT)
        assert platform.process.wait() == 130


def refused(address: tuple[str, int]) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) != 0
