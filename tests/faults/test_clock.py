"""A server whose clock is ten minutes off, and set by as much between two starts; with libfaketime, in a soak."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic_atlas import Client
from tests.e2e.processes import PATIENCE
from tests.faults import ledgers
from tests.faults.stage import Stage, staged
from tests.faults.submitters import Mix, Submitters, digest
from tests.faults.verdict import judge
from tests.rings import ROOT

OFFSETS = (-600, 0, 600, 0, -600)
"""Seconds by which the server's clock is ahead of everybody else's, start after start."""
CALLS = 10
"""Tasks with a timeout at each offset."""
SKILLS = {("first", "repeatable"): 1.0, ("first", "once"): 1.0}


def library() -> Path | None:
    """Return where libfaketime is (`make setup` fetches Debian's), or None."""
    if named := os.environ.get("LIBFAKETIME"):
        return Path(named)
    folders = (Path("/usr/lib"), ROOT / ".venv" / "debian" / "usr" / "lib")
    return next((found for folder in folders for found in folder.glob("*/faketime/libfaketime.so.1")), None)


@pytest.mark.timeout(600)
def test_a_server_whose_clock_is_ten_minutes_off_keeps_tokens_timeouts_and_tasks(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    faketime = library()
    if not soak:
        pytest.skip("only in a soak (--soak)")
    if faketime is None:
        pytest.skip("libfaketime is not there: apt install faketime, or name it in LIBFAKETIME")
    seed = random.randrange(2**32)
    print("seed", seed)
    with staged(tmp_path, grace="15", beat_every="1") as stage:
        set_clock(stage, faketime, OFFSETS[0])
        stage.add("first", 2)
        submitters = Submitters(stage.server, Mix(SKILLS), seed=seed, count=2)
        with submitters.running():
            for offset in OFFSETS[1:]:
                call_with_limits(stage)
                set_clock(stage, faketime, offset)
            call_with_limits(stage)
        stage.quiesce()
        assert stage.server.stop() == 0
        executions = ledgers.read(stage.ledgers)
        stage.server.check_database()
        verdict = judge(submitters.history, executions, stage.server.database, others=len(OFFSETS) * CALLS)
    verdict.wrong += submitters.contradictions + [f"{task} was repeated" for task in executions.repeated]
    verdict.check()
    found(
        "3 clocks",
        f"a server's clock at {', '.join(f'{offset // 60:+d}' for offset in OFFSETS)} minutes",
        f"its tokens hold, no timeout early, {dict(verdict.outcomes)}, 0 repeated",
    )


def set_clock(stage: Stage, faketime: Path, offset: int) -> None:
    """Start the server again with its clock so many seconds ahead; nobody else's clock is touched."""
    assert stage.server.stop() == 0
    changed = {"LD_PRELOAD": str(faketime), "FAKETIME": f"{offset:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    stage.server.environ |= changed
    try:
        stage.server.start()
    finally:
        for name in changed:
            del stage.server.environ[name]


def call_with_limits(stage: Stage) -> None:
    """Have tasks with timeouts done: none may be over before its time."""
    with Client(stage.server.url, api_key=stage.server.api_key) as client:
        tasks = [
            client.submit("first", "repeatable", {"payload": f"{number}", "seconds": 1.0}, timeout=10.0)
            for number in range(CALLS)
        ]
        assert [task.result(PATIENCE) for task in tasks] == [digest(f"{number}") for number in range(CALLS)]
