"""Tasks as their callers see them: what they wait for, what happens in them, and what may be done about them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import AgentRecord, ApiKey, Role
from agentic_atlas.backend.engine.engine import EngineSettings
from agentic_atlas.backend.ports import Summary, TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import keys, tasks
from agentic_atlas.errors import AtlasError, Busy, Conflict, Forbidden, InvalidInput, NotFound, Unauthenticated
from agentic_atlas.protocol.inside.messages import Credit, InstanceRef
from agentic_atlas.protocol.messages import Delivery, Event, EventKind, Policy, Question, Raw
from agentic_atlas.protocol.tasks import Holdup, TaskState
from tests.unit.backend.network import NOW, Network, settle, skill, wanted


async def furnished(settings: EngineSettings | None = None, **agent: Any) -> tuple[Network, Principal, AgentRecord]:
    network = Network(settings)
    ada = await network.user()
    return network, ada, await network.agent(ada, **agent)


KEY = ApiKey("key_1", "usr_1", "nightly", b"", NOW)
HELLO = "ada/hello"


async def note(network: Network, who: Principal, task_id: str) -> str | None:
    return (await tasks.show(who, network.application, task_id)).note


# Why it waits


async def test_a_note_says_what_a_task_in_the_queue_waits_for() -> None:
    network, ada, agent = await furnished()
    first = (await tasks.submit(ada, network.application, wanted()))[0].id
    assert await note(network, ada, first) == "queued: agent offline, never connected"
    network.engine.absence.expect([agent.id])
    assert "on its way back" in (await note(network, ada, first) or "")
    ref = network.comes(agent)
    await settle()
    assert await note(network, ada, first) is None, "it runs"
    second = (await tasks.submit(ada, network.application, wanted()))[0].id
    busy = "queued: all instances of the agent are busy (1 of 1 slots used)"
    assert await note(network, ada, second) == busy
    network.leaves(ref)
    await network.store.agents.seen({agent.id: 1_000_000_000.0})
    assert await note(network, ada, second) == "queued: agent offline, last seen 2001-09-09 01:46:40Z"


async def test_a_note_says_that_no_instance_has_the_skill_and_how_long_a_retry_rests() -> None:
    network, ada, agent = await furnished(skills=("greet", "part"))
    network.engine.dispatcher.offers.came(agent.id, "ins_1", [skill(agent.id, "part")], 1)
    network.comes(agent)
    task = (await tasks.submit(ada, network.application, wanted()))[0].id
    assert await note(network, ada, task) == "queued: no connected instance of the agent has the skill greet"
    await network.engine.dispatcher.change(task, lambda one: lifecycle.Change(replace(one, not_before=NOW + 2.5)))
    assert await note(network, ada, task) == "queued: it begins again in 3 s"


@pytest.mark.parametrize(
    ("holdup", "why"),
    [
        (Holdup.BLOCKED, "its event loop is blocked"),
        (Holdup.REFUSED, "gave a task back"),
        (Holdup.BEHIND, "not read"),
        (Holdup.MEMORY, "max_memory"),
        (Holdup.CPU, "max_cpu"),
        (Holdup.BATTERY, "battery"),
        (Holdup.QUIET_HOURS, "quiet hours"),
    ],
)
async def test_a_note_says_why_a_free_slot_takes_nothing(holdup: Holdup, why: str) -> None:
    network, ada, agent = await furnished()
    network.hears(Credit(InstanceRef(agent.id, "ins_1", 1), 1, 1, holdup))
    task = (await tasks.submit(ada, network.application, wanted()))[0].id
    found = await note(network, ada, task) or ""
    assert found.startswith("queued: its instance takes no tasks at the moment: ")
    assert why in found


async def test_a_note_says_what_a_running_task_waits_for() -> None:
    network, ada, agent = await furnished()
    await network.agent(ada, "child")
    parent = await network.held(ada, agent)
    child = (await network.submit(ada, wanted("child"), parent=parent)).task
    assert await note(network, ada, parent.id) == (
        f"waits for ada/child.greet ({child.id}), which is queued (0 of 0 slots used)"
    )
    network.leaves(InstanceRef(agent.id, "ins_1", 1), grace=20.0)
    network.clock.now = NOW + 5
    assert await note(network, ada, parent.id) == (
        "its agent is away: it is tried again unless the agent comes back within 15 s"
    )
    await tasks.cancel(ada, network.application, parent.id, "enough")
    assert "is asked to stop" in (await note(network, ada, parent.id) or "")


async def test_a_note_says_what_happens_to_a_task_that_must_not_run_twice() -> None:
    network, ada, agent = await furnished(policy=Policy(delivery=Delivery.AT_MOST_ONCE))
    task = await network.held(ada, agent)
    network.leaves(InstanceRef(agent.id, "ins_1", 1))
    assert "it ends with outcome_unknown unless" in (await note(network, ada, task.id) or "")


async def test_a_note_tells_the_question_that_waits_and_an_ended_task_needs_none() -> None:
    network, ada, agent = await furnished()
    task = await network.asking(ada, agent, Question(1, "Sure? " * 100))
    found = await note(network, ada, task.id) or ""
    assert found.startswith("waits for an answer to question 1: Sure?")
    assert len(found) < 250
    answered = await tasks.answer(ada, network.application, task.id, b"true", None)
    assert (answered.state, answered.note) == (TaskState.WORKING, None)
    await network.ends(network.now(task.id))
    assert await note(network, ada, task.id) is None


# What happens in it


async def test_who_waits_for_a_task_gets_it_when_it_has_ended_and_else_as_it_is() -> None:
    network, ada, agent = await furnished()
    task = await network.held(ada, agent)
    early = await tasks.show(ada, network.application, task.id, wait=0.001)
    assert early.state is TaskState.WORKING
    waiting = asyncio.create_task(tasks.show(ada, network.application, task.id, wait=60.0))
    await settle()
    await network.ends(task)
    assert (await waiting).output == Raw(b'"done"')
    assert (await tasks.show(ada, network.application, task.id, wait=60.0)).state == "completed"


async def test_events_are_read_page_by_page_and_followed_to_the_end() -> None:
    network, ada, agent = await furnished()
    task = await network.held(ada, agent)
    following = await tasks.follow(ada, network.application, task.id, 0, 60.0)
    assert following is not None
    await network.says(InstanceRef(agent.id, "ins_1", 1), Event(task.id, 1, 1, EventKind.LOG, Raw(b'{"text":"hi"}')))
    await network.ends(task)
    place, pages = following
    with place:
        followed = [event async for page in pages for event in page]
    found, more = await tasks.page(ada, network.application, task.id, 0)
    assert (followed, more) == (found, None)
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    last = found[-1].seq
    assert (await tasks.page(ada, network.application, task.id, last)) == ([], None)
    assert await tasks.follow(ada, network.application, task.id, last, 60.0) is None, "nothing follows"
    assert await tasks.follow(ada, network.application, task.id, last - 1, 60.0) is not None


async def test_nothing_is_told_of_a_task_once_the_key_that_it_is_followed_with_is_revoked() -> None:
    network, ada, agent = await furnished()
    task = await network.held(ada, agent)
    following = await tasks.follow(ada, network.application, task.id, 0, 60.0)
    assert following is not None
    await keys.revoke(ada, network.application, ada.credential.id)
    with pytest.raises(Unauthenticated) as refused:
        await anext(following[1])
    assert refused.value.code == "key_invalid"


async def test_a_task_has_so_many_followers() -> None:
    network, ada, _ = await furnished(EngineSettings(watchers_per_task=1))
    task = (await tasks.submit(ada, network.application, wanted()))[0]

    async def place() -> AbstractContextManager[None]:
        following = await tasks.follow(ada, network.application, task.id, 0, 60.0)
        assert following is not None
        return following[0]

    with await place():
        late = await place()
        with pytest.raises(Busy) as refused, late:
            pass
        assert refused.value.code == "too_many_watchers"
    with await place():
        pass


async def test_tasks_are_found_newest_first_and_of_one_agent_where_it_is_named() -> None:
    network, ada, _ = await furnished()
    await network.agent(ada, "other")
    made = [(await network.submit(ada, wanted(name))).task.id for name in ("hello", "other", "hello")]
    eve = await network.user("eve")
    await network.agent(eve)
    await network.submit(eve)

    async def find(who: Principal, **more: Any) -> tuple[list[str], str | None]:
        found, next = await tasks.find(who, network.application, TaskFilter(), **{"limit": 9, "after": None} | more)
        return [one.task.id for one in found], next

    assert await find(ada) == (made[::-1], None)
    assert await find(ada, agent="hello") == ([made[2], made[0]], None)
    found, cursor = await find(ada, limit=2)
    assert await find(ada, after=cursor) == (made[:1], None)
    assert found == [made[2], made[1]]
    with pytest.raises(NotFound):
        await find(ada, agent="eve/hello")
    with pytest.raises(InvalidInput):
        await find(ada, after="no cursor")
    assert len((await find(await network.user("root", Role.ADMIN)))[0]) == 4


# What may be done about it


async def test_a_retry_asks_for_the_same_but_for_what_was_that_requests_own() -> None:
    network, ada, _ = await furnished()
    ask = wanted(
        idempotency_key="one", deadline=datetime.fromtimestamp(NOW + 60, UTC), priority=3, retries=2, timeout=9.0
    )
    first, created = await tasks.submit(ada, network.application, ask)
    assert created
    assert await tasks.submit(ada, network.application, ask) == (first, False)
    with pytest.raises(Conflict) as refused:
        await tasks.retry(ada, network.application, first.id)
    assert refused.value.code == "task_not_ended"
    await tasks.cancel(ada, network.application, first.id, "enough")
    network.clock.now = NOW + 3_600
    new = network.now((await tasks.retry(ada, network.application, first.id)).id)
    assert (new.retry_of, new.input) == (first.id, b'{"text":"hi"}')
    assert (new.priority, new.retries, new.timeout) == (3, 2, 9.0)
    assert (new.deadline, new.idempotency_key, new.parent_id) == (None, None, None)


@pytest.mark.parametrize(("then", "by_now"), [("at_most_once", None), (None, Delivery.AT_MOST_ONCE)])
async def test_what_was_to_happen_once_or_is_by_now_is_not_retried_more_often(
    then: Any, by_now: Delivery | None
) -> None:
    network, ada, agent = await furnished(policy=Policy(retries=2))
    first = (await tasks.submit(ada, network.application, wanted(delivery=then)))[0]
    await tasks.cancel(ada, network.application, first.id, "enough")
    if by_now is not None:
        await network.store.agents.declare(agent.id, [skill(agent.id, policy=Policy(delivery=by_now))])
        network.engine.registry.forget(agent.id)
    again = network.now((await tasks.retry(ada, network.application, first.id)).id)
    assert (again.delivery, again.retries) == (Delivery.AT_MOST_ONCE, 0)


async def test_a_cancel_of_what_has_ended_changes_nothing() -> None:
    network, ada, agent = await furnished()
    ended = await network.ends(await network.held(ada, agent))
    shown = await tasks.cancel(ada, network.application, ended.id, "enough")
    assert (shown.state, network.now(ended.id)) == ("completed", ended)


async def test_of_many_each_is_accepted_by_itself() -> None:
    network, ada, _ = await furnished()
    became = await tasks.submit_all(ada, network.application, [wanted(), wanted("nobody")])
    assert [one.code if isinstance(one, AtlasError) else one.created for one in became] == [True, "agent_not_found"]


async def test_many_at_once_are_as_many_requests_as_there_are_tasks() -> None:
    network, ada, _ = await furnished(EngineSettings(requests_per_second=3))
    # The first of them was counted when it was seen who asks.
    assert len(await tasks.submit_all(ada, network.application, [wanted()] * 4)) == 4
    with pytest.raises(Busy, match="you ask too often") as refused:
        await tasks.submit_all(ada, network.application, [wanted()] * 5)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_requests", 1.0)
    assert len(network.engine.dispatcher.census) == 4


async def test_anothers_task_does_not_exist_and_is_not_touched() -> None:
    network, ada, agent = await furnished()
    task = await network.asking(ada, agent)
    eve = await network.user("eve")
    for task_id in (task.id, "tsk_none"):
        for ask in (
            tasks.show(eve, network.application, task_id),
            tasks.show(eve, network.application, task_id, wait=60.0),
            tasks.standing(eve, network.application, task_id),
            tasks.page(eve, network.application, task_id, 0),
            tasks.follow(eve, network.application, task_id, 0, 60.0),
            tasks.cancel(eve, network.application, task_id, "mine"),
            tasks.answer(eve, network.application, task_id, b"1", None),
            tasks.retry(eve, network.application, task_id),
        ):
            with pytest.raises(NotFound) as refused:
                await ask
            assert refused.value.code == "task_not_found"
    assert network.now(task.id) == task


async def test_a_narrow_key_sees_and_changes_what_it_asked_for_and_nothing_else() -> None:
    network, ada, agent = await furnished()
    narrow = replace(
        ada, credential=replace(KEY, id="key_narrow", user_id=ada.user.id), scopes=(f"tasks:call:{HELLO}",)
    )
    reader = replace(narrow, scopes=("tasks:read", *narrow.scopes))
    others = await network.asking(ada, agent)
    own = (await tasks.submit(narrow, network.application, wanted()))[0]
    assert [one.task.id for one in (await found(network, narrow))] == [own.id]
    assert {one.task.id for one in (await found(network, reader))} == {own.id, others.id}
    for who, code in ((narrow, "task_not_found"), (reader, "insufficient_scope")):
        for ask in (
            tasks.cancel(who, network.application, others.id, "mine"),
            tasks.answer(who, network.application, others.id, b"1", None),
        ):
            with pytest.raises(AtlasError) as refused:
                await ask
            assert refused.value.code == code
    assert network.now(others.id) == others
    with pytest.raises(NotFound):
        await tasks.show(narrow, network.application, others.id, wait=60.0)
    assert (await tasks.cancel(narrow, network.application, own.id, "enough")).state == "canceled"


async def test_a_narrow_key_asks_for_nothing_else_in_a_batch_either() -> None:
    network, ada, agent = await furnished()
    ended = await network.ends(await network.held(ada, agent))
    await network.agent(ada, "other")
    narrow = replace(ada, scopes=(f"tasks:call:{agent.full_name}",))
    became = await tasks.submit_all(narrow, network.application, [wanted(), wanted("other"), wanted("nobody")])
    codes = [one.code if isinstance(one, AtlasError) else "created" for one in became]
    assert codes == ["created", "insufficient_scope", "insufficient_scope"]
    with pytest.raises(Forbidden):
        await tasks.retry(replace(narrow, scopes=("tasks:read", "tasks:call:ada/other")), network.application, ended.id)


async def test_tasks_are_found_by_who_asked_for_them_by_name_or_id_and_whoever_is_not_known_asked_for_nothing() -> None:
    network, ada, agent = await furnished()
    eve = await network.user("eve")
    made = [(await network.submit(ada, wanted())).task.id for _ in range(2)]

    async def asked_by(caller: str, who: Principal = ada) -> list[str]:
        which = TaskFilter()
        found, _ = await tasks.find(who, network.application, which, caller=caller, limit=9, after=None)
        return [one.task.id for one in found]

    assert ada.caller.name.startswith("ada/")
    for caller in ("ada", ada.caller.name, ada.caller.id):
        assert await asked_by(caller) == made[::-1], caller
        assert await asked_by(caller, eve) == [], "what eve may not see is not found by a name either"
    for caller in ("eve", eve.caller.id, "ada/other", agent.full_name, "nobody"):
        assert await asked_by(caller) == [], caller


async def found(network: Network, who: Principal) -> list[Summary]:
    return (await tasks.find(who, network.application, TaskFilter(), limit=10, after=None))[0]
