"""Requests become tasks: what is refused, what is found again, and what counts while it is being stored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentic_atlas.backend.domain.children import MAX_DEPTH
from agentic_atlas.backend.domain.records import ApiKey
from agentic_atlas.backend.engine import submission
from agentic_atlas.backend.engine.census import OpenLimits
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import AtlasError, Conflict, NotFound
from agentic_atlas.protocol.caller.tasks import SubmitRequest
from agentic_atlas.protocol.caller.values import LONGEST
from agentic_atlas.protocol.messages import Delivery, Limits, Policy
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import NOW, Network, settle, wanted

SPAN = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


async def furnished(settings: EngineSettings | None = None, **agent: Any) -> tuple[Network, Principal]:
    network = Network(settings)
    ada = await network.user()
    await network.agent(ada, **agent)
    return network, ada


async def refused(network: Network, who: Principal, ask: SubmitRequest, **more: Any) -> str:
    with pytest.raises(AtlasError) as caught:
        await network.submit(who, ask, **more)
    assert await network.tasks.open() == []
    assert len(network.engine.dispatcher.census) == 0, "what was refused does not count"
    return caught.value.code


async def batch(network: Network, who: Principal, *asks: SubmitRequest) -> list[str]:
    """Return what became of each: its id, or the code it was refused with."""
    became = await submission.submit_all(network.engine, who, asks)
    return [one.code if isinstance(one, AtlasError) else one.task.id for one in became]


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


# What becomes of a request


async def test_an_accepted_task_is_stored_as_it_was_asked_for() -> None:
    network, ada = await furnished(policy=Policy(max_attempts=5, retries=2, backoff=3.0, timeout=60.0))
    ask = wanted("ada/hello", deadline=at(NOW + 100), priority=4, queue_ttl=50, retries=1, idempotency_key="one")
    submitted = await network.submit(ada, ask, trace=SPAN)
    task = network.now(submitted.task.id)
    assert submitted.created
    assert (task.agent, task.skill, task.input) == ("ada/hello", "greet", b'{"text":"hi"}')
    assert task.state is TaskState.SUBMITTED
    assert (task.priority, task.deadline, task.queue_expires_at) == (4, NOW + 100, NOW + 50)
    assert (task.max_attempts, task.retries, task.backoff, task.timeout) == (5, 1, 3.0, 60.0)
    assert (task.caller, task.owner_id, task.created_at) == (ada.caller, ada.user.id, NOW)
    assert task.trace_id == "a" * 32
    assert task.trace != SPAN, "it is a span of its own"


async def test_without_a_word_a_task_waits_for_a_day_and_one_that_would_not_has_no_end_of_waiting() -> None:
    network, ada = await furnished()
    network.engine.absence.expect([(await network.engine.access.agent(ada.user, "hello")).id])
    patient, impatient = await network.submit(ada), await network.submit(ada, wanted(queue_ttl=0))
    assert patient.task.queue_expires_at == NOW + submission.QUEUE_TTL
    assert (impatient.task.queue_expires_at, impatient.task.impatient) == (None, True)


async def test_a_task_for_a_free_slot_is_begun_in_the_commit_that_stores_it_and_goes_there_after_it() -> None:
    network, ada = await furnished()
    network.comes(await network.engine.access.agent(ada.user, "hello"))
    with network.storing():
        submitting = asyncio.create_task(network.submit(ada))
        await settle()
        (task,) = await network.tasks.open()
        assert (task.state, task.attempt) == (TaskState.WORKING, 1)
        assert (network.delivered(), submitting.done()) == ([], False)
    await submitting
    assert network.delivered() == [(task.id, 1)]


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (wanted("nobody"), "agent_not_found"),
        (wanted("eve/hello"), "agent_not_found"),
        (wanted(skill="fly"), "skill_not_found"),
        (wanted(text=b"[]"), "invalid_input"),
        (wanted(text=b'{"text":1e999}'), "invalid_input"),
        (wanted(text=b'{"text":1}'), "invalid_input"),
        (wanted(text=b'{"text":"%s"}' % (b"x" * 100)), "payload_too_large"),
        (wanted(deadline=at(NOW)), "deadline_exceeded"),
        (wanted(deadline=at(NOW) + timedelta(seconds=LONGEST + 1)), "invalid_input"),
        (wanted(queue_ttl=0), "agent_offline"),
        (wanted(delivery="at_most_once", retries=1), "unsafe_policy"),
    ],
)
async def test_what_can_not_be_asked_for_is_refused_and_leaves_nothing(ask: SubmitRequest, code: str) -> None:
    network, ada = await furnished(EngineSettings(messages=Limits(payload_bytes=100)))
    assert await refused(network, ada, ask) == code


async def test_a_disabled_agent_takes_no_tasks() -> None:
    network, ada = await furnished()
    agent = await network.engine.access.agent(ada.user, "hello")
    await network.store.agents.update(agent.id, disabled_at=NOW)
    network.engine.registry.forget(agent.id)
    assert await refused(network, ada, wanted()) == "agent_disabled"


async def test_a_submit_that_is_refused_costs_its_caller_no_place_in_the_queue() -> None:
    network, ada = await furnished()
    first = (await network.submit(ada)).task
    for ask in (wanted(delivery="at_most_once", retries=1), wanted(text=b"[]"), wanted(queue_ttl=0)):
        with pytest.raises(AtlasError):
            await network.submit(ada, ask)
    assert (await network.submit(ada)).task.position == first.position + 1


async def test_a_write_that_fails_gives_place_and_slot_back(monkeypatch: pytest.MonkeyPatch) -> None:
    network, ada = await furnished()
    agent = await network.engine.access.agent(ada.user, "hello")
    first = (await network.submit(ada, wanted(queue_ttl=1))).task
    await network.engine.dispatcher.cancel(first.id, "enough")
    network.comes(agent)
    with monkeypatch.context() as patch:
        patch.setattr(network.tasks, "_add", lambda change: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await network.submit(ada)
    assert (len(network.engine.dispatcher.census), network.engine.credit.free(agent.id)) == (0, 1)
    assert (await network.submit(ada)).task.position == first.position + 1


async def test_an_agent_that_leaves_while_a_task_is_being_stored_that_would_not_wait_for_it_ends_it() -> None:
    network, ada = await furnished()
    ref = network.comes(await network.engine.access.agent(ada.user, "hello"))
    await network.submit(ada)
    with network.storing():
        submitting = asyncio.create_task(network.submit(ada, wanted(queue_ttl=0)))
        await settle()
        network.leaves(ref)
    error = network.now((await submitting).task.id).error
    assert error is not None
    assert error.code == "agent_offline"


# The same request again


@pytest.mark.parametrize("text", [b'{"text":"hi"}', b'{ "text" : "hi" }', b'{"text":"\\u0068i"}'])
async def test_the_same_request_again_is_the_same_task_however_it_is_written(text: bytes) -> None:
    network, ada = await furnished()
    first = await network.submit(ada, wanted(idempotency_key="one", deadline=at(NOW + 9)))
    later = at(NOW + 9).astimezone(tz=None)
    again = await network.submit(
        ada, wanted("ada/hello", text=text, idempotency_key="one", deadline=later, queue_ttl=5)
    )
    assert (again.created, again.task.id) == (False, first.task.id)
    assert len(network.engine.dispatcher.census) == 1


@pytest.mark.parametrize(
    "other", [{"text": b'{"text":"ho"}'}, {"skill": "part"}, {"priority": 1}, {"retries": 1}, {"agent": "other"}]
)
async def test_another_request_with_the_same_key_is_a_conflict(other: dict[str, Any]) -> None:
    network, ada = await furnished(skills=("greet", "part"))
    await network.agent(ada, "other")
    await network.submit(ada, wanted(idempotency_key="one"))
    with pytest.raises(Conflict) as caught:
        await network.submit(ada, wanted(**{"idempotency_key": "one"} | other))
    assert caught.value.code == "idempotency_conflict"
    assert len(await network.tasks.open()) == 1


async def test_a_key_is_its_callers_own() -> None:
    network, ada = await furnished()
    elsewhere = Principal(ada.user, ApiKey("key_2", ada.user.id, "desktop", b"", NOW), ada.scopes)
    first, second = [await network.submit(who, wanted(idempotency_key="one")) for who in (ada, elsewhere)]
    assert first.task.id != second.task.id


async def test_a_request_that_would_be_refused_now_finds_the_task_that_it_became() -> None:
    network, ada = await furnished()
    ask = wanted(idempotency_key="one", deadline=at(NOW + 9))
    first = await network.submit(ada, ask)
    agent = await network.engine.access.agent(ada.user, "hello")
    network.clock.now = NOW + 10
    await network.store.agents.delete(agent.id)
    network.engine.registry.forget(agent.id)
    again = await network.submit(ada, ask)
    assert (again.created, again.task.id) == (False, first.task.id)
    with pytest.raises(NotFound):
        await network.submit(ada, wanted(idempotency_key="another"))


async def test_what_can_never_have_been_taken_is_refused_without_a_look() -> None:
    network, ada = await furnished()
    await network.submit(ada, wanted(idempotency_key="one"))
    with pytest.raises(AtlasError) as caught:
        await network.submit(ada, wanted(text=b"[]", idempotency_key="one"))
    assert caught.value.code == "invalid_input"


async def test_earlier_finds_what_a_key_stands_for_and_raises_the_refusal_otherwise() -> None:
    network, ada = await furnished()
    refusal = NotFound("gone", code="agent_not_found")
    ask = wanted(idempotency_key="one")
    for one in (ask, wanted()):
        with pytest.raises(NotFound) as caught:
            await submission.earlier(network.engine, ada, one, refusal)
        assert caught.value is refusal
    first = await network.submit(ada, ask)
    found = await submission.earlier(network.engine, ada, ask, refusal)
    assert (found.created, found.task.id) == (False, first.task.id)
    with pytest.raises(Conflict):
        await submission.earlier(network.engine, ada, wanted(priority=1, idempotency_key="one"), refusal)


# Many at once


async def test_of_a_batch_each_is_accepted_or_refused_by_itself_in_its_place() -> None:
    network, ada = await furnished()
    became = await batch(network, ada, wanted(), wanted("nobody"), wanted(text=b"[]"), wanted())
    first, second = [task.id for task in await network.tasks.open()]
    assert became == [first, "agent_not_found", "invalid_input", second]


async def test_the_same_key_twice_in_a_batch_is_one_task() -> None:
    network, ada = await furnished()
    network.comes(await network.engine.access.agent(ada.user, "hello"), slots=3)
    same = wanted(idempotency_key="one")
    first, again, other, conflict = await batch(
        network, ada, same, same, wanted(), wanted(priority=1, idempotency_key="one")
    )
    assert first == again != other
    assert conflict == "idempotency_conflict"
    assert sorted(network.delivered()) == [(first, 1), (other, 1)]


async def test_a_batch_takes_what_room_there_is_and_no_more() -> None:
    network, ada = await furnished(EngineSettings(open=OpenLimits(queue_per_agent=2)))
    first, second, third = await batch(network, ada, *[wanted()] * 3)
    assert (third, len({first, second})) == ("agent_queue_full", 2)


async def test_submits_at_once_can_not_overrun_a_limit() -> None:
    network, ada = await furnished(EngineSettings(open=OpenLimits(open_per_user=2)))
    became = await asyncio.gather(*[network.submit(ada) for _ in range(4)], return_exceptions=True)
    codes = [one.code for one in became if isinstance(one, AtlasError)]
    assert codes == ["too_many_open_tasks"] * 2


# Calls of other tasks


async def test_a_child_is_of_its_parents_trace_and_owner_and_ends_no_later() -> None:
    network, ada = await furnished()
    eve = await network.user("eve")
    await network.agent(eve, "child")
    parent = (await network.submit(ada, wanted(deadline=at(NOW + 60)), trace=SPAN)).task
    later, sooner = [
        (await network.submit(eve, wanted("child", deadline=at(NOW + seconds)), parent=parent)).task
        for seconds in (90, 30)
    ]
    assert (later.deadline, sooner.deadline) == (NOW + 60, NOW + 30)
    assert (later.owner_id, later.parent_id, later.depth) == (ada.user.id, parent.id, 1)
    assert (later.trace_id, later.caller) == (parent.trace_id, eve.caller)


async def test_a_chain_of_calls_has_an_end() -> None:
    network, ada = await furnished()
    task = (await network.submit(ada)).task
    for _ in range(MAX_DEPTH):
        task = (await network.submit(ada, parent=task)).task
    assert task.depth == MAX_DEPTH
    with pytest.raises(AtlasError) as caught:
        await network.submit(ada, parent=task)
    assert caught.value.code == "call_too_deep"


async def test_a_stricter_caller_is_heeded_and_a_laxer_one_refused() -> None:
    network, ada = await furnished(policy=Policy(delivery=Delivery.AT_MOST_ONCE))
    assert await refused(network, ada, wanted(delivery="at_least_once")) == "unsafe_policy"
    assert (await network.submit(ada)).task.delivery is Delivery.AT_MOST_ONCE


# Waiting for the end


async def test_who_waits_gets_the_task_as_it_ended_and_after_their_time_as_it_is() -> None:
    network, ada = await furnished()
    network.comes(await network.engine.access.agent(ada.user, "hello"))
    waiting = asyncio.create_task(network.submit(ada, wait=30.0))
    await settle()
    (task,) = await network.tasks.open()
    await network.ends(task)
    ended = await waiting
    assert (ended.created, ended.task.state, ended.task.output) == (True, TaskState.COMPLETED, b'"done"')
    late = await network.submit(ada, wait=0.001)
    assert (late.created, late.task.state) == (True, TaskState.SUBMITTED)


async def test_who_asks_for_the_same_again_waits_for_the_same_end() -> None:
    network, ada = await furnished()
    network.comes(await network.engine.access.agent(ada.user, "hello"))
    ask = wanted(idempotency_key="one")
    first = await network.submit(ada, ask)
    waiting = asyncio.create_task(network.submit(ada, ask, wait=30.0))
    await settle()
    await network.ends(network.now(first.task.id))
    again = await waiting
    assert (again.created, again.task.state) == (False, TaskState.COMPLETED)
    assert (await network.submit(ada, ask, wait=30.0)).task == again.task, "that has ended long ago"
