"""SIGTERM under load, as a deploy does it: no task fails, none starts twice, and every process ends with 0."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import ledgers
from tests.faults.stage import SOON, Stage, staged
from tests.faults.submitters import Mix, Submitters
from tests.faults.verdict import judge

SKILLS = {
    ("first", "repeatable"): 2.0,
    ("first", "once"): 2.0,
    ("second", "blocking"): 1.0,
    ("second", "stream"): 1.0,
    ("second", "once"): 1.0,
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["server", "agents"])
def test_sigterm_under_load_fails_no_task_and_repeats_none(
    who: str, tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    seed, stops = random.randrange(2**32), 50 if soak else 4
    print("seed", seed)
    with staged(tmp_path, grace="15", beat_every="1") as stage:
        stage.add("first", 2)
        stage.add("second", 2)
        # Short tasks in great numbers: some are on their way to an agent in the moment in which it ends.
        submitters = Submitters(stage.server, Mix(SKILLS, seconds=(0.0, 0.1), pause=0.04), seed=seed, count=8)
        with submitters.running():
            (stop_server if who == "server" else stop_agents)(stage, stops, random.Random(seed))
        took = stage.quiesce()
        assert {worker.stop() for worker in stage.workers} == {0}
        assert stage.server.stop() == 0
        stage.server.check_database()
        executions = ledgers.read(stage.ledgers)
        verdict = judge(submitters.history, executions, stage.server.database)
    verdict.wrong += submitters.contradictions + [f"{task} was repeated" for task in executions.repeated]
    verdict.check()
    found(
        "10 SIGTERM",
        f"{stops} stops of {who} under load, {len(submitters.acknowledged)} tasks",
        f"every exit code 0, 0 failed, 0 repeated, {dict(verdict.outcomes)}, quiet in {took:.1f} s",
    )


def stop_server(stage: Stage, times: int, chance: random.Random) -> None:
    for _ in range(times):
        SOON.wait(chance.uniform(0.3, 1.2))
        assert stage.server.stop() == 0
        stage.server.start()
    SOON.wait(0.5)


def stop_agents(stage: Stage, times: int, chance: random.Random) -> None:
    """Stop one of each agent's two instances; the other one goes on."""
    for number in range(times):
        SOON.wait(chance.uniform(0.1, 0.6))
        worker = stage.workers[number % len(stage.workers)]
        assert worker.stop() == 0, worker.process.output
        worker.start().ready()
