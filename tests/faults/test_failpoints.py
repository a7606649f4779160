"""The server ends between every two steps of a task; after the restart nothing is lost, and no result counts twice."""

from __future__ import annotations

import random
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE, Platform, Process
from tests.faults import ledgers
from tests.faults.failpoints import KILLED
from tests.faults.stage import SOON, Stage, Worker, staged
from tests.faults.submitters import Mix, Submitters
from tests.faults.verdict import judge
from tests.faults.wire_agent import WireAgent
from tests.integration.router.doors import dial

PROGRAM = Path(__file__).with_name("failpoints.py")
POINTS = (
    "add asked",
    "add stored",
    "claim asked",
    "claim stored",
    "deliver asked",
    "deliver said",
    "accept asked",
    "accept stored",
    "event asked",
    "event stored",
    "result asked",
    "result stored",
    "change asked",
    "change in transaction",
    "change stored",
    "written, not committed",
    "admit asked",
    "admit stored",
    "cancel asked",
    "cancel said",
)
LOSSES = (("lost asked 1", False), ("lost stored 1", False), ("admit asked 3", True), ("admit stored 3", True))
"""Points where it is settled what a killed agent had, and whether its next process is there at once.

It is then the third to be admitted, after the two that come back when the server starts.
"""
SKILLS = {("first", "repeatable"): 2.0, ("first", "once"): 2.0, ("second", "stream"): 1.0, ("second", "once"): 1.0}


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("some", [POINTS[::2], POINTS[1::2]], ids=["asked", "done"])
def test_a_server_that_ends_between_two_steps_loses_nothing_and_repeats_nothing(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None], some: tuple[str, ...]
) -> None:
    seed, times = random.randrange(2**32), 20 if soak else 1
    print("seed", seed)
    chance = random.Random(seed)
    points = chance.sample(some, len(some)) * times
    with staged(tmp_path, program=(str(PROGRAM),), grace="15", beat_every="1") as stage:
        stage.add("first", 2, CONCURRENCY="2")
        stage.add("second", 2, CONCURRENCY="2")
        submitters = Submitters(stage.server, Mix(SKILLS, seconds=(0.0, 0.1), pause=0.05), seed=seed)
        with submitters.running():
            for point in points:
                end_at(stage, point, chance.randrange(1, 4), submitters)
            launch(stage, "").wait_for("api_url")
        stage.quiesce(backlog=soak)
        assert stage.server.stop() == 0
        executions = ledgers.read(stage.ledgers)
        verdict = judge(submitters.history, executions, stage.server.database, may_end=("completed", "canceled"))
    verdict.wrong += submitters.contradictions + [f"{task} was repeated" for task in executions.repeated]
    verdict.check()
    found(
        "1, 2 failpoints",
        f"{len(some)} points between two steps, {times} ends at each, {len(submitters.acknowledged)} tasks",
        f"0 lost, 0 repeated, {dict(verdict.outcomes)}",
    )


def end_at(stage: Stage, point: str, times: int, submitters: Submitters) -> None:
    """Start the server anew, to end when it comes to this point under load; look at what it leaves."""
    process = launch(stage, f"{point} {times}")
    if point.startswith("cancel"):
        cancel_until_it_ends(stage, submitters)
    assert process.wait(PATIENCE) == KILLED, process.output
    stage.server.check_database()


def launch(stage: Stage, failpoint: str, **environ: str) -> Process:
    """Start the server anew with this point; it may come to it before it is up."""
    stage.server.kill()
    stage.server.environ.pop("HOLD_RETURNS", None)
    stage.server.environ |= {"FAILPOINT": failpoint, **environ}
    return stage.server.launch()


def kill_until_it_ends(server: Process, workers: list[Worker], *, at_once: bool) -> None:
    """Kill one worker after the other, until the loss of one is what the server comes to; then start it again."""
    for worker in workers * 10:
        SOON.wait(1.0)
        worker.kill()
        if at_once:
            worker.start()
        try:
            assert server.wait(3.0) == KILLED, server.output
        except subprocess.TimeoutExpired:
            continue
        else:
            return
        finally:
            if not at_once:
                worker.start()
    raise AssertionError(f"nothing was lost:\n{server.output}")


def cancel_until_it_ends(stage: Stage, submitters: Submitters) -> None:
    with stage.server.http() as api:
        while stage.server.processes[-1].running:
            for request in submitters.acknowledged[-8:]:
                with suppress(httpx.TransportError):
                    api.post(f"/api/v1/tasks/{request.task}/cancel", json={})
            SOON.wait(0.05)


@pytest.mark.timeout(1200)
def test_a_server_that_ends_while_it_takes_an_agent_for_lost_takes_it_for_lost_after_the_restart(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    seed, times = random.randrange(2**32), 20 if soak else 1
    print("seed", seed)
    with staged(tmp_path, program=(str(PROGRAM),), grace="1", beat_every="1") as stage:
        workers = stage.add("first", 2, CONCURRENCY="4")
        submitters = Submitters(stage.server, Mix({("first", "repeatable"): 1, ("first", "once"): 1}), seed=seed)
        with submitters.running():
            for point, at_once in LOSSES * times:
                kill_until_it_ends(launch(stage, point), workers, at_once=at_once)
                stage.server.check_database()
            launch(stage, "").wait_for("api_url")
        stage.quiesce(backlog=soak)
        assert stage.server.stop() == 0
        executions = ledgers.read(stage.ledgers)
        may_end = ("completed", "outcome_unknown")
        verdict = judge(submitters.history, executions, stage.server.database, may_end=may_end)
    verdict.wrong += submitters.contradictions
    verdict.check()
    found(
        "2, 3 failpoints",
        f"{len(LOSSES)} points where an attempt is lost, {times} ends at each, {len(submitters.acknowledged)} tasks",
        f"0 lost, {dict(verdict.outcomes)}, {verdict.repeated} repeated where allowed",
    )


@pytest.mark.anyio
async def test_a_server_that_is_killed_between_a_welcome_and_its_commit_gives_no_generation_twice(
    tmp_path: Path,
) -> None:
    with staged(tmp_path, program=(str(PROGRAM),)) as stage:
        server = stage.server
        with Client(server.url, api_key=server.api_key) as client:
            client.agents.create("first")
            token = client.tokens.create("first").token
        welcomes = await come_and_go(server, token)
        launch(stage, "", HOLD_RETURNS="1").wait_for("api_url")
        welcomes += [*await come_and_go(server, token), *await come_and_go(server, token)]
        server.kill()
        assert stored_generation(stage) == welcomes[-2], "the last one was welcomed, and is not on disk"
        launch(stage, "").wait_for("api_url")
        welcomes += await come_and_go(server, token)
        server.kill()
    assert sorted(set(welcomes)) == welcomes


async def come_and_go(server: Platform, token: str) -> list[int]:
    """Be one and the same instance once more; return its generation."""
    agent = WireAgent(await dial(urlsplit(server.router_url).port or 0, token), "inst_1")
    welcome = await agent.hello()
    await agent.socket.close()
    return [welcome.generation]


def stored_generation(stage: Stage) -> int:
    """Return the generation of the only instance, as a killed server left it."""
    with closing(sqlite3.connect(stage.server.copied_database(stage.server.folder / "copy"))) as database:
        ((generation,),) = database.execute("SELECT generation FROM instances").fetchall()
    return int(generation)
