from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, Field

from agentic_atlas.errors import (
    AtlasError,
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    TaskError,
    Unavailable,
)
from agentic_atlas.protocol.caller.agents import (
    AgentInfo,
    AgentInstance,
    AgentShares,
    AgentSummary,
    NewToken,
    ShareInfo,
    SkillInfo,
    TokenInfo,
)
from agentic_atlas.protocol.caller.backups import BackupInfo
from agentic_atlas.protocol.caller.people import ApiKeyInfo, GroupInfo, NewApiKey, UserInfo, WhoAmI
from agentic_atlas.protocol.caller.tasks import EventInfo, TaskInfo, TaskSummary
from agentic_atlas.protocol.caller.values import Shown
from agentic_atlas.sdk.client.asynchronous import AsyncClient
from agentic_atlas.sdk.client.errors import ConnectionCut, NotFinished, UnexpectedAnswer
from agentic_atlas.sdk.client.http import Sources
from agentic_atlas.sdk.client.task import TaskHandle, TaskRequest
from tests import shown
from tests.integration.client.client_server import (
    KEY,
    Answer,
    Asked,
    Server,
    Time,
    error,
    events,
    in_order,
    serving,
)

CUT = Answer(cut=True)


def task(state: str = "submitted", id: str = "t1", **more: object) -> Answer:
    return Answer(shown.answer(TaskInfo, id=id, state=state, agent="ada/hello", skill="greet", **more), status=201)


def summary(id: str, state: str, **more: object) -> dict[str, Any]:
    return shown.answer(TaskSummary, id=id, state=state, **more)


async def with_client(
    answer: Callable[[Asked], Answer], work: Callable[[AsyncClient], Awaitable[Any]]
) -> tuple[Server, Any]:
    """Do something with a client; return what the server saw, and the outcome or the error."""
    time, keys = Time(), iter(f"key-{n}" for n in range(100))
    sources = Sources(clock=time.clock, sleep=time.sleep, chance=lambda: 0.0, key=lambda: next(keys))
    with serving(answer) as server:
        async with AsyncClient(server.url, api_key=KEY, sources=sources) as atlas:
            try:
                return server, await work(atlas)
            except AtlasError as error:
                return server, error


async def test_a_call_is_one_request_when_the_task_is_quick() -> None:
    server, output = await with_client(
        in_order(task("completed", output="Hello, Ada!")), lambda atlas: atlas.call("hello", "greet", name="Ada")
    )
    assert output == "Hello, Ada!"
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/api/v1/tasks", {"wait": "30.0"})
    assert asked.body == {
        "agent": "hello",
        "skill": "greet",
        "input": {"name": "Ada"},
        "idempotency_key": "key-0",
        "queue_ttl": 0.0,
    }


async def test_a_call_waits_on_when_the_task_is_slow() -> None:
    server, output = await with_client(
        in_order(task("working"), task("working"), task("completed", output=3)), lambda atlas: atlas.call("a", "b")
    )
    assert output == 3
    assert server.paths() == ["POST /api/v1/tasks", *["GET /api/v1/tasks/t1"] * 2]


async def test_a_call_that_fails_raises_the_error_of_the_task() -> None:
    fault = {"code": "deadline_exceeded", "message": "too late"}
    _, caught = await with_client(in_order(task("failed", error=fault)), lambda atlas: atlas.call("a", "b"))
    assert isinstance(caught, TaskError)
    assert caught.code == "deadline_exceeded"


@pytest.mark.parametrize("code", ["agent_offline", "agent_disabled"])
async def test_a_call_to_an_agent_that_is_offline_fails_at_once(code: str) -> None:
    server, caught = await with_client(
        lambda asked: error(503, code, Retry_After="1"), lambda atlas: atlas.call("a", "b")
    )
    assert isinstance(caught, Unavailable)
    assert (caught.code, len(server.asked)) == (code, 1)


async def test_a_call_can_wait_for_an_agent_that_is_offline() -> None:
    server, _ = await with_client(in_order(task("completed")), lambda atlas: atlas.call("a", "b", queue_ttl=60))
    assert server.asked[0].body["queue_ttl"] == 60


async def test_a_call_nobody_waits_for_any_more_is_cancelled() -> None:
    server, caught = await with_client(lambda asked: task("working"), lambda atlas: atlas.call("a", "b", timeout=2.0))
    assert isinstance(caught, NotFinished)
    assert caught.message == "task t1 was not done after 2 s and was asked to stop"
    assert server.asked[0].query == {"wait": "2.0"}
    assert server.paths()[-1] == "POST /api/v1/tasks/t1/cancel"


async def test_a_request_repeated_after_a_lost_connection_has_the_same_key_so_it_is_one_task() -> None:
    server, output = await with_client(
        in_order(CUT, CUT, task("completed", output=1)), lambda atlas: atlas.call("a", "b")
    )
    assert output == 1
    assert [asked.body["idempotency_key"] for asked in server.asked] == ["key-0"] * 3


async def test_two_submissions_are_two_tasks_unless_the_caller_gives_a_key() -> None:
    async def work(atlas: AsyncClient) -> None:
        for key in (None, None, "order-17"):
            await atlas.submit("a", "b", idempotency_key=key)

    server, _ = await with_client(lambda asked: task(), work)
    assert [asked.body["idempotency_key"] for asked in server.asked] == ["key-0", "key-1", "order-17"]


async def test_the_options_of_a_submission_are_told_and_the_others_left_to_the_server() -> None:
    deadline = datetime(2026, 11, 22, 20, 0, tzinfo=timezone(timedelta(hours=1)))
    server, handle = await with_client(
        in_order(task()),
        lambda atlas: atlas.submit("a", "b", deadline=deadline, timeout=9.5, priority=2, queue_ttl=60, text="x"),
    )
    assert handle.id == "t1"
    assert server.asked[0].query == {}
    assert server.asked[0].body == {
        "agent": "a",
        "skill": "b",
        "input": {"text": "x"},
        "idempotency_key": "key-0",
        "deadline": "2026-11-22T20:00:00+01:00",
        "timeout": 9.5,
        "priority": 2,
        "queue_ttl": 60.0,
    }


async def test_a_deadline_without_a_time_zone_is_refused() -> None:
    naive = datetime(2026, 11, 22)  # noqa: DTZ001  # what is refused
    server, caught = await with_client(in_order(), lambda atlas: atlas.submit("a", "b", deadline=naive))
    assert isinstance(caught, InvalidInput)
    assert server.asked == []


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("queue_ttl", math.inf),
        ("queue_ttl", math.nan),
        ("queue_ttl", -1.0),
        ("timeout", math.nan),
        ("timeout", 0),
        ("timeout", 1e9),
        ("timeout", "soon"),
        ("priority", 10),
        ("priority", 1.5),
        ("retries", -1),
        ("max_attempts", 0),
        ("delivery", "sometimes"),
        ("idempotency_key", ""),
    ],
)
async def test_an_option_out_of_its_bounds_is_refused_by_its_name_and_not_sent(option: str, value: Any) -> None:
    given: Any = {option: value}
    request = TaskRequest(agent="a", skill="b", **given)
    ways: list[Callable[[AsyncClient], Awaitable[Any]]] = [
        lambda atlas: atlas.submit("a", "b", **given),
        lambda atlas: atlas.tasks.batch([TaskRequest(agent="a", skill="b"), request]),
    ]
    for way in ways:
        server, caught = await with_client(in_order(), way)
        assert isinstance(caught, InvalidInput)
        assert f"{option} has to " in caught.message
        assert server.asked == []
    assert caught.message.startswith("request 1 of the batch: ")


async def test_a_wait_that_is_no_number_is_refused_and_one_without_an_end_is_one() -> None:
    for wrong in (math.nan, -1, "3", True):
        waited: Any = wrong
        server, caught = await with_client(in_order(), lambda atlas: atlas.call("a", "b", timeout=waited))  # noqa: B023
        assert isinstance(caught, InvalidInput)
        assert caught.message == f"timeout is {wrong!r}: give seconds, or None to wait as long as it takes"
        assert server.asked == []
    done = task("completed", output=5)
    _, output = await with_client(in_order(done), lambda atlas: atlas.call("a", "b", timeout=math.inf))
    assert output == 5


async def test_options_of_a_task_in_a_call_are_said_to_be_for_submit() -> None:
    fault = {"error": {"code": "invalid_input", "message": "the input does not fit text: there is no priority"}}
    _, caught = await with_client(
        in_order(Answer(fault, status=422)), lambda atlas: atlas.call("a", "b", x=1, priority=3)
    )
    assert isinstance(caught, InvalidInput)
    assert caught.message.endswith(
        "there is no priority; as options of a task, priority can be given to submit, not to call"
    )


@pytest.mark.parametrize("given", [{"timeout": "3"}, {"timeout": 0}, {"patience": None}, {"timeout": True}])
def test_a_client_is_refused_a_timeout_that_is_no_number_of_seconds(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout and patience of a client are seconds"):
        AsyncClient("http://localhost:1", api_key="key", **given)


async def test_no_field_of_any_request_becomes_null() -> None:
    server, caught = await with_client(in_order(), lambda atlas: atlas.tokens.create("a", expires_in=math.inf))
    assert isinstance(caught, InvalidInput)
    assert caught.message == "expires_in has to be at most 31622400, not inf"
    assert server.asked == []


async def test_an_input_without_a_json_form_is_refused_by_its_name_and_not_sent() -> None:
    server, caught = await with_client(in_order(), lambda atlas: atlas.submit("a", "b", {"x": 1}, y=[math.nan]))
    assert isinstance(caught, InvalidInput)
    assert caught.message == "the input cannot be sent: /y/0: nan is no number of JSON: give None, or text"
    assert caught.detail == [{"path": "/y/0", "message": "nan is no number of JSON: give None, or text"}]
    assert server.asked == []


async def test_bytes_and_models_are_sent_in_their_json_form() -> None:
    class Person(BaseModel):
        full_name: str = Field(serialization_alias="fullName")
        photo: bytes

    person = Person(full_name="Ada", photo=b"\xff")
    server, _ = await with_client(
        in_order(task()), lambda atlas: atlas.submit("a", "b", person=person, where=Path("/tmp"))
    )
    assert server.asked[0].body["input"] == {"person": {"fullName": "Ada", "photo": "/w=="}, "where": "/tmp"}


async def test_fields_named_like_an_option_are_given_in_a_mapping() -> None:
    fields = {"timeout": 90, "agent": "007", "input": 1}
    server, _ = await with_client(in_order(task()), lambda atlas: atlas.submit("a", "b", fields, timeout=5, skill="x"))
    assert server.asked[0].body["input"] == {"timeout": 90, "agent": "007", "input": 1, "skill": "x"}
    assert server.asked[0].body["timeout"] == 5


async def test_a_field_given_twice_is_refused() -> None:
    _, caught = await with_client(in_order(), lambda atlas: atlas.submit("a", "b", {"x": 1}, x=2))
    assert isinstance(caught, InvalidInput)
    assert "x" in caught.message


def event(seq: int, kind: str, **data: object) -> str:
    body = json.dumps(shown.answer(EventInfo, seq=seq, kind=kind, data=data))
    return f"id: {seq}\nevent: {kind}\ndata: {body}\n\n"


TOLD = event(1, "state", state="working") + event(2, "chunk", value="He")
END = event(3, "state", state="completed")


async def test_a_stream_gives_what_the_skill_reports_and_its_output_at_the_end() -> None:
    async def everything(atlas: AsyncClient) -> list[tuple[str, object]]:
        return [(event.kind, event.data) async for event in atlas.stream("hello", "greet", name="Ada")]

    answers = in_order(task(), events(TOLD + END), task("completed", output="Hello"))
    server, outcome = await with_client(answers, everything)
    assert outcome == [("chunk", {"value": "He"}), ("result", "Hello")]
    assert (server.asked[0].body["input"], server.asked[0].body["queue_ttl"]) == ({"name": "Ada"}, 0.0)


async def test_a_stream_of_a_task_that_fails_ends_with_its_error() -> None:
    async def everything(atlas: AsyncClient) -> list[object]:
        return [event async for event in atlas.stream("hello", "greet")]

    end = events(event(1, "state", state="failed"))
    fault = {"code": "handler_error", "message": "boom"}
    _, caught = await with_client(in_order(task(), end, task("failed", error=fault)), everything)
    assert isinstance(caught, TaskError)
    assert caught.code == "handler_error"


async def test_a_stream_that_is_left_early_stops_its_task() -> None:
    async def first(atlas: AsyncClient) -> object:
        async with aclosing(atlas.stream("hello", "greet")) as stream:
            return (await anext(stream)).data

    server, data = await with_client(in_order(task(), events(TOLD), task("working", cancel_requested=True)), first)
    assert data == {"value": "He"}
    assert (server.paths()[-1], server.asked[-1].body) == (
        "POST /api/v1/tasks/t1/cancel",
        {"reason": "its caller stopped reading"},
    )


async def test_tasks_are_not_listed_by_what_nobody_knows() -> None:
    wrong: Any = {"stat": "failed"}
    with pytest.raises(TypeError, match="tasks are not listed by stat"):
        await with_client(in_order(), lambda atlas: atlas.tasks.page(**wrong))


async def test_a_batch_gives_each_request_its_task_or_its_error() -> None:
    answer = Answer(
        {
            "results": [
                {"task": summary("t1", "submitted")},
                {"error": {"code": "agent_not_found", "message": "no"}},
            ]
        }
    )
    requests = [TaskRequest(agent="a", skill="s", input={"n": 1}), TaskRequest(agent="b", skill="s", priority=3)]
    server, outcome = await with_client(in_order(CUT, answer), lambda atlas: atlas.tasks.batch(requests))
    assert [asked.body["tasks"] for asked in server.asked] == [
        [
            {"agent": "a", "skill": "s", "input": {"n": 1}, "idempotency_key": "key-0"},
            {"agent": "b", "skill": "s", "input": {}, "idempotency_key": "key-1", "priority": 3},
        ]
    ] * 2
    assert isinstance(outcome[0], TaskHandle)
    assert isinstance(outcome[1], NotFound)


async def test_a_task_of_a_batch_that_had_ended_already_is_asked_for_with_its_output() -> None:
    answer = Answer({"results": [{"task": summary("t1", "completed")}]})
    whole = task("completed", output=7)

    async def first(atlas: AsyncClient) -> object:
        (task,) = await atlas.tasks.batch([TaskRequest(agent="a", skill="s")])
        assert isinstance(task, TaskHandle)
        return await task.result()

    server, output = await with_client(in_order(answer, whole), first)
    assert output == 7
    assert [asked.path for asked in server.asked] == ["/api/v1/tasks/batch", "/api/v1/tasks/t1"]


async def test_a_page_of_tasks_says_what_leads_to_the_next() -> None:
    item = summary("t1", "failed", input_bytes=9)
    server, page = await with_client(
        in_order(Answer({"items": [item], "next": "c2"})), lambda atlas: atlas.tasks.page(limit=1, after="c1")
    )
    assert ([task.input_bytes for task in page.items], page.next) == ([9], "c2")
    assert server.asked[0].query == {"limit": "1", "after": "c1"}


async def test_a_batch_answered_by_neither_task_nor_error_is_an_error() -> None:
    _, caught = await with_client(in_order(Answer({"results": [{}]})), lambda atlas: atlas.tasks.batch([]))
    assert isinstance(caught, UnexpectedAnswer)


async def test_tasks_are_read_page_by_page_and_only_as_far_as_wanted() -> None:
    pages = [
        Answer({"items": [summary("t1", "failed"), summary("t2", "failed")], "next": "c2"}),
        Answer({"items": [], "next": "c3"}),
        Answer({"items": [summary("t3", "failed")], "next": "c4"}),
        error(500, "internal"),
    ]

    async def three(atlas: AsyncClient) -> list[str]:
        found: list[str] = []
        async for info in atlas.tasks.list(agent="hello", state="failed", page=2):
            found.append(info.id)
            if len(found) == 3:
                break
        return found

    server, found = await with_client(in_order(*pages), three)
    assert found == ["t1", "t2", "t3"]
    assert [asked.query for asked in server.asked] == [
        {"agent": "hello", "state": "failed", "limit": "2"},
        {"agent": "hello", "state": "failed", "limit": "2", "after": "c2"},
        {"agent": "hello", "state": "failed", "limit": "2", "after": "c3"},
    ]


async def test_a_list_ends_with_its_last_page_and_never_goes_round() -> None:
    async def everything(atlas: AsyncClient) -> list[str]:
        return [agent.name async for agent in atlas.agents.list()]

    server, found = await with_client(
        in_order(
            Answer({"items": [shown.answer(AgentSummary, name="a")], "next": "x"}), Answer({"items": [], "next": "x"})
        ),
        everything,
    )
    assert found == ["a"]
    assert len(server.asked) == 2


async def test_an_agent_comes_with_its_skills_and_instances() -> None:
    skill = shown.answer(SkillInfo, name="greet", policy={"retries": 1}, unknown=1)
    instance = shown.answer(AgentInstance, id="i1", online=True, labels={"gpu": "yes"})
    view = shown.answer(AgentInfo, name="hello", full_name="ada/hello", skills=[skill], instances=[instance])
    server, agent = await with_client(in_order(Answer(view)), lambda atlas: atlas.agents.get("ada/hello"))
    assert server.paths() == ["GET /api/v1/agents/ada/hello"]
    assert (agent.skills[0].name, agent.skills[0].policy.retries) == ("greet", 1)
    assert agent.instances[0].labels == {"gpu": "yes"}


async def test_what_makes_something_new_is_never_sent_twice() -> None:
    server, caught = await with_client(in_order(CUT), lambda atlas: atlas.tokens.create("hello"))
    assert isinstance(caught, ConnectionCut)
    assert len(server.asked) == 1
    server, caught = await with_client(in_order(error(409, "agent_exists")), lambda atlas: atlas.agents.create("hello"))
    assert isinstance(caught, Conflict)
    assert caught.code == "agent_exists"


async def test_a_new_token_shows_its_secret_only_when_asked_for_it() -> None:
    view = shown.answer(NewToken, id="k1", token="eyJ.secret", expires_at="2027-01-01T00:00:00Z")
    server, token = await with_client(
        in_order(Answer(view, status=201)), lambda atlas: atlas.tokens.create("hello", name="box", expires_in=60)
    )
    assert server.asked[0].body == {"name": "box", "expires_in": 60}
    assert token.token == "eyJ.secret"
    assert "secret" not in f"{token!r} {token}"
    assert token.expires_at == datetime(2027, 1, 1, tzinfo=UTC)


async def test_a_token_is_rotated_once_and_shows_its_secret_only_when_asked_for_it() -> None:
    view = shown.answer(NewToken, id="k2", token="eyJ.secret", lineage="k1")
    server, token = await with_client(
        in_order(Answer(view, status=201)), lambda atlas: atlas.tokens.rotate("k1", overlap=60, renewable=True)
    )
    assert server.paths() == ["POST /api/v1/tokens/k1/rotate"]
    assert server.asked[0].body == {"overlap": 60, "renewable": True}
    assert (token.token, "secret" in f"{token!r} {token}") == ("eyJ.secret", False)
    server, caught = await with_client(in_order(CUT), lambda atlas: atlas.tokens.rotate("k1"))
    assert isinstance(caught, ConnectionCut)
    assert len(server.asked) == 1


async def test_a_new_api_key_is_asked_for_with_what_it_is_to_be_good_for() -> None:
    view = shown.answer(NewApiKey, id="key_1", user="ada", key="atlas_secret", scopes=["tasks:read"])
    server, made = await with_client(
        in_order(Answer(view, status=201)),
        lambda atlas: atlas.keys.create("cron", expires_in=60, scopes=("tasks:read",), user="ada"),
    )
    assert server.paths() == ["POST /api/v1/api-keys"]
    assert server.asked[0].body == {"name": "cron", "expires_in": 60, "scopes": ["tasks:read"], "user": "ada"}
    assert (made.key, made.scopes) == ("atlas_secret", ("tasks:read",))
    assert "secret" not in f"{made!r} {made}"


async def test_agents_are_shared_and_changed_and_groups_filled_by_their_names() -> None:
    agent = shown.answer(AgentSummary, name="hello", full_name="ada/hello")
    shares = {"items": [shown.answer(ShareInfo, subject="group:readers", access="manage")]}
    group = shown.answer(GroupInfo, name="readers", members=["eve"])
    server, asked = await with_client(
        in_order(
            Answer(shares), Answer(shares), Answer(agent), Answer(agent), Answer(agent), Answer(group), Answer(group)
        ),
        shared_and_changed,
    )
    assert server.paths() == [
        "PUT /api/v1/agents/ada/hello/shares",
        "DELETE /api/v1/agents/ada/hello/shares/group%3Areaders,eve",
        "PATCH /api/v1/agents/hello",
        "PATCH /api/v1/agents/hello",
        "PATCH /api/v1/agents/hello",
        "PUT /api/v1/groups/readers/members/eve",
        "DELETE /api/v1/groups/readers/members/eve",
    ]
    bodies = [one.body for one in server.asked[:5] if one.method != "DELETE"]
    assert bodies == [
        {"subjects": ["group:readers", "eve"], "access": "manage"},
        {"disabled": True}, {"disabled": False}, {"name": "greeter"},
    ]  # fmt: skip
    assert [one.subject for one in asked.items] == ["group:readers"]


async def shared_and_changed(atlas: AsyncClient) -> AgentShares:
    shares = await atlas.agents.share("ada/hello", "group:readers", "eve", access="manage")
    assert await atlas.agents.unshare("ada/hello", "group:readers", "eve") == shares
    for change in (
        atlas.agents.disable("hello"),
        atlas.agents.enable("hello"),
        atlas.agents.rename("hello", "greeter"),
    ):
        assert (await change).full_name == "ada/hello"
    for change in (atlas.groups.add("readers", "eve"), atlas.groups.remove("readers", "eve")):
        assert (await change).members == ["eve"]
    return shares


async def test_a_scope_that_is_none_is_not_sent() -> None:
    server, caught = await with_client(in_order(), lambda atlas: atlas.keys.create(scopes=[""]))
    assert isinstance(caught, InvalidInput)
    assert server.asked == []


@pytest.mark.parametrize(
    ("ask", "kind", "path"),
    [
        (lambda atlas: atlas.tokens.list("hello"), TokenInfo, "GET /api/v1/agents/hello/tokens"),
        (lambda atlas: atlas.keys.list(), ApiKeyInfo, "GET /api/v1/api-keys"),
        (lambda atlas: atlas.backups.list(), BackupInfo, "GET /api/v1/backups"),
    ],
)
async def test_short_lists_come_whole(
    ask: Callable[[AsyncClient], Awaitable[Any]], kind: type[Shown], path: str
) -> None:
    server, found = await with_client(in_order(Answer({"items": [shown.answer(kind, name="x")]})), ask)
    assert [item.name for item in found] == ["x"]
    assert server.paths() == [path]


async def test_an_agent_is_deleted_by_an_answer_without_content() -> None:
    server, nothing = await with_client(in_order(Answer(b"", 204)), lambda atlas: atlas.agents.delete("ada/hello"))
    assert (nothing, server.paths()) == (None, ["DELETE /api/v1/agents/ada/hello"])


async def test_whoami_and_revoke_and_cancel_by_id() -> None:
    async def work(atlas: AsyncClient) -> tuple[str, str, bool]:
        me = await atlas.people.whoami()
        revoked = await atlas.tokens.revoke("k1")
        cancelled = await atlas.tasks.cancel("t1")
        return me.user.name, revoked.status, cancelled.cancel_requested

    server, outcome = await with_client(
        in_order(
            Answer(shown.answer(WhoAmI, user=shown.answer(UserInfo, name="ada"))),
            Answer(shown.answer(TokenInfo, id="k1", status="revoked")),
            task("working", cancel_requested=True),
        ),
        work,
    )
    assert outcome == ("ada", "revoked", True)
    assert server.paths() == ["GET /api/v1/whoami", "DELETE /api/v1/tokens/k1", "POST /api/v1/tasks/t1/cancel"]


def test_the_key_is_not_in_the_client_s_text_form() -> None:
    client = AsyncClient("http://localhost:8000/", api_key=KEY)
    assert repr(client) == "<AsyncClient http://localhost:8000>"
