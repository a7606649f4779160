"""Agents that are killed with results that nobody acknowledged, and started again."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from agentic_atlas import Client
from agentic_atlas.errors import TaskError
from tests.e2e.processes import PATIENCE, Platform, Process, connected
from tests.unit.sdk.spool.test_journal import ends_of_living

AGENT = """
import asyncio, os
from pathlib import Path
from agentic_atlas import Agent

agent = Agent("worker")
ledger, gate = Path(os.environ["LEDGER"]), Path(os.environ["GATE"])

async def run(name: str) -> str:
    with ledger.open("a") as file:
        file.write(f"{name}\\n")
    while not gate.exists():
        await asyncio.sleep(0.01)
    return f"{name} is done"

@agent.skill
async def again(name: str) -> str:
    return await run(name)

@agent.skill(delivery="at_most_once")
async def once(name: str) -> str:
    return await run(name)

if __name__ == "__main__":
    agent.run()
"""
RUNS_AGAIN_WITHIN = 2.0


class Worker:
    """The agent's processes, which share a token, a ledger on disk of what their skills began, and a gate."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.ledger = platform.folder / "ledger"
        self.gate = platform.folder / "gate"
        self.spool = platform.folder / "state" / "agentic-atlas" / "spool"
        self.token = platform.token("worker")

    def started(self, **environ: str) -> AbstractContextManager[Process]:
        places = {"LEDGER": str(self.ledger), "GATE": str(self.gate)}
        return self.platform.agent("worker", AGENT, token=self.token, **places, **environ)

    def began(self) -> list[str]:
        return sorted(self.ledger.read_text().split()) if self.ledger.exists() else []

    def on_disk(self) -> int:
        """Return how many results are on disk."""
        return kept_in(self.spool)


def kept_in(spool: Path) -> int:
    """Return how many results are on disk in this folder."""
    return sum(len(ends_of_living(file.read_bytes())) for file in spool.glob("*/*.spool"))


@pytest.fixture
def worker(platform: Platform) -> Worker:
    return Worker(platform)


def until(happened: Callable[[], bool], patience: float = PATIENCE) -> None:
    ends = time.monotonic() + patience
    while not happened():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.01)


def test_what_ended_while_the_platform_was_down_arrives_after_both_were_killed_and_ran_once(
    platform: Platform, client: Client, worker: Worker
) -> None:
    with worker.started() as agent:
        agent.wait_for(connected)
        tasks = [client.submit("worker", skill, name=skill) for skill in ("again", "once")]
        until(lambda: worker.began() == ["again", "once"])
        platform.kill()
        worker.gate.touch()
        until(lambda: worker.on_disk() == 2)
        agent.kill()
    platform.start()
    with worker.started() as agent, Client(platform.url, api_key=platform.api_key) as caller:
        agent.wait_for(connected)
        results = [caller.tasks.get(task.id).result(PATIENCE) for task in tasks]
        assert results == ["again is done", "once is done"]
        assert [caller.tasks.get(task.id).refresh().attempt for task in tasks] == [1, 1]
        assert worker.began() == ["again", "once"]
        until(lambda: worker.on_disk() == 0)


def test_what_ended_under_a_token_arrives_under_the_one_that_a_rotation_put_in_its_place(
    platform: Platform, client: Client, worker: Worker
) -> None:
    with worker.started() as agent:
        agent.wait_for(connected)
        task = client.submit("worker", "once", name="once")
        until(lambda: worker.began() == ["once"])
        platform.kill()
        worker.gate.touch()
        until(lambda: worker.on_disk() == 1)
        agent.kill()
    platform.start()
    with Client(platform.url, api_key=platform.api_key) as caller:
        (old,) = caller.tokens.list("worker")
        worker.token = caller.tokens.rotate(old.id, overlap=0).token
        with worker.started() as agent:
            agent.wait_for(connected)
            assert caller.tasks.get(task.id).result(PATIENCE) == "once is done"
            assert worker.began() == ["once"]
            until(lambda: worker.on_disk() == 0)


def test_what_ran_when_an_agent_was_killed_runs_again_or_ends_unknown_as_soon_as_it_is_back(
    client: Client, worker: Worker
) -> None:
    with worker.started() as agent:
        agent.wait_for(connected)
        again, once = (client.submit("worker", skill, name=skill) for skill in ("again", "once"))
        until(lambda: worker.began() == ["again", "once"])
        agent.kill()
    with worker.started() as agent:
        agent.wait_for(connected)
        until(lambda: worker.began() == ["again", "again", "once"], RUNS_AGAIN_WITHIN)
        with pytest.raises(TaskError) as caught:
            once.result(RUNS_AGAIN_WITHIN)
        assert caught.value.code == "outcome_unknown"
        worker.gate.touch()
        assert again.result(PATIENCE) == "again is done"
        assert again.refresh().attempt == 2
    assert worker.began() == ["again", "again", "once"]


def test_an_agent_that_is_stopped_with_results_says_so_and_the_next_one_delivers_them(
    platform: Platform, client: Client, worker: Worker
) -> None:
    with worker.started() as agent:
        agent.wait_for(connected)
        task = client.submit("worker", "once", name="once")
        until(lambda: worker.began() == ["once"])
        platform.kill()
        worker.gate.touch()
        until(lambda: worker.on_disk() == 1)
        assert agent.stop() == 0
        assert "results not acknowledged: 1; kept on disk, for the next start to deliver" in agent.output
    platform.start()
    with worker.started() as agent, Client(platform.url, api_key=platform.api_key) as caller:
        assert caller.tasks.get(task.id).result(PATIENCE) == "once is done"
    assert worker.began() == ["once"]


def test_results_on_disk_are_for_their_owners_eyes(client: Client, worker: Worker) -> None:
    with worker.started() as agent:
        agent.wait_for(connected)
        task = client.submit("worker", "once", name="once")
        until(lambda: worker.began() == ["once"])
        [file] = worker.spool.glob("*/*.spool")
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert file.parent.name.startswith("tok_")
        worker.gate.touch()
        task.result(PATIENCE)
        assert agent.stop() == 0
    assert not file.parent.exists()


def test_off_leaves_no_file(client: Client, worker: Worker, platform: Platform) -> None:
    worker.gate.touch()
    with worker.started(ATLAS_SPOOL="off", ATLAS_LOG_FILE="off") as agent:
        agent.wait_for(connected)
        assert client.call("worker", "again", name="again") == "again is done"
        agent.kill()
    assert not (platform.folder / "state").exists()


def test_a_folder_that_cannot_be_used_is_one_warning_and_no_harm(
    client: Client, worker: Worker, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    worker.gate.touch()
    with worker.started(ATLAS_SPOOL=str(file)) as agent:
        agent.wait_for(connected)
        assert client.call("worker", "again", name="again") == "again is done"
        assert agent.stop() == 0
        assert agent.output.count("results are kept in memory only") == 1
