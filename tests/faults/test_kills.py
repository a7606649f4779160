"""kill -9 of the server, of agents, and of each in turn, under load: nothing is lost, and nothing done twice that must
not be."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE
from tests.faults import ledgers
from tests.faults.stage import SOON, Stage, staged
from tests.faults.submitters import Mix, Submitters, digest
from tests.faults.verdict import judge

SKILLS = {
    ("first", "repeatable"): 3.0,
    ("first", "once"): 2.0,
    ("second", "blocking"): 1.0,
    ("second", "stream"): 1.0,
    ("second", "once"): 2.0,
}
QUIET = (0.2, 1.5)
"""Shortest and longest time between two kills."""


ACKNOWLEDGED_IN_SOAK = 1700
"""Tasks of each plan."""


@dataclass
class Plan:
    """Who is killed, how often, and how tasks may end then."""

    victims: tuple[str, ...]
    kills: int
    kills_in_soak: int
    may_end: tuple[str, ...]
    may_repeat: bool
    grace: str
    """Where nothing may be lost, long enough for a start of the server on a machine that is busy."""


PLANS = {
    "server": Plan(("server",), 4, 34, ("completed",), may_repeat=False, grace="15"),
    "agents": Plan(("agent",), 4, 33, ("completed", "outcome_unknown"), may_repeat=True, grace="3"),
    "each in turn": Plan(("server", "agent"), 6, 34, ("completed", "outcome_unknown"), may_repeat=True, grace="3"),
}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("who", PLANS)
def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice_that_must_not_be_when_processes_are_killed(
    who: str, tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    plan, seed = PLANS[who], random.randrange(2**32)
    print("seed", seed)
    kills = plan.kills_in_soak if soak else plan.kills
    with staged(tmp_path, grace=plan.grace, beat_every="1") as stage:
        stage.add("first", 2)
        stage.add("second", 2)
        submitters = Submitters(stage.server, Mix(SKILLS, pause=0.08), seed=seed)
        with submitters.running():
            kill(stage, plan.victims, kills, random.Random(seed))
            if soak:
                submitters.wait_for(ACKNOWLEDGED_IN_SOAK, 120.0)
        took = stage.quiesce()
        shown = stage.shown()
        assert stage.server.stop() == 0
        stage.server.check_database()
        executions = ledgers.read(stage.ledgers)
        verdict = judge(submitters.history, executions, stage.server.database, may_end=plan.may_end, shown=shown)
    verdict.wrong += submitters.contradictions
    if not plan.may_repeat:
        verdict.wrong += [f"{task} was repeated, and no agent was killed" for task in executions.repeated]
    verdict.check()
    found(
        "1, 2, 3 kill -9",
        f"{kills} kills of {' and '.join(plan.victims)}, {len(submitters.acknowledged)} tasks acknowledged",
        f"0 lost, 0 stuck, {dict(verdict.outcomes)}, {verdict.repeated} repeated where allowed, quiet in {took:.1f} s",
    )


def kill(stage: Stage, victims: tuple[str, ...], times: int, chance: random.Random) -> None:
    for number in range(times):
        SOON.wait(chance.uniform(*QUIET))
        if victims[number % len(victims)] == "server":
            stage.server.kill()
            stage.server.check_database()
            stage.server.start()
        else:
            worker = chance.choice(stage.workers)
            worker.kill()
            worker.start()
    SOON.wait(QUIET[1])


def test_a_server_that_was_away_for_longer_than_the_grace_period_still_gets_what_its_agents_ran(
    tmp_path: Path, found: Callable[[str, str, str], None]
) -> None:
    grace = 2.0
    with staged(tmp_path, grace=f"{grace}", beat_every="1") as stage:
        stage.add("first", 6, CONCURRENCY="4")
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            tasks = [client.submit("first", "once", payload=f"{number}", seconds=3) for number in range(24)]
            stage.begun(len(tasks))
            stage.server.kill()
            SOON.wait(4 * grace)
            stage.server.start()
            assert [task.result(PATIENCE) for task in tasks] == [digest(f"{number}") for number in range(24)]
        stage.quiesce()
        assert ledgers.read(stage.ledgers).repeated == []
    found(
        "4 long restarts",
        f"a server away for {4 * grace:g} s, {len(tasks)} tasks running, a grace period of {grace:g} s",
        "all completed, 0 repeated",
    )
