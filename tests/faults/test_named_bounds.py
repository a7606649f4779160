"""Every bound has its named answer at the doors of a real server; unit tests have those that it takes long to reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.protocol.messages import (
    Beat,
    Call,
    Event,
    EventKind,
    Outcome,
    Reply,
    Result,
    SkillSpec,
    Task,
)
from tests.e2e.processes import Platform, connected
from tests.faults.floods import api, up
from tests.faults.wire_agent import ANY_OBJECT, WireAgent, echo, working
from tests.faults.wire_agent import connected as connected_by_hand
from tests.integration.router.doors import dial

MESSAGE_BYTES = 65_536
PAYLOAD_BYTES = MESSAGE_BYTES * 3 // 4
CONNECTIONS = 20

Misuse = Callable[[WireAgent, Task], Awaitable[None]]


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A server with the smallest messages there can be, for the tests of this module."""
    folder = tmp_path_factory.mktemp("narrow") / "network"
    with up(folder, message_bytes=MESSAGE_BYTES, max_connections=CONNECTIONS) as platform:
        yield platform


async def long_message(agent: WireAgent, task: Task) -> None:
    text = msgspec.Raw(b'"%s"' % (b"x" * MESSAGE_BYTES))
    await agent.say(Result(task.task, task.attempt, Outcome.COMPLETED, text))


async def long_event(agent: WireAgent, task: Task) -> None:
    await agent.emit(task, 1, "x" * (PAYLOAD_BYTES + 1))


async def event_too_many(agent: WireAgent, task: Task) -> None:
    await agent.emit(task, 10_001, "one more")


async def unreadable_event(agent: WireAgent, task: Task) -> None:
    await agent.say(Event(task.task, task.attempt, 1, EventKind.LOG, msgspec.Raw(b"1e999")))


async def deep_result(agent: WireAgent, task: Task) -> None:
    await agent.say(Result(task.task, task.attempt, Outcome.COMPLETED, msgspec.Raw(b"[" * 100 + b"]" * 100)))


async def flood_of_beats(agent: WireAgent, _task: Task) -> None:
    for number in range(30):
        await agent.say(Beat(number))


@pytest.mark.parametrize(
    ("misuse", "code", "reason"),
    [
        (long_message, 1009, "message_too_big"),
        (long_event, 4107, "event_too_big"),
        (event_too_many, 4107, "too_many_events"),
        (unreadable_event, 4107, "invalid_event"),
        (deep_result, 4107, "too_deep"),
        (flood_of_beats, 4107, "control_flood"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_an_agent_over_a_limit_is_closed_with_its_name_and_its_task_goes_on(
    narrow: Platform, misuse: Misuse, code: int, reason: str, found: Callable[[str, str, str], None]
) -> None:
    async with api(narrow) as at:
        token = await at.token(misuse.__name__)
        agent = await connected_by_hand(narrow, token)
        task = await at.accepted(misuse.__name__, input={"n": 1})
        delivered = await agent.hear()
        assert isinstance(delivered, Task)
        await misuse(agent, delivered)
        with suppress(ConnectionClosed):
            while True:
                await agent.hear()
        got, why = await agent.end()
        # A frame that is too long is cut off by the library below, with a reason of its own.
        assert (got, decode_reason(why.encode()).code or reason) == (code, reason)
        async with working(narrow, token, echo, agent.instance_id):
            assert (await at.ended(task["id"]))["output"] == {"n": 1}
    done = misuse.__name__.replace("_", " ")
    found(
        "7 bounded, with a named answer", f"an agent: {done}", f"closed with {code} {reason}; its task was done later"
    )


async def test_an_agent_that_declares_too_much_is_told_so(narrow: Platform) -> None:
    async with api(narrow) as at:
        port = urlsplit(narrow.router_url).port
        assert port is not None
        async with dial(port, await at.token("many-skills")) as socket:
            agent = WireAgent(socket, "inst_of_many_skills")
            with pytest.raises(Exception, match="too_many_skills"):
                await agent.hello(1, [SkillSpec(f"skill_{n}", ANY_OBJECT) for n in range(201)])
            code, why = await agent.end()
            assert (code, decode_reason(why.encode()).code) == (4108, "too_many_skills")


async def test_a_result_that_is_too_large_fails_its_task_at_once_and_by_name(narrow: Platform) -> None:
    async def too_much(agent: WireAgent, message: object) -> None:
        if isinstance(message, Task):
            await agent.accept(message)
            await agent.complete(message, "x" * (PAYLOAD_BYTES + 1))

    async with api(narrow) as at, working(narrow, await at.token("large"), too_much) as agent:
        task = await at.accepted("large", input={})
        ended = await at.ended(task["id"], within=5)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "payload_too_large")
        # The caller may know before the agent does.
        assert await agent.until_acknowledged(task["id"], within=5) == (1, True)


async def test_a_call_with_too_large_an_input_is_answered_by_name(narrow: Platform) -> None:
    async with api(narrow) as at:
        agent = await connected_by_hand(narrow, await at.token("calls"))
        await at.accepted("calls", input={})
        task = await agent.hear()
        assert isinstance(task, Task)
        text = msgspec.Raw(b'{"x":"%s"}' % (b"x" * PAYLOAD_BYTES))
        await agent.say(Call("call_1", task.task, task.attempt, "calls", "echo", text))
        reply = await agent.hear()
        assert isinstance(reply, Reply)
        assert reply.error is not None
        assert reply.error.code == "payload_too_large"
        await agent.complete(task)
        await agent.socket.close()


async def test_a_busy_agent_gives_a_task_back_and_has_it_again_after_a_pause(narrow: Platform) -> None:
    refused: list[int] = []

    async def busy_once(agent: WireAgent, message: object) -> None:
        if isinstance(message, Task) and not refused:
            refused.append(message.attempt)
            await agent.refuse(message)
        elif isinstance(message, Task):
            await echo(agent, message)

    async with api(narrow) as at, working(narrow, await at.token("busy"), busy_once):
        task = await at.accepted("busy", input={})
        ended = await at.ended(task["id"])
        assert (ended["state"], refused) == ("completed", [1])


async def test_a_connection_too_many_is_a_503_that_says_when_to_come_back(narrow: Platform) -> None:
    async with api(narrow) as at:
        port = urlsplit(narrow.router_url).port
        assert port is not None
        agents = [await connected_by_hand(narrow, await at.token("many")) for _ in range(CONNECTIONS)]
        with pytest.raises(InvalidStatus) as refused:
            await dial(port, await at.token("many"))
        response = refused.value.response
        assert (response.status_code, response.headers["Atlas-Error"]) == (503, "too_many_connections")
        assert int(response.headers["Retry-After"]) >= 1
        for agent in agents:
            await agent.socket.close()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/tasks", {"agent": "a", "skill": "s", "input": {"x": "x" * 5 * 1024 * 1024}}, 413, "payload_too_large"),
        ("/tasks/batch", {"tasks": [{"agent": "a", "skill": "s"}] * 101}, 422, "invalid_input"),
        ("/tasks", {"agent": "a", "skill": "s", "idempotency_key": "k" * 201}, 422, "invalid_input"),
        ("/tasks", {"agent": "a", "skill": "s", "priority": 10}, 422, "invalid_input"),
        ("/tasks", {"agent": "echo", "skill": "echo", "input": {"x": "x" * PAYLOAD_BYTES}}, 413, "payload_too_large"),
    ],
    ids=["body", "batch", "key", "priority", "input"],
)
async def test_a_request_over_a_limit_is_refused_by_name(
    narrow: Platform,
    path: str,
    body: dict[str, object],
    status: int,
    code: str,
    found: Callable[[str, str, str], None],
    request: pytest.FixtureRequest,
) -> None:
    async with api(narrow) as at:
        async with working(narrow, await at.token("echo"), echo):
            pass
        answer = await at.http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    found("7 bounded, with a named answer", f"a request: {request.node.callspec.id} too large", f"{status} {code}")


STREAMING = """
from collections.abc import AsyncIterator
from agentic_atlas import Agent

agent = Agent("streaming")

@agent.skill
async def stream(size: int) -> AsyncIterator[str]:
    yield "x" * size

if __name__ == "__main__":
    agent.run()
"""


async def test_a_chunk_that_no_message_has_room_for_fails_its_task_and_is_not_left_out(narrow: Platform) -> None:
    with narrow.agent("streaming", STREAMING) as agent:
        agent.wait_for(connected)
        async with api(narrow) as at:
            fits = await at.accepted("streaming", "stream", input={"size": PAYLOAD_BYTES - 100})
            assert (await at.ended(fits["id"]))["state"] == "completed"
            over = await at.accepted("streaming", "stream", input={"size": PAYLOAD_BYTES + 100})
            ended = await at.ended(over["id"])
            assert (ended["state"], ended["error"]["code"]) == ("failed", "payload_too_large")
