"""Pages are bounded, in bytes too, and say that they are pages; a stream that is over says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.engine.feed import IN_PAGE
from agentic_atlas.protocol.messages import Accept, Event, EventKind, Fault, Outcome, Raw, Result
from tests.integration.api.network import GREET, Api, api

LONG = "x" * 100_000
JSON = {"Accept": "application/json"}


@asynccontextmanager
async def prepared(folder: Path, settings: EngineSettings | None = None) -> AsyncIterator[Api]:
    async with api(folder, settings) as running, asyncio.timeout(20):
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        await running.connect(running.admin, "hello", GREET, slots=1)
        yield running


def ask(**changes: Any) -> dict[str, Any]:
    return {"agent": "hello", "skill": "greet", "input": {"name": LONG}} | changes


async def submitted(atlas: Api, **changes: Any) -> str:
    return str((await atlas.admin.post("/api/v1/tasks", json=ask(**changes))).json()["id"])


async def test_a_list_has_the_sizes_of_payloads_and_one_task_has_the_payloads(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas)
        await atlas.report(Accept(task, 1), Result(task, 1, Outcome.COMPLETED, Raw(b'"%s"' % LONG.encode())))
        for _ in range(9):
            await submitted(atlas)
        listed = await atlas.admin.get("/api/v1/tasks")
        assert len(listed.content) < 10 * 1_500
        oldest = listed.json()["items"][-1]
        assert (oldest["input_bytes"], oldest["output_bytes"]) == (len(LONG) + 11, len(LONG) + 2)
        assert not {"input", "output", "questions"} & oldest.keys()
        shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
        assert (shown["input"], shown["output"]) == ({"name": LONG}, LONG)
        assert {name: shown[name] for name in oldest} == oldest


async def test_a_list_has_the_beginning_of_an_error_and_one_task_has_all_of_it(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas)
        fault = Fault("handler_error", "y" * 10_000, Raw(b'"%s"' % LONG.encode()))
        await atlas.report(Accept(task, 1), Result(task, 1, Outcome.FAILED, error=fault))
        (listed,) = (await atlas.admin.get("/api/v1/tasks")).json()["items"]
        assert listed["error"] == {"code": "handler_error", "message": "y" * 500, "detail": None}
        shown = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()
        assert (shown["error"]["message"], shown["error"]["detail"]) == ("y" * 10_000, LONG)


async def test_a_batch_that_is_sent_again_is_answered_without_what_its_tasks_have_become(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas, idempotency_key="k")
        await atlas.report(Accept(task, 1), Result(task, 1, Outcome.COMPLETED, Raw(b'"%s"' % LONG.encode())))
        again = await atlas.admin.post("/api/v1/tasks/batch", json={"tasks": [ask(idempotency_key="k")] * 3})
        assert [item["task"]["state"] for item in again.json()["results"]] == ["completed"] * 3
        assert len(again.content) < 3 * 1_500


async def told(atlas: Api, task: str, count: int, size: int = 2) -> None:
    """Store so many events of a task that is accepted."""
    await atlas.report(Accept(task, 1))
    data = Raw(b'{"x":"%s"}' % (b"x" * size))
    await atlas.report(*(Event(task, 1, n, EventKind.LOG, data) for n in range(1, count + 1)))


async def pages(atlas: Api, task: str) -> list[list[int]]:
    found: list[list[int]] = []
    after: int | None = 0
    while after is not None:
        answer = await atlas.admin.get(f"/api/v1/tasks/{task}/events", params={"after": after}, headers=JSON)
        found.append([event["seq"] for event in answer.json()["items"]])
        after = answer.json()["next"]
    return found


async def test_a_page_of_events_leads_to_the_next_and_the_last_one_says_that_it_is(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas)
        await told(atlas, task, 600)
        assert [len(page) for page in await pages(atlas, task)] == [IN_PAGE, 603 - IN_PAGE]
        assert [seq for page in await pages(atlas, task) for seq in page] == list(range(1, 604))
        nothing = await atlas.admin.get(f"/api/v1/tasks/{task}/events", params={"after": 603}, headers=JSON)
        assert nothing.json() == {"items": [], "next": None}


async def test_a_page_of_long_events_is_bounded_in_bytes(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas)
        await told(atlas, task, 12, 250_000)
        assert [len(page) for page in await pages(atlas, task)] == [7, 4, 4]


async def test_a_resume_after_the_last_event_of_an_ended_task_is_answered_204(tmp_path: Path) -> None:
    """Whoever reads server-sent events by the standard then tries no more (WHATWG HTML §9.2)."""

    async with prepared(tmp_path) as atlas:
        task = await submitted(atlas)
        path = f"/api/v1/tasks/{task}/events"
        await told(atlas, task, 1)
        await atlas.report(Result(task, 1, Outcome.COMPLETED, Raw(b"1")))
        last = (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()["last_seq"]
        for headers, query in (({"Last-Event-ID": str(last)}, {}), ({}, {"after": last + 7})):
            over = await atlas.admin.get(path, headers=headers, params=query)
            assert (over.status_code, over.content) == (204, b"")
        resumed = await atlas.admin.get(path, headers={"Last-Event-ID": str(last - 1)})
        assert (resumed.status_code, resumed.text.startswith(f"id: {last}\n")) == (200, True)
        assert (await atlas.admin.get(path, params={"after": last}, headers=JSON)).status_code == 200


async def test_a_watcher_too_many_is_a_429_that_says_when_to_come_back(tmp_path: Path) -> None:
    async with prepared(tmp_path, EngineSettings(watchers_per_task=2, watchers_per_key=100)) as atlas:
        task = await submitted(atlas)
        path = f"/api/v1/tasks/{task}/events"
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(atlas.admin.get(path)) for _ in range(2)]
            while len(atlas.engine.watchers) < 2:  # noqa: ASYNC110 - nothing else tells that both have begun
                await asyncio.sleep(0.01)
            refused = await atlas.admin.get(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_watchers")
            assert int(refused.headers["Retry-After"]) >= 1
            assert (await atlas.admin.get(path, headers=JSON)).status_code == 200
            await atlas.report(Accept(task, 1), Result(task, 1, Outcome.COMPLETED, Raw(b"1")))
        assert [one.result().status_code for one in watching] == [200, 200]
        assert len(atlas.engine.watchers) == 0
