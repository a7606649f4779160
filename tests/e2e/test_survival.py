"""Restarts and blocked loops, seen from outside."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.errors import TaskError
from tests.e2e.processes import PATIENCE, Platform, connected
from tests.e2e.programs import ECHO

BLOCKING = """
import time
from agentic_atlas import Agent

agent = Agent("sleepy", concurrency=4)

@agent.skill
async def block(seconds: float) -> str:
    time.sleep(seconds)
    return "awake"

@agent.skill
async def quick() -> str:
    return "here"

if __name__ == "__main__":
    agent.run()
"""


def test_idle_agents_come_back_by_themselves_with_one_line_each_way(platform: Platform, client: Client) -> None:
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        before = len(agent.lines)
        assert platform.stop() == 0
        agent.wait_for("lost")
        platform.start()
        agent.wait_for("back")
        assert client.call("echo", "say", text="again") == "again"
        said = [line for line in agent.lines[before:] if '"task"' not in line]
        assert len(said) == 2, agent.output


def test_a_task_acknowledged_before_a_kill_is_done_after_the_restart(platform: Platform, client: Client) -> None:
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        tasks = [client.submit("echo", "say", text=f"number {number}") for number in range(20)]
        platform.kill()
        platform.start()
        with Client(platform.url, api_key=platform.api_key) as again:
            assert [again.tasks.get(task.id).result(PATIENCE) for task in tasks] == [f"number {n}" for n in range(20)]


def test_a_submit_waits_for_its_agent_through_a_kill(platform: Platform, client: Client) -> None:
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        agent.stop()
    task = client.submit("echo", "say", text="later")
    assert "agent offline, last seen" in (task.refresh().note or "")
    platform.kill()
    platform.start()
    with platform.agent("echo", ECHO), Client(platform.url, api_key=platform.api_key) as again:
        assert again.tasks.get(task.id).result(PATIENCE) == "later"


def test_the_answer_to_a_submit_leaves_after_fdatasync(platform: Platform, client: Client) -> None:
    with platform.agent("echo", ECHO) as agent:
        agent.wait_for(connected)
        agent.stop()
    assert platform.process is not None
    trace = platform.folder / "trace"
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-e", "trace=fdatasync,sendto,write,writev,sendmsg", "-s", "24", "-o", str(trace),
         "-p", str(platform.process.pid)],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        wait_until_attached(platform)
        client.submit("echo", "say", text="durable")
    finally:
        strace.terminate()
        strace.communicate(timeout=PATIENCE)
    calls = trace.read_text().splitlines()
    answer = next(number for number, line in enumerate(calls) if "HTTP/1.1 201" in line)
    synced = [line for line in calls[:answer] if "fdatasync" in line and line.rstrip().endswith("= 0")]
    assert synced, "\n".join(calls[: answer + 1])


def wait_until_attached(platform: Platform) -> None:
    assert platform.process is not None
    status = Path(f"/proc/{platform.process.pid}/status")
    ends = time.monotonic() + PATIENCE
    while "TracerPid:\t0\n" in status.read_text():
        assert time.monotonic() < ends, "strace did not attach"


@pytest.mark.timeout(180)
def test_a_skill_that_blocks_its_loop_for_forty_seconds_loses_neither_connection_nor_task(
    platform: Platform, client: Client
) -> None:
    with platform.agent("sleepy", BLOCKING, ATLAS_LOG_LEVEL="trace") as agent:
        agent.wait_for(connected)
        blocked = client.submit("sleepy", "block", seconds=40)
        warning = agent.wait_for(lambda line: "block" in line and "loop" in line)
        assert "block" in warning
        # Sent is not heard yet: the router answers each.
        for what in ("sent beat", "received beat"):
            agent.wait_for(lambda line, what=what: what in line)  # type: ignore[misc]
        waiting = client.submit("sleepy", "quick")
        assert waiting.refresh().state == "submitted"
        assert json.loads(platform.atlas("agents", "show", "sleepy", "--json"))["instances_online"] == 1
        assert blocked.result(90) == "awake"
        assert blocked.refresh().attempt == 1
        assert waiting.result(PATIENCE) == "here"
        assert "lost" not in agent.output


WAITING = """
import asyncio
from agentic_atlas import Agent, Context

agent = Agent("slow")

@agent.skill
async def wait(ctx: Context, seconds: float) -> str:
    ctx.log.info("waiting")
    await asyncio.sleep(seconds)
    return "waited"

if __name__ == "__main__":
    agent.run()
"""


def test_a_caller_that_waits_is_answered_through_a_restart(platform: Platform, client: Client) -> None:
    with platform.agent("slow", WAITING) as agent, ThreadPoolExecutor(4) as pool:
        agent.wait_for(connected)
        calls = [pool.submit(client.call, "slow", "wait", seconds=4) for _ in range(4)]
        for _ in calls:
            agent.wait_for("waiting")
        assert platform.stop() == 0
        assert platform.process is not None
        assert "Traceback" not in platform.process.output
        platform.start()
        assert [call.result(PATIENCE) for call in calls] == ["waited"] * 4


def test_a_taken_port_is_one_sentence_that_names_the_setting(platform: Platform) -> None:
    taken = {"http_port": platform.environ["ATLAS_ROUTER_PORT"], "router_port": platform.environ["ATLAS_ROUTER_PORT"]}
    for setting, port in taken.items():
        other = Platform(platform.folder / setting, **{setting: port})
        said = other.atlas("up", check=False)
        assert "Traceback" not in said
        assert f"ATLAS_{setting.upper()}" in said
        assert "should not have happened" not in said


def test_an_output_that_no_reader_could_take_fails_its_task_and_spoils_no_list(
    platform: Platform, client: Client
) -> None:
    with platform.agent("echo", ECHO.replace("return text", "return 10 ** 5000").replace("-> str", "-> int")) as agent:
        agent.wait_for(connected)
        task = client.submit("echo", "say", text="a number")
        with pytest.raises(TaskError) as caught:
            task.result(PATIENCE)
        assert caught.value.code in ("invalid_output", "handler_error")
        assert [found.id for found in client.tasks.list()] == [task.id]
