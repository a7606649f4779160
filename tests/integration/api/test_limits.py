"""How much may be open at the same time, and what a caller may ask for: each answer has a name."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.usecases.application import SLOWED
from agentic_atlas.http.turns import LONG
from agentic_atlas.protocol.messages import Accept, Call, Delivery, Fault, Outcome, Policy, Raw, Reply, Result
from tests.integration.api.network import GREET, Api, api

PATIENCE = 10.0


@asynccontextmanager
async def prepared(folder: Path, limits: OpenLimits | None = None) -> AsyncIterator[Api]:
    async with api(folder, EngineSettings(open=limits or OpenLimits())) as running, asyncio.timeout(PATIENCE):
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield running


def ask(**changes: Any) -> dict[str, Any]:
    return {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}} | changes


async def test_a_full_queue_is_answered_429_with_the_time_to_come_back(tmp_path: Path) -> None:
    async with prepared(tmp_path, OpenLimits(queue_per_agent=2)) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        made = [await atlas.admin.post("/api/v1/tasks", json=ask()) for _ in range(3)]
        assert [answer.status_code for answer in made] == [201, 201, 429]
        refused = made[-1]
        assert refused.json()["error"]["code"] == "agent_queue_full"
        assert int(refused.headers["Retry-After"]) >= 1
        await atlas.admin.post(f"/api/v1/tasks/{made[0].json()['id']}/cancel")
        assert (await atlas.admin.post("/api/v1/tasks", json=ask())).status_code == 201


async def test_a_user_who_asks_too_often_is_told_when_to_come_back_whatever_key_they_show_and_nobody_else_is(
    tmp_path: Path,
) -> None:
    async with api(tmp_path, EngineSettings(requests_per_second=5)) as atlas, asyncio.timeout(PATIENCE):
        eve = await atlas.member("eve")
        another = atlas.with_key((await eve.post("/api/v1/api-keys", json={})).json()["key"])
        began = time.monotonic()
        answers = [await key.get("/api/v1/agents") for _ in range(8) for key in (eve, another)]
        took = time.monotonic() - began
        refused = [answer for answer in answers if answer.status_code != 200]
        assert {(answer.status_code, answer.json()["error"]["code"]) for answer in refused} == {
            (429, "too_many_requests")
        }
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refused)
        assert took >= SLOWED * len(refused) > 0, "who asks again at once is not refused as fast as that"
        assert (await atlas.admin.get("/api/v1/agents")).status_code == 200


async def test_many_submits_at_once_do_not_overrun_a_limit(tmp_path: Path) -> None:
    async with prepared(tmp_path, OpenLimits(queue_per_agent=10)) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(atlas.admin.post("/api/v1/tasks", json=ask())) for _ in range(50)]
        codes = [task.result().status_code for task in made]
        assert (codes.count(201), codes.count(429)) == (10, 40)


async def test_an_open_task_too_many_of_one_caller_is_refused_and_another_caller_is_not(tmp_path: Path) -> None:
    async with prepared(tmp_path, OpenLimits(open_per_caller=1)) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        other = atlas.with_key((await atlas.admin.post("/api/v1/api-keys", json={})).json()["key"])
        assert (await atlas.admin.post("/api/v1/tasks", json=ask())).status_code == 201
        refused = await atlas.admin.post("/api/v1/tasks", json=ask())
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_open_tasks")
        assert (await other.post("/api/v1/tasks", json=ask())).status_code == 201


async def test_a_submit_that_is_repeated_finds_its_task_however_full_it_is(tmp_path: Path) -> None:
    async with prepared(tmp_path, OpenLimits(open_tasks=1)) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        first = await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="k"))
        again = await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="k"))
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json()["id"] == first.json()["id"]


async def test_what_an_attempt_called_is_canceled_when_the_attempt_ends_whatever_its_end(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "other"})
        await atlas.connect(atlas.admin, "other", GREET, instance="ins_busy")
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        for end in (Outcome.COMPLETED, Outcome.FAILED, None):
            parent = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
            await atlas.report(Accept(parent, 1))
            call = Call("c1", parent, 1, "other", "greet", Raw(b'{"name":"Bob"}'))
            calling = asyncio.create_task(atlas.call(call, Unheard()))
            child = await atlas.called_by(parent)
            if end is None:
                await atlas.router.lose(parent, 1)
            else:
                await atlas.report(Result(parent, 1, end, Raw(b"1"), Fault("x", "y")))
            shown = (await atlas.admin.get(f"/api/v1/tasks/{child}?wait=5")).json()
            assert shown["state"] == "canceled"
            await calling
            await atlas.admin.post(f"/api/v1/tasks/{parent}/cancel")
            atlas.router.grant(atlas.router.delivered[-1][0].instance_id)
        assert not list(atlas.engine.dispatcher.census)


class Unheard:
    def __call__(self, reply: Reply) -> bool:
        return True

    async def drained(self) -> None:
        pass


async def test_a_caller_may_ask_for_retries_and_cannot_have_run_twice_what_must_not(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        once = replace(GREET, name="pay", policy=Policy(delivery=Delivery.AT_MOST_ONCE))
        await atlas.connect(atlas.admin, "hello", GREET, once, slots=1)
        made = (await atlas.admin.post("/api/v1/tasks", json=ask(retries=1))).json()["id"]
        await atlas.report(Result(made, 1, Outcome.FAILED, error=Fault("handler_error", "broken")))
        assert (await atlas.admin.get(f"/api/v1/tasks/{made}")).json()["state"] == "submitted"
        for unsafe in ({"delivery": "at_least_once"}, {"retries": 2}):
            refused = await atlas.admin.post("/api/v1/tasks", json=ask(skill="pay", **unsafe))
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "unsafe_policy")


async def test_a_deadline_that_no_calendar_has_is_refused_and_spoils_no_list(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        for deadline in ("9999-12-31T23:59:59-14:00", "2200-01-01T00:00:00Z"):
            refused = await atlas.admin.post("/api/v1/tasks", json=ask(deadline=deadline))
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_input")
        assert (await atlas.admin.get("/api/v1/tasks")).json()["items"] == []


async def test_the_tasks_of_an_agent_that_is_deleted_end_and_count_no_longer(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        made = [(await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"] for _ in range(3)]
        assert (await atlas.admin.delete("/api/v1/agents/hello")).status_code == 204
        for task in made:
            shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
            assert (shown["state"], shown["error"]["code"]) == ("failed", "agent_deleted")
        assert len(atlas.engine.dispatcher.census) == 0
        assert made[0] in atlas.router.cancels, "the one that ran is told to stop"


async def test_a_submit_that_is_refused_or_repeated_costs_its_caller_no_place(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        for _ in range(20):
            await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="k"))
        second = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        stored = await atlas.engine.store.tasks.get(second)
        assert stored is not None
        assert stored.position == 1.0


async def test_a_long_body_that_is_refused_is_not_built_to_tell_more_of_it(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        for length, says in ((10, "agent has to be text, not 1"), (LONG, "agent has to be text")):
            body = {"agent": 1, "skill": "greet", "input": {"name": "x" * length}}
            answer = await atlas.admin.post("/api/v1/tasks", json=body)
            assert answer.json()["error"]["message"] == f"the body is not acceptable: {says}"
