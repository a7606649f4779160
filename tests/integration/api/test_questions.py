"""Questions of tasks over the API: shown, answered by whoever may see the task, and kept for the next attempt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from agentic_atlas.protocol.inside.messages import Admit, Receipt
from agentic_atlas.protocol.messages import (
    Accept,
    Event,
    EventKind,
    Hello,
    InstanceInfo,
    Outcome,
    Raw,
    Reaction,
    Result,
    RunningAttempt,
)
from tests.integration.api.network import GREET, Api, api

SECONDS = 10.0


class Stage:
    """A task of ada that runs, and what its agent says of it."""

    def __init__(self, atlas: Api, ada: httpx.AsyncClient, task: str) -> None:
        self.atlas, self.ada, self.task = atlas, ada, task
        self.url = f"/api/v1/tasks/{task}"
        self.n = 0

    async def say(self, data: object, kind: EventKind = EventKind.QUESTION) -> Receipt:
        self.n += 1
        raw = Raw(data if isinstance(data, bytes) else msgspec.json.encode(data))
        (stored,) = await self.atlas.report(Event(self.task, 1, self.n, kind, raw))
        return stored

    async def ask(self, number: int = 1, question: str = "Really?", **more: Any) -> Receipt:
        return await self.say({"number": number, "question": question, **more})

    async def shown(self) -> dict[str, Any]:
        return (await self.ada.get(self.url)).json()  # type: ignore[no-any-return]

    async def answer(self, value: object, **more: Any) -> httpx.Response:
        return await self.ada.post(f"{self.url}/input", json={"answer": value, **more})


@asynccontextmanager
async def stage(folder: Path, **options: Any) -> AsyncIterator[Stage]:
    async with api(folder) as atlas:
        ada = await atlas.member("ada")
        await ada.post("/api/v1/agents", json={"name": "hello"})
        await atlas.connect(ada, "hello", GREET, slots=1)
        asked = {"agent": "hello", "skill": "greet", "input": {"name": "x"}, **options}
        task = (await ada.post("/api/v1/tasks", json=asked)).json()["id"]
        await atlas.report(Accept(task, 1))
        yield Stage(atlas, ada, task)


async def test_a_question_is_shown_answered_and_told_to_its_agent(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(schema={"type": "boolean"}, timeout=60)
        shown = await on.shown()
        assert shown["state"] == "input_required"
        assert shown["note"] == "waits for an answer to question 1: Really?"
        (question,) = shown["questions"]
        assert (question["number"], question["question"], question["state"]) == (1, "Really?", "open")
        assert question["schema"] == {"type": "boolean"}
        assert question["expires_at"] > question["asked_at"]
        answered = await on.answer(value=True)
        assert answered.status_code == 200, answered.text
        assert answered.json()["state"] == "working"
        (question,) = answered.json()["questions"]
        assert (question["state"], question["answer"], question["schema"]) == ("answered", True, None)
        assert question["answered_by"].startswith("ada/")
        assert on.atlas.router.answers == [(on.task, Reaction(1, Raw(b"true")))]
        events = (await on.ada.get(f"{on.url}/events", headers={"Accept": "application/json"})).json()["items"]
        assert [event["kind"] for event in events[-4:]] == ["question", "state", "answer", "state"]
        assert events[-2]["data"] == {"question": 1, "answer": True, "by": question["answered_by"]}


async def test_an_answer_that_does_not_fit_leaves_the_question_open(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(schema={"type": "object", "properties": {"size": {"type": "integer"}}})
        refused = await on.answer({"size": "big"})
        assert refused.status_code == 422
        error = refused.json()["error"]
        assert error["code"] == "invalid_input"
        assert error["message"].startswith("the answer does not fit question 1: /size:")
        assert error["detail"][0]["path"] == "/size"
        assert (await on.shown())["questions"][0]["state"] == "open"
        assert on.atlas.router.answers == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "invalid_input"),
        (b'{"answer": 1e999}', "invalid_json"),
        (b'{"answer": 1, "more": 2}', "invalid_input"),
        (b'{"answer": 1, "question": 0}', "invalid_input"),
        (b'{"answer": %b}' % (b"[" * 62 + b"]" * 62), "invalid_input"),
    ],
)
async def test_what_is_no_answer_is_refused(tmp_path: Path, body: bytes, code: str) -> None:
    async with stage(tmp_path) as on:
        await on.ask()
        refused = await on.ada.post(f"{on.url}/input", content=body)
        assert refused.status_code == 422, refused.text
        assert refused.json()["error"]["code"] in (code, "invalid_input")
        assert (await on.shown())["state"] == "input_required"


async def test_answers_have_a_limit_together(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(1)
        await on.ask(2)
        most = on.atlas.engine.limits.payload_bytes // 4
        assert (await on.answer("x" * (most - 1_000), question=1)).status_code == 200
        refused = await on.answer("x" * 1_000, question=2)
        assert (refused.status_code, refused.json()["error"]["code"]) == (413, "payload_too_large")
        assert (await on.answer("short", question=2)).status_code == 200


async def test_the_oldest_question_is_answered_first_and_each_by_its_number(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        for number in (1, 2, 3):
            await on.ask(number)
        assert (await on.answer("two", question=2)).json()["state"] == "input_required"
        await on.answer("one")
        assert (await on.answer("three")).json()["state"] == "working"
        assert [one["answer"] for one in (await on.shown())["questions"]] == ["one", "two", "three"]


async def test_where_no_question_is_open_there_is_nothing_to_answer_and_the_same_answer_again_is_no_mistake(
    tmp_path: Path,
) -> None:
    async with stage(tmp_path) as on:
        early = await on.answer("too early")
        assert (early.status_code, early.json()["error"]["code"]) == (409, "no_open_question")
        await on.ask(1)
        assert (await on.answer("yes", question=7)).status_code == 409
        await on.answer("yes", question=1)
        again = await on.answer("yes", question=1)
        assert (again.status_code, again.json()["state"]) == (200, "working")
        other = await on.answer("no", question=1)
        assert (other.status_code, other.json()["error"]["code"]) == (409, "no_open_question")
        assert len(on.atlas.router.answers) == 1


async def test_of_many_who_answer_at_once_one_does(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask()
        answers = await asyncio.gather(*(on.answer(number) for number in range(20)))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 19
        assert len(on.atlas.router.answers) == 1


async def test_who_may_see_a_task_may_answer_it_and_nobody_else_learns_of_it(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(1)
        await on.ask(2)
        eve = await on.atlas.member("eve")
        for body in ({"answer": 1}, {}, {"answer": 1, "question": 2}):
            refused = await eve.post(f"{on.url}/input", json=body)
            absent = await eve.post("/api/v1/tasks/tsk_none/input", json=body)
            assert (refused.status_code, absent.status_code) == (404, 404)
        assert (await on.atlas.anonymous.post(f"{on.url}/input", json={"answer": 1})).status_code == 401
        assert (await on.atlas.admin.post(f"{on.url}/input", json={"answer": 1})).status_code == 200
        assert (await on.answer(2)).status_code == 200


@pytest.mark.parametrize(
    "data",
    [
        b"null",
        b"[]",
        b'{"number":1}',
        b'{"number":1,"question":""}',
        b'{"number":101,"question":"x"}',
        b'{"number":1,"question":"x","timeout":-1}',
        b'{"number":1,"question":"x","schema":{"type":"nonsense"}}',
        b'{"number":1,"question":"x","schema":{"$ref":"https://example.org/schema"}}',
    ],
)
async def test_a_question_that_cannot_be_asked_ends_its_task_with_an_error_and_its_agent_is_told(
    tmp_path: Path, data: bytes
) -> None:
    async with stage(tmp_path) as on:
        stored = await on.say(data)
        assert stored.n == 1
        shown = await on.shown()
        assert shown["state"] == "failed"
        assert shown["error"]["code"] in ("invalid_question", "too_many_questions")
        assert on.atlas.router.cancels == [on.task]
        late = await on.atlas.report(Result(on.task, 1, Outcome.CANCELED))
        assert not late[0].recorded


async def test_a_question_that_nobody_answers_expires_and_its_agent_is_told(tmp_path: Path) -> None:
    async with stage(tmp_path) as on, asyncio.TaskGroup() as group:
        running = group.create_task(on.atlas.engine.dispatcher.deadlines.run())
        with on.atlas.engine.feed.watch(on.task) as watch:
            await on.ask(timeout=0.05)
            async with asyncio.timeout(SECONDS):
                while not on.atlas.router.answers:
                    await watch.changed(SECONDS)
        running.cancel()
        assert on.atlas.router.answers == [(on.task, Reaction(1, expired=True))]
        shown = await on.shown()
        assert (shown["state"], shown["questions"][0]["state"]) == ("working", "expired")
        assert (await on.answer("too late", question=1)).status_code == 409


async def test_an_instance_that_comes_back_is_told_all_answers_of_what_it_runs(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(1)
        await on.answer("yes")
        await on.ask(2)
        task = await on.atlas.engine.store.tasks.get(on.task)
        assert task is not None
        (token,) = await on.atlas.engine.store.tokens.of_agent(task.agent_id)
        hello = Hello(1, InstanceInfo("ins_1"), [GREET], running=[RunningAttempt(on.task, 1)])
        admitted = await on.atlas.router.arrive(on.atlas.shown(token.id, task.agent_id), hello)
        assert isinstance(admitted, Admit)
        assert [(one.task, one.attempt, one.reaction) for one in admitted.answers] == [
            (on.task, 1, Reaction(1, Raw(b'"yes"')))
        ]
        assert admitted.attempts[0].n == 2


async def test_the_next_attempt_is_delivered_with_the_answers_of_the_last_one(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        await on.ask(1)
        await on.answer({"size": 3})
        await on.ask(2)
        await on.atlas.router.lose(on.task, 1)
        assert [one["number"] for one in (await on.shown())["questions"]] == [1]
        on.atlas.router.arrived.clear()
        on.atlas.router.grant("ins_1")
        async with asyncio.timeout(SECONDS):
            await on.atlas.router.arrived.wait()
        delivered = on.atlas.router.delivered[-1][1]
        assert (delivered.attempt, delivered.answers) == (2, [Reaction(1, Raw(b'{"size":3}'))])


async def test_tasks_that_wait_for_a_person_can_be_listed(tmp_path: Path) -> None:
    async with stage(tmp_path) as on:
        assert (await on.ada.get("/api/v1/tasks?state=input_required")).json()["items"] == []
        await on.ask()
        found = (await on.ada.get("/api/v1/tasks?state=input_required")).json()["items"]
        assert [task["id"] for task in found] == [on.task]
