"""Connections cut, sliced, swallowed and throttled by a proxy between agents and router."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentic_atlas import Client, TaskError, TaskHandle
from tests.e2e.processes import PATIENCE
from tests.faults import ledgers
from tests.faults.proxy import Proxy
from tests.faults.stage import SOON, Stage, Worker, staged
from tests.faults.submitters import Mix, Submitters, digest
from tests.faults.verdict import judge

BEAT = 1.0
TO_COME_BACK = 1.5
"""Seconds for a look at the clock, the first wait of the back-off and a new connection."""
Found = Callable[[str, str, str], None]


@contextmanager
def cuttable(folder: Path, **settings: str) -> Iterator[tuple[Stage, Proxy]]:
    """Start a server with a proxy before its router's port."""
    with (
        staged(folder, **({"grace": "10", "beat_every": str(BEAT)} | settings)) as stage,
        Proxy(int(stage.server.environ["ATLAS_ROUTER_PORT"])) as proxy,
    ):
        yield stage, proxy


def add(stage: Stage, proxy: Proxy, name: str, **environ: str) -> Worker:
    """Start an agent that reaches the router only through the proxy."""
    return stage.add(name, ROUTER_WS_URL=proxy.url, **environ)[0]


def test_a_cut_of_three_seconds_during_a_hundred_running_tasks_fails_none_and_repeats_none(
    tmp_path: Path, soak: bool, found: Found
) -> None:
    times, running, ended = (20 if soak else 1), 0, 0
    with cuttable(tmp_path) as (stage, proxy):
        worker = add(stage, proxy, "cut", CONCURRENCY="100")
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            for _ in range(times):
                before = ledgers.read(stage.ledgers)
                asked = [(skill, f"{n}") for n in range(25) for skill in ("repeatable", "once", "blocking", "stream")]
                tasks = [
                    client.submit("cut", skill, payload=payload, seconds=1.5 + 0.03 * number)
                    for number, (skill, payload) in enumerate(asked)
                ]
                stage.begun(len(before.starts) + len(tasks))
                ends = ledgers.read(stage.ledgers).ends.total()
                running += len(tasks) - (ends - before.ends.total())
                proxy.refuse(True)
                proxy.reset()
                SOON.wait(3.0)
                ended += ledgers.read(stage.ledgers).ends.total() - ends
                proxy.refuse(False)
                outputs = [task.result(PATIENCE) for task in tasks]
                wanted = [digest(payload) for _, payload in asked]
                assert [out if isinstance(out, str) else "".join(out) for out in outputs] == wanted
                assert {task.refresh().attempt for task in tasks} == {1}
        stage.quiesce()
        executions = ledgers.read(stage.ledgers)
        assert executions.repeated == []
        assert "lost" in worker.process.output
    assert running > 50 * times
    # Half of them would have, had all begun in the same moment.
    assert ended > 25 * times
    found(
        "4 a cut of 3 s",
        f"{times} cuts of 3 s, {running} tasks running, {ended} of them ended while cut",
        "all completed with their own output, each at its first attempt, each started once",
    )


def test_a_task_tells_when_its_connection_was_lost_and_whether_it_came_back(tmp_path: Path) -> None:
    with cuttable(tmp_path, grace="4") as (stage, proxy):
        worker = add(stage, proxy, "cut")

        def cuts(task: TaskHandle) -> list[tuple[bool, str | None]]:
            (traced,) = client.tasks.trace(task.id).tasks
            return [(cut.resumed, cut.why) for attempt in traced.attempts for cut in attempt.cuts]

        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            quiet = client.submit("cut", "repeatable", payload="quiet", seconds=0.1)
            quiet.result(PATIENCE)
            task = client.submit("cut", "repeatable", payload="cut", seconds=4.0)
            stage.begun(2)
            proxy.refuse(True)
            proxy.reset()
            SOON.wait(1.0)
            assert cuts(task) == [(False, "cut")]
            proxy.refuse(False)
            task.result(PATIENCE)
            (traced,) = client.tasks.trace(task.id).tasks
            (cut,) = traced.attempts[0].cuts
            assert cut.resumed
            assert cut.ended_at is not None
            assert 1.0 <= (cut.ended_at - cut.began_at).total_seconds() <= 4.0
            assert cuts(quiet) == []
            assert "connection" not in [event.kind for event in quiet.events()]

            task = client.submit("cut", "repeatable", payload="restart", seconds=6.0)
            stage.begun(3)
        stage.server.kill()
        stage.server.start()
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            task = client.tasks.get(task.id)
            task.result(PATIENCE)
            assert cuts(task) == [(True, "absent")]

            task = client.submit("cut", "once", payload="gone", seconds=60.0)
            stage.begun(4)
            worker.kill()
            with pytest.raises(TaskError, match="its connection was cut or its process killed"):
                task.result(PATIENCE)
            assert cuts(task) == [(False, "cut")]


@pytest.mark.timeout(900)
def test_resets_at_random_moments_under_load_fail_none_and_repeat_none(
    tmp_path: Path, soak: bool, found: Found
) -> None:
    seed, resets = random.randrange(2**32), 100 if soak else 15
    print("seed", seed)
    chance = random.Random(seed)
    with cuttable(tmp_path) as (stage, proxy):
        add(stage, proxy, "cut", CONCURRENCY="8")
        add(stage, proxy, "other", CONCURRENCY="8")
        mix = Mix(
            {
                ("cut", "repeatable"): 1,
                ("cut", "once"): 1,
                ("other", "blocking"): 1,
                ("other", "stream"): 1,
                ("other", "once"): 1,
            },
            pause=0.1,
        )
        submitters = Submitters(stage.server, mix, seed=seed)
        cut = 0
        with submitters.running():
            for number in range(resets):
                SOON.wait(chance.uniform(0.0, 0.8))
                cut += proxy.finish() if number % 3 == 2 else proxy.reset()
        stage.quiesce()
        assert stage.server.stop() == 0
        executions = ledgers.read(stage.ledgers)
        verdict = judge(submitters.history, executions, stage.server.database)
    verdict.wrong += submitters.contradictions + [f"{task} was repeated" for task in executions.repeated]
    verdict.check()
    found(
        "4, 6 connections cut",
        f"{cut} connections cut at {resets} moments (RST, FIN), {len(submitters.acknowledged)} tasks",
        f"{dict(verdict.outcomes)}, 0 repeated",
    )


@pytest.mark.parametrize(("sliced", "delay"), [(1, 0.0), (0, 0.2)])
def test_frames_that_come_in_single_bytes_or_late_are_understood(
    sliced: int, delay: float, tmp_path: Path, found: Found
) -> None:
    with cuttable(tmp_path) as (stage, proxy):
        for way in (proxy.up, proxy.down):
            way.slice, way.delay = sliced, delay
        add(stage, proxy, "odd")
        payload = "ü" * 1000
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            tasks = [client.submit("odd", "repeatable", payload=payload, seconds=0) for _ in range(20)]
            assert {task.result(PATIENCE) for task in tasks} == {digest(payload)}
        assert proxy.accepted == 1
        stage.quiesce()
    how = f"each piece {delay:g} s late" if delay else "in single bytes"
    found("4 slow and sliced links", f"20 tasks of 2 KB, both ways {how}", "all completed, no reconnect")


@pytest.mark.parametrize("towards", ["router", "agent", "both"])
def test_a_connection_that_swallows_everything_is_found_and_replaced(
    towards: str, tmp_path: Path, found: Found
) -> None:
    with cuttable(tmp_path) as (stage, proxy):
        add(stage, proxy, "hole")
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            running = client.submit("hole", "once", payload="running", seconds=1)
            stage.begun(1)
            proxy.up.hole = towards in ("router", "both")
            proxy.down.hole = towards in ("agent", "both")
            began = time.monotonic()
            waiting = client.submit("hole", "once", payload="waiting", seconds=0)
            while proxy.accepted < 2 and time.monotonic() < began + 10:
                if time.monotonic() > began + BEAT:
                    proxy.up.hole = proxy.down.hole = False
                SOON.wait(0.02)
            took = time.monotonic() - began
            assert running.result(PATIENCE) == digest("running")
            assert waiting.result(PATIENCE) == digest("waiting")
        stage.quiesce()
        assert ledgers.read(stage.ledgers).repeated == []
    assert took < 2 * BEAT + TO_COME_BACK, f"{took:.2f} s"
    found(
        "4 half-open connections",
        f"everything towards {towards} swallowed, a beat every {BEAT:g} s",
        f"replaced after {took:.1f} s, 0 failed, 0 repeated",
    )


@pytest.mark.parametrize("towards_server", [True, False])
def test_a_connection_that_is_closed_in_one_direction_is_replaced(
    towards_server: bool, tmp_path: Path, found: Found
) -> None:
    with cuttable(tmp_path) as (stage, proxy):
        add(stage, proxy, "half")
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            running = client.submit("half", "once", payload="running", seconds=1)
            stage.begun(1)
            began = time.monotonic()
            proxy.half_close(towards_server=towards_server)
            proxy.wait_for(2, PATIENCE)
            took = time.monotonic() - began
            assert running.result(PATIENCE) == digest("running")
        stage.quiesce()
        assert ledgers.read(stage.ledgers).repeated == []
    assert took < 2 * BEAT + TO_COME_BACK, f"{took:.2f} s"
    side = "router" if towards_server else "agent"
    found("4 half-open connections", f"only the direction towards the {side} closed", f"replaced after {took:.1f} s")


def test_a_slow_link_to_one_agent_does_not_hold_up_the_others(tmp_path: Path, found: Found) -> None:
    large = "x" * 400_000
    with cuttable(tmp_path) as (stage, proxy):
        add(stage, proxy, "slow")
        stage.add("near")
        with Client(stage.server.url, api_key=stage.server.api_key) as client:
            proxy.down.rate = 400_000
            slow = [client.submit("slow", "repeatable", payload=large, seconds=0) for _ in range(4)]
            times = []
            for number in range(100):
                began = time.monotonic()
                assert client.call("near", "repeatable", payload=f"{number}", seconds=0) == digest(f"{number}")
                times.append(time.monotonic() - began)
            assert any(not task.refresh().done for task in slow), "the slow link was not slow"
            assert {task.result(PATIENCE) for task in slow} == {digest(large)}
            assert {task.refresh().attempt for task in slow} == {1}
        stage.quiesce()
    worst = sorted(times)[98]
    assert worst < 1.0, f"{worst:.2f} s"
    found(
        "7 a slow reader",
        "4 tasks of 400 KB over a link of 400 KB/s, 100 calls of another agent meanwhile",
        f"p99 of the others {worst * 1000:.0f} ms; the slow ones completed at their first attempt",
    )
