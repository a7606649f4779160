import asyncio
import gc
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from agentic_atlas import Agent
from agentic_atlas.compose.sources import wall
from agentic_atlas.protocol.messages import (
    Accept,
    Delivery,
    Event,
    EventKind,
    Fault,
    Outcome,
    Policy,
    Raw,
    Result,
    SkillSpec,
)
from tests.integration.api.network import GREET, JSON, Api, api

Test = Callable[[Api], Awaitable[None]]


class Clock:
    """The wall clock, and what a test adds to it."""

    ahead = 0.0

    def __call__(self) -> float:
        return wall() + self.ahead


@asynccontextmanager
async def prepared(folder: Path, clock: Callable[[], float] = wall) -> AsyncIterator[Api]:
    async with api(folder, clock=clock) as running:
        await running.admin.post("/api/v1/agents", json={"name": "hello"})
        yield running


def ask(**changes: Any) -> dict[str, Any]:
    return {"agent": "hello", "skill": "greet", "input": {"name": "Ada"}} | changes


async def test_a_task_is_delivered_run_and_shown_with_its_events(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        made = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()
        assert (made["state"], made["attempt"], made["instance_id"]) == ("working", 1, "ins_1")
        [(slot, delivered)] = atlas.router.delivered
        assert (delivered.task, bytes(delivered.input), slot.instance_id) == (made["id"], b'{"name":"Ada"}', "ins_1")
        waiting = asyncio.create_task(atlas.admin.get(f"/api/v1/tasks/{made['id']}?wait=30"))
        stored = await atlas.report(
            Accept(made["id"], 1),
            Event(made["id"], 1, 1, EventKind.PROGRESS, Raw(b'{"fraction":0.5}')),
            Result(made["id"], 1, Outcome.COMPLETED, Raw(b'"Hello, Ada!"')),
        )
        assert [(one.recorded, one.n) for one in stored] == [(True, 0), (True, 1), (True, 0)]
        shown = (await waiting).json()
        assert (shown["state"], shown["output"], shown["error"]) == ("completed", "Hello, Ada!", None)
        events = await atlas.admin.get(f"/api/v1/tasks/{made['id']}/events", headers={"Accept": "application/json"})
        assert [(event["seq"], event["kind"]) for event in events.json()["items"]] == [
            (1, "state"), (2, "state"), (3, "state"), (4, "progress"), (5, "state"),
        ]  # fmt: skip


async def test_a_task_without_a_free_slot_waits_and_says_why(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.leave_all(agent_id)
        made = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()
        assert made["state"] == "submitted"
        assert made["note"].startswith("queued: agent offline, last seen 20")
        await atlas.connect(atlas.admin, "hello", GREET, slots=1, instance="ins_2")
        shown = (await atlas.admin.get(f"/api/v1/tasks/{made['id']}")).json()
        assert (shown["state"], shown["instance_id"]) == ("working", "ins_2")


async def test_queued_tasks_take_turns_between_callers(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        other = atlas.with_key((await atlas.admin.post("/api/v1/api-keys", json={})).json()["key"])
        flood = [(await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"] for _ in range(10)]
        single = (await other.post("/api/v1/tasks", json=ask())).json()["id"]
        await atlas.connect(atlas.admin, "hello", GREET, slots=2, instance="ins_2")
        await atlas.admin.get("/api/v1/tasks")
        assert {task.task for _, task in atlas.router.delivered} == {flood[0], single}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (ask(input={"name": 1}), "/name"),
        (ask(input={}), ""),
        (ask(input={"name": "Ada", "extra": 1}), ""),
        (ask(input=[1]), None),
        (ask(priority=10), "/priority"),
        (ask(surprise=1), ""),
        (ask(timeout=-1), "/timeout"),
        (ask(deadline="2020-01-01T00:00:00Z"), None),
        (ask(deadline="tomorrow"), "/deadline"),
    ],
)
async def test_input_that_is_not_acceptable_is_told_where_and_not_stored(
    tmp_path: Path, body: dict[str, Any], path: str | None
) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        refused = await atlas.admin.post("/api/v1/tasks", json=body)
        assert refused.status_code == 422
        error = refused.json()["error"]
        if path is not None:
            assert error["detail"][0]["path"] == path
        assert (await atlas.admin.get("/api/v1/tasks")).json()["items"] == []
        assert atlas.engine.credit.free(next(iter(atlas.router.there.values())).agent_id) == 1


async def test_a_wrong_query_and_a_wrong_field_are_named_with_what_is_allowed(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        for path, sentence in (
            ("tasks?limit=abc", "limit has to be a whole number, not 'abc'"),
            ("tasks?limit=501", "limit has to be at most 500, not '501'"),
            ("tasks/tsk_1?wait=abc", "wait has to be a number, not 'abc'"),
        ):
            refused = await atlas.admin.get(f"/api/v1/{path}")
            assert (refused.status_code, refused.json()["error"]["message"]) == (422, sentence)
        refused = await atlas.admin.post("/api/v1/tasks", json=ask(priority=10))
        sentence = "the body is not acceptable: priority has to be at most 9, not 10"
        assert refused.json()["error"]["message"] == sentence


async def test_a_mistyped_skill_and_an_input_that_is_too_large_are_told_with_what_helps(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        skill = GREET.name
        refused = await atlas.admin.post("/api/v1/tasks", json=ask(skill=f"{skill}s"))
        assert f"(did you mean {skill}?); its skills: {skill}" in refused.json()["error"]["message"]
        large = await atlas.admin.post("/api/v1/tasks", json=ask(input={"name": "x" * 3 * 1024 * 1024}))
        assert "more than the 3145728 allowed (bytes travel as base64, a third longer)" in large.text


def greets(annotation: Any) -> SkillSpec:
    """Return a skill as the SDK declares it."""
    agent = Agent("typed")

    @agent.skill
    def greet(value: annotation) -> None: ...

    return agent.skills["greet"]


@pytest.mark.parametrize(
    ("annotation", "right", "wrong"),
    [
        (date, ["2024-02-29", "2024-02-29T00:00:00"], ["tomorrow", "2023-02-29", "2024-02-29T10:00:00"]),
        (
            datetime,
            ["2024-02-29T10:00:00", "2024-02-29 10:00Z", "2024-02-29", 1_700_000_000],
            ["tomorrow", "2024-13-01"],
        ),
        (time, ["10:00", "10:00:00.5", "10:00:00+01:00"], ["noon", "25:00", 3_600]),
        (timedelta, [90, 1.5, "90", "PT90S", "P1DT2H", "00:01:30", "-PT1S"], ["long", "P", True, 1e300]),
        (UUID, ["00000000000000000000000000000003", "{00000000-0000-0000-0000-000000000003}"], ["nope", "0-0"]),
        (Decimal, [1, 1.5, "1.10", "1e5"], ["abc", "NaN", True]),
        (bytes, ["", "aGk="], ["hello", "aGk", "_w=="]),
        (IPv4Address, ["127.0.0.1"], ["localhost", "1.2.3", 1]),
        (frozenset[int], [[1, 1]], [["1"], "1"]),
    ],
)
async def test_a_format_is_checked_before_a_task_is_stored_and_as_widely_as_its_type(
    tmp_path: Path, annotation: Any, right: list[Any], wrong: list[Any]
) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", greets(annotation))
        for value in right:
            taken = await atlas.admin.post("/api/v1/tasks", json=ask(input={"value": value}))
            assert taken.status_code == 201, (value, taken.text)
        for value in wrong:
            refused = await atlas.admin.post("/api/v1/tasks", json=ask(input={"value": value}))
            assert refused.status_code == 422, value
            assert refused.json()["error"]["detail"][0]["path"].startswith("/value")
        assert len((await atlas.admin.get("/api/v1/tasks")).json()["items"]) == len(right)


@pytest.mark.parametrize("wait", ["nan", "inf", "-1"])
async def test_a_wait_that_is_no_number_of_seconds_is_refused(tmp_path: Path, wait: str) -> None:
    async with prepared(tmp_path) as atlas:
        refused = await atlas.admin.post("/api/v1/tasks", params={"wait": wait}, json=ask())
        assert refused.status_code == 422


async def test_of_a_name_that_comes_twice_the_value_that_is_checked_is_the_one_that_arrives(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=2)
        first = b'{"agent": "hello", "skill": "greet", "input": {"name": 1, "name": "Ada"}}'
        last = b'{"agent": "hello", "skill": "greet", "input": {"name": "Ada", "name": 1}}'
        assert (await atlas.admin.post("/api/v1/tasks", content=last)).status_code == 422
        assert (await atlas.admin.post("/api/v1/tasks", content=first)).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_input"),
        (b"{", 422, "invalid_json"),
        (b"\xff", 422, "invalid_json"),
        (b"[" * 100_000, 422, "invalid_input"),
        (b'{"agent": NaN}', 422, "invalid_json"),
        (b" " * (5 * 1024 * 1024), 413, "payload_too_large"),
    ],
)
async def test_a_body_that_is_no_request_gets_a_typed_error(
    tmp_path: Path, body: bytes, status: int, code: str
) -> None:
    async with prepared(tmp_path) as atlas:
        refused = await atlas.admin.post("/api/v1/tasks", content=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


async def test_what_an_input_says_is_read_once_for_its_schema_and_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, read, decode = b'{"name":"Ada"}', list[object](), msgspec.json.decode

    def counting(data: bytes, **how: object) -> object:
        if data == text:
            read.append(how)
        return decode(data, **how)  # type: ignore[call-overload]

    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        monkeypatch.setattr(msgspec.json, "decode", counting)
        body = b'{"agent":"hello","skill":"greet","idempotency_key":"order-17","input":%s}' % text
        for status, times in ((201, 1), (200, 1), (200, 1)):
            read.clear()
            answer = await atlas.admin.post("/api/v1/tasks", content=body, headers=JSON)
            assert (answer.status_code, len(read)) == (status, times)


async def test_an_idempotency_key_is_one_task_and_with_another_body_a_conflict(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=5)
        async with asyncio.TaskGroup() as group:
            posts = [
                group.create_task(atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="order-17")))
                for _ in range(20)
            ]
        answers = [post.result() for post in posts]
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
        assert len(atlas.router.delivered) == 1
        assert atlas.engine.credit.free(next(iter(atlas.router.there.values())).agent_id) == 4
        patient = await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="order-17", queue_ttl=60))
        assert (patient.status_code, patient.json()["id"]) == (200, answers[0].json()["id"]), "how long it may wait"
        other = await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="order-17", input={"name": "Bob"}))
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_a_repeated_call_finds_its_task_although_the_agent_is_offline_now(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        body = ask(idempotency_key="once", queue_ttl=0)
        first = await atlas.admin.post("/api/v1/tasks", json=body)
        atlas.router.leave_all(agent_id)
        again = await atlas.admin.post("/api/v1/tasks", json=body)
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
        other = await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))
        assert (other.status_code, other.json()["error"]["code"]) == (503, "agent_offline")
        assert int(other.headers["Retry-After"]) > 0


async def test_a_submit_that_is_sent_again_finds_its_task_whatever_has_changed_since(tmp_path: Path) -> None:
    clock = Clock()
    async with prepared(tmp_path, clock) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        ahead = datetime.fromtimestamp(clock() + 60.0, UTC).isoformat()
        bodies = [ask(idempotency_key="deadline", deadline=ahead), ask(idempotency_key="plain", queue_ttl=0)]
        made = [(await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"] for body in bodies]
        clock.ahead = 120.0

        async def again() -> list[str]:
            answers = [await atlas.admin.post("/api/v1/tasks", json=body) for body in bodies]
            assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
            batch = (await atlas.admin.post("/api/v1/tasks/batch", json={"tasks": bodies})).json()["results"]
            assert [one["task"]["id"] for one in batch] == made
            return [answer.json()["id"] for answer in answers]

        assert await again() == made
        narrow = replace(GREET, input_schema=Raw(b'{"type":"object","maxProperties":0}'))
        await atlas.connect(atlas.admin, "hello", narrow, instance="ins_2")
        assert await again() == made, "the schema is another one"
        await atlas.admin.patch("/api/v1/agents/hello", json={"disabled": True})
        assert await again() == made, "the agent is disabled"
        await atlas.admin.delete("/api/v1/agents/hello")
        assert await again() == made, "the agent is deleted"
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(atlas.admin, "hello", replace(GREET, name="other"), instance="ins_3")
        assert await again() == made, "another agent has its name, and no such skill"
        other = await atlas.admin.post("/api/v1/tasks", json=ask(idempotency_key="plain", agent="nobody"))
        assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")


async def test_a_submit_that_is_sent_again_waits_for_the_end_of_its_task_too(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        body = ask(idempotency_key="once", queue_ttl=0)
        task = (await atlas.admin.post("/api/v1/tasks", json=body)).json()["id"]
        atlas.router.leave_all(agent_id)
        waiting = asyncio.create_task(atlas.admin.post("/api/v1/tasks?wait=30", json=body))
        await asyncio.wait({waiting}, timeout=0.1)
        assert not waiting.done()
        await atlas.report(Result(task, 1, Outcome.COMPLETED, Raw(b"1")))
        assert (await waiting).json()["output"] == 1


async def test_an_event_out_of_turn_is_refused_and_one_that_is_said_again_is_not(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        log = [Event(task, 1, n, EventKind.LOG, Raw(b"{}")) for n in range(5)]
        assert [one.n for one in await atlas.report(log[1], log[2], log[1])] == [1, 2, 2]
        [refused] = await atlas.report(log[4])
        assert refused.failure is not None
        assert (refused.failure.close_code, refused.failure.code) == (4107, "event_out_of_turn")
        [stranger] = await atlas.report(log[4], instance="ins_other")
        assert not stranger.recorded, "whose attempt it is not may forget it"


async def test_the_event_stream_resumes_without_gap_or_repeat(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        chunks = [Event(task, 1, n, EventKind.CHUNK, Raw(b'{"value":"a\\nb"}')) for n in range(1, 21)]
        await atlas.report(Accept(task, 1), *chunks, Result(task, 1, Outcome.COMPLETED, Raw(b"[]")))
        whole = await stream(atlas, task)
        assert [seq for seq, _, _ in whole] == list(range(1, 25))
        assert [kind for _, kind, _ in whole].count("chunk") == 20
        assert all(event["seq"] == seq for seq, _, event in whole)
        for cut in (0, 1, 7, 23):
            assert await stream(atlas, task, {"Last-Event-ID": str(cut)}) == whole[cut:]
        refused = await atlas.admin.get(f"/api/v1/tasks/{task}/events", headers={"Last-Event-ID": "x"})
        assert refused.status_code == 422


async def test_a_watcher_sees_events_as_they_are_stored(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        async with asyncio.TaskGroup() as group:
            watchers = [group.create_task(stream(atlas, task)) for _ in range(20)]
            await atlas.report(Accept(task, 1))
            for n in range(1, 6):
                await atlas.report(Event(task, 1, n, EventKind.LOG, Raw(b"{}")))
            await atlas.report(Result(task, 1, Outcome.FAILED, error=Fault("handler_error", "no")))
        for watcher in watchers:
            assert [seq for seq, _, _ in watcher.result()] == list(range(1, 10))


async def test_cancelling_ends_a_waiting_task_and_asks_a_running_one(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        runs, waits = [(await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"] for _ in range(2)]
        canceled = (await atlas.admin.post(f"/api/v1/tasks/{waits}/cancel", json={"reason": "enough"})).json()
        assert (canceled["state"], canceled["error"]["message"]) == ("canceled", "enough")
        asked = (await atlas.admin.post(f"/api/v1/tasks/{runs}/cancel")).json()
        assert (asked["state"], asked["cancel_requested"]) == ("working", True)
        assert asked["note"] == "is asked to stop: its agent has not answered yet"
        assert atlas.router.cancels == [runs]
        await atlas.report(Result(runs, 1, Outcome.CANCELED, error=Fault("canceled", "stopped")))
        assert (await atlas.admin.get(f"/api/v1/tasks/{runs}")).json()["state"] == "canceled"
        again = (await atlas.admin.post(f"/api/v1/tasks/{runs}/cancel")).json()
        assert again["state"] == "canceled"


async def test_a_retry_is_a_new_task_that_names_the_old_one(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        old = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        early = await atlas.admin.post(f"/api/v1/tasks/{old}/retry")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "task_not_ended")
        await atlas.report(Result(old, 1, Outcome.FAILED, error=Fault("handler_error", "no")))
        new = (await atlas.admin.post(f"/api/v1/tasks/{old}/retry")).json()
        assert (new["retry_of"], new["input"]) == (old, {"name": "Ada"})


async def test_a_task_whose_skill_must_not_run_twice_by_now_is_retried_like_that(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        old = (await atlas.admin.post("/api/v1/tasks", json=ask(retries=3))).json()["id"]
        await atlas.report(Result(old, 1, Outcome.REJECTED, error=Fault("rejected", "not mine")))
        once = replace(GREET, policy=Policy(delivery=Delivery.AT_MOST_ONCE))
        await atlas.connect(atlas.admin, "hello", once, instance="ins_2")
        new = await atlas.admin.post(f"/api/v1/tasks/{old}/retry")
        assert (new.status_code, new.json()["delivery"], new.json()["retry_of"]) == (201, "at_most_once", old)


async def test_lists_are_paged_newest_first_and_narrowed(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        made = [(await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"] for _ in range(7)]
        seen: list[str] = []
        async for page in pages(atlas, "/api/v1/tasks?limit=3"):
            seen += [task["id"] for task in page]
        assert seen == made[::-1]
        working = (await atlas.admin.get("/api/v1/tasks?state=working")).json()["items"]
        assert [task["id"] for task in working] == [made[0]]
        assert (await atlas.admin.get("/api/v1/tasks?state=nonsense")).status_code == 422
        assert (await atlas.admin.get("/api/v1/tasks?after=nonsense")).status_code == 422
        assert (await atlas.admin.get("/api/v1/tasks?agent=nobody")).status_code == 404
        for query, fitting in (
            ("skill=greet", 7),
            ("skill=other", 0),
            ("since=2020-01-01T00:00:00Z", 7),
            ("since=2100-01-01T00:00:00%2B01:00", 0),
            ("until=2100-01-01T00:00:00Z", 7),
            ("until=2020-01-01T00:00:00Z", 0),
            ("caller=admin", 7),
            ("caller=bob", 0),
            ("error=timeout", 0),
            ("prefix=nobody", 0),
        ):
            assert len((await atlas.admin.get(f"/api/v1/tasks?{query}")).json()["items"]) == fitting, query
        named = (await atlas.admin.get(f"/api/v1/tasks?prefix={working[0]['id']}")).json()["items"]
        assert [task["id"] for task in named] == [working[0]["id"]]
        for query in ("since=2020-01-01T00:00:00", "since=yesterday", "until=2020-01-01T00:00:00", "prefix=TSK%25"):
            assert (await atlas.admin.get(f"/api/v1/tasks?{query}")).status_code == 422, query


async def test_a_batch_takes_what_it_can_and_says_what_it_could_not(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        body = {"tasks": [ask(), ask(input={}), ask(agent="nobody")]}
        results = (await atlas.admin.post("/api/v1/tasks/batch", json=body)).json()["results"]
        assert [sorted(result) for result in results] == [["task"], ["error"], ["error"]]
        assert [results[1]["error"]["code"], results[2]["error"]["code"]] == ["invalid_input", "agent_not_found"]


async def test_a_late_or_repeated_result_changes_nothing_and_is_answered(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        task = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        stored = await atlas.report(
            Result(task, 1, Outcome.COMPLETED, Raw(b"1")),
            Result(task, 1, Outcome.COMPLETED, Raw(b"2")),
            Result(task, 7, Outcome.COMPLETED, Raw(b"3")),
            Result("tsk_unknown", 1, Outcome.COMPLETED, Raw(b"4")),
            Event(task, 1, 1, EventKind.LOG, Raw(b"{}")),
        )
        assert [one.recorded for one in stored] == [True, False, False, False, False]
        assert (await atlas.admin.get(f"/api/v1/tasks/{task}")).json()["output"] == 1
        [stranger] = await atlas.report(Result(task, 1, Outcome.FAILED), instance="ins_other")
        assert not stranger.recorded


async def stream(atlas: Api, task: str, headers: dict[str, str] | None = None) -> list[tuple[int, str, Any]]:
    answer = await atlas.admin.get(f"/api/v1/tasks/{task}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return events


async def pages(atlas: Api, path: str) -> AsyncIterator[list[Any]]:
    after = ""
    while True:
        page = (await atlas.admin.get(path + after)).json()
        yield page["items"]
        if page["next"] is None:
            return
        after = f"&after={page['next']}"


async def test_who_calls_an_agent_that_is_on_its_way_back_after_a_restart_waits_for_it(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.leave_all(agent_id)
        atlas.engine.absence.expect([agent_id])
        called = await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))
        assert (called.status_code, called.json()["state"]) == (201, "submitted")
        assert "on its way back" in called.json()["note"]
        await atlas.connect(atlas.admin, "hello", GREET, slots=1, instance="ins_2")
        await asyncio.wait_for(atlas.router.arrived.wait(), 10)
        ((_, task),) = atlas.router.delivered
        assert task.task == called.json()["id"]
        atlas.engine.absence.nobody_came()
        assert (await atlas.admin.get(f"/api/v1/tasks/{task.task}")).json()["state"] == "working"
        atlas.router.leave_all(agent_id)
        gone = await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))
        assert gone.json()["error"]["code"] == "agent_offline", "it was back, and has left by itself"


async def test_a_submit_that_is_refused_leaves_no_garbage_that_keeps_its_input(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        gc.collect()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            wrong = [{**ask(), **one} for one in ({"input": []}, {"agent": "nobody"}, {"input": {"nothing": 1}})]
            for one in wrong:
                refused = await atlas.admin.post("/api/v1/tasks", json=one)
                assert refused.status_code in (404, 422), refused.text
            together = await atlas.admin.post("/api/v1/tasks/batch", json={"tasks": wrong})
            assert all("error" in one for one in together.json()["results"]), together.text
            gc.collect()
            kinds = {type(one).__name__ for one in gc.garbage}
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
        assert not {"_Request", "_Refused", "SubmitRequest"} & kinds


async def test_an_agent_that_comes_back_is_expected_until_it_is_there(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.leave_all(agent_id)
        atlas.engine.absence.expect([agent_id])
        away = list[bool]()
        coming = asyncio.create_task(atlas.connect(atlas.admin, "hello", GREET, instance="ins_2"))
        while not coming.done():
            away.append(atlas.engine.absence.away(agent_id))
            await asyncio.sleep(0)
        await coming
        assert len(away) > 1
        assert not any(away)
        assert not atlas.engine.absence.expected(agent_id)


async def test_an_agent_that_does_not_come_back_in_time_fails_who_would_not_wait_and_nobody_else(
    tmp_path: Path,
) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.leave_all(agent_id)
        atlas.engine.absence.expect([agent_id])
        called = (await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))).json()["id"]
        submitted = (await atlas.admin.post("/api/v1/tasks", json=ask())).json()["id"]
        atlas.engine.absence.nobody_came()
        ended = (await atlas.admin.get(f"/api/v1/tasks/{called}?wait=10")).json()
        assert (ended["state"], ended["error"]["code"]) == ("failed", "agent_offline")
        assert (await atlas.admin.get(f"/api/v1/tasks/{submitted}")).json()["state"] == "submitted"
        refused = await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "agent_offline")


async def test_a_call_that_waits_for_a_slot_ends_when_its_agent_has_gone_away(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        await atlas.admin.post("/api/v1/tasks", json=ask())
        called = (await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))).json()
        assert (called["state"], called["waits_until"]) == ("submitted", None)
        patient = (await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=60))).json()["id"]
        atlas.router.leave_all(agent_id)
        atlas.engine.absence.absent(agent_id)
        ended = (await atlas.admin.get(f"/api/v1/tasks/{called['id']}?wait=10")).json()
        assert (ended["state"], ended["error"]["code"]) == ("failed", "agent_offline")
        assert (await atlas.admin.get(f"/api/v1/tasks/{patient}")).json()["state"] == "submitted"


async def test_a_call_that_was_begun_waits_for_its_next_attempt_though_its_agent_is_away(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET, slots=1)
        called = (await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))).json()["id"]
        await atlas.report(Accept(called, 1))
        atlas.router.leave_all(agent_id)
        await atlas.router.lose(called, 1)
        atlas.engine.absence.absent(agent_id)
        shown = (await atlas.admin.get(f"/api/v1/tasks/{called}")).json()
        assert (shown["state"], shown["waits_until"] is not None) == ("submitted", True)


async def test_an_agent_that_came_back_and_is_busy_keeps_who_waits_for_it(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        agent_id = await atlas.connect(atlas.admin, "hello", GREET)
        atlas.router.leave_all(agent_id)
        atlas.engine.absence.expect([agent_id])
        called = (await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))).json()["id"]
        await atlas.connect(atlas.admin, "hello", GREET, instance="ins_2")
        atlas.engine.absence.nobody_came()
        assert (await atlas.admin.get(f"/api/v1/tasks/{called}")).json()["state"] == "submitted"


async def test_who_would_not_wait_is_told_when_the_agent_leaves_while_the_task_is_stored(tmp_path: Path) -> None:
    async with prepared(tmp_path) as atlas:
        await atlas.connect(atlas.admin, "hello", GREET)
        atlas.engine.absence.nobody_came()
        here = iter((1, 0))
        atlas.engine.credit.online = lambda _: next(here, 0)  # type: ignore[method-assign]
        called = await atlas.admin.post("/api/v1/tasks", json=ask(queue_ttl=0))
        shown = (await atlas.admin.get(f"/api/v1/tasks/{called.json()['id']}")).json()
        assert (shown["state"], shown["error"]["code"]) == ("failed", "agent_offline")
