"""What hangs is found, told to whoever asks after the network's health, and set right."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from agentic_atlas.backend.domain.invariants import Invariant
from agentic_atlas.backend.engine.monitor import LOOKS
from agentic_atlas.protocol.inside.messages import Heard, InstanceRef
from agentic_atlas.protocol.messages import Accept, Outcome, Raw, Result, RunningAttempt
from tests.integration.api.network import GREET, Api, api

BODY = {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}}


@asynccontextmanager
async def prepared(folder: Path) -> AsyncIterator[Api]:
    async with api(folder) as running, asyncio.timeout(10.0):
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield running


async def health(atlas: Api) -> tuple[str, dict[str, int], dict[str, int]]:
    answer = await atlas.anonymous.get("/healthz")
    assert answer.status_code == 200
    told = answer.json()
    return told["status"], told["invariants"], told["violations"]


async def metrics(atlas: Api) -> dict[tuple[str, ...], float]:
    answer = await atlas.admin.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def look(atlas: Api) -> None:
    for _ in range(LOOKS):
        atlas.engine.monitor.look()


async def test_a_network_where_nothing_hangs_says_so(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        await atlas.admin.post("/api/v1/tasks", json=BODY)
        await atlas.admin.post("/api/v1/tasks", json=BODY)
        look(atlas)
        status, now, ever = await health(atlas)
        assert status == "ok"
        assert set(now) == set(ever) == set(Invariant)
        assert not any((*now.values(), *ever.values()))
        told = await metrics(atlas)
        assert told["atlas_open_tasks", "working"] == 1
        in_use = {key[1:]: count for key, count in told.items() if key[0] == "atlas_tokens_in_use"}
        assert len(in_use) == 8
        assert sum(in_use.values()) == 1
        assert told["atlas_token_expiry_seconds",] > 0
        assert (await atlas.anonymous.get("/metrics")).status_code == 401
        assert (await atlas.anonymous.get("/metrics/agents")).status_code == 401
        named = (await atlas.admin.get("/metrics/agents")).text
        assert '\natlas_agent_token_expiry_seconds{agent="admin/hello",renewable="yes"} ' in named
        assert told["atlas_open_tasks", "submitted"] == 1
        assert told["atlas_invariants_violated", "running_without_lease"] == 0


async def test_a_task_that_runs_without_a_lease_is_found_and_gets_one(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=BODY)).json()["id"]
        atlas.router.unleased.add((task, 1))
        look(atlas)
        assert (await health(atlas))[:2] == ("degraded", dict.fromkeys(Invariant, 0) | {"running_without_lease": 1})
        told = await metrics(atlas)
        assert told["atlas_invariants_violated", "running_without_lease"] == 1
        assert told["atlas_invariant_violations_total", "running_without_lease"] == 1
        assert (task, 1) not in atlas.router.unleased
        look(atlas)
        status, _, ever = await health(atlas)
        assert (status, ever["running_without_lease"]) == ("ok", 1)


async def test_a_task_that_waits_beside_a_free_slot_is_found_and_delivered(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        atlas.engine.credit.reserve(agent_id)
        await atlas.admin.post("/api/v1/tasks", json=BODY)
        assert not atlas.router.delivered
        atlas.engine.credit.release(InstanceRef(agent_id, "ins_1", 1))  # and nobody says so
        atlas.router.arrived.clear()
        look(atlas)
        assert (await health(atlas))[2]["waiting_beside_free_slots"] == 1
        await atlas.router.arrived.wait()
        assert len(atlas.router.delivered) == 1


async def test_a_result_that_an_agent_keeps_for_too_long_is_found(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        for instance, seconds in (("ins_1", 59.0), ("ins_2", 61.0)):
            await atlas.connect(atlas.admin, "hello", GREET, instance=instance)
            atlas.router.door.say(Heard(atlas.router.there[instance], seconds))
        atlas.monotonic.seconds += 100.0
        look(atlas)
        assert (await health(atlas))[1]["result_overdue"] == 1
        assert (await metrics(atlas))[("atlas_oldest_result_seconds",)] == 61.0


async def test_an_attempt_that_its_agents_beats_do_not_name_is_found_lost_and_run_again(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=BODY)).json()["id"]
        await atlas.report(Accept(task, 1))
        atlas.router.door.say(Heard(atlas.router.there["ins_1"], unheard=(RunningAttempt(task, 1),)))
        look(atlas)
        status, now, ever = await health(atlas)
        assert (status, now["attempt_not_running"], ever["attempt_not_running"]) == ("ok", 1, 1)
        assert atlas.router.abandoned == [(task, 1)], "its slot is given back"
        shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
        assert shown["state"] == "submitted"
        atlas.router.arrived.clear()
        atlas.router.grant("ins_1")
        await atlas.router.arrived.wait()
        assert atlas.router.delivered[-1][1].attempt == 2
        look(atlas)
        assert (await health(atlas))[1]["attempt_not_running"] == 0


async def test_a_slot_whose_task_has_ended_is_given_back_when_nobody_names_it(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=BODY)).json()["id"]
        await atlas.report(Accept(task, 1), Result(task, 1, Outcome.COMPLETED, Raw(b"1")))
        atlas.router.door.say(Heard(atlas.router.there["ins_1"], unheard=(RunningAttempt(task, 1),)))
        look(atlas)
        assert atlas.router.abandoned == [(task, 1)]
        shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
        assert (shown["state"], shown["output"]) == ("completed", 1)


async def test_a_slot_that_is_kept_for_no_task_is_found_and_given_back(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=2)
        for _ in range(2):
            atlas.engine.credit.reserve(agent_id)
        look(atlas)
        assert (await health(atlas))[1]["slot_kept_for_nothing"] == 1
        assert atlas.engine.credit.free(agent_id) == 2
