"""Agents that call agents: one child for each call, with the rights of both, that ends with its caller."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.children import call_key
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Role, Share, Task
from agentic_atlas.backend.engine.answering import Replies
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import calls
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.inside.messages import Called, InstanceRef, Replied
from agentic_atlas.protocol.messages import Call, Event, EventKind, Raw, Reply, ReplyKind
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.network import NOW, Network, as_agent, settle, until, wanted


class Scene:
    """A task of ada's agent `hello` that runs, and calls others."""

    def __init__(self, network: Network, ada: Principal, agent: AgentRecord, parent: Task) -> None:
        self.network, self.ada, self.parent = network, ada, parent
        self.who = as_agent(ada, agent)
        self.instance = InstanceRef(agent.id, "ins_1", 1)

    def begin(self, name: str = "child", *, call: str = "call_1", **more: Any) -> asyncio.Task[None]:
        """Begin to answer a call."""
        asked = Call(call, self.parent.id, more.pop("attempt", 1), name, "greet", Raw(b"{}"), **more)
        said = Called(self.instance, asked)
        replies = Replies(self.network.router, self.instance, {})
        return asyncio.create_task(calls.call(self.who, self.network.application, said, replies))

    async def child(self) -> Task:
        """Return the child once it is there."""
        await until(lambda: self.network.engine.dispatcher.census.called(self.parent.id))
        (found,) = self.network.engine.dispatcher.census.called(self.parent.id)
        return self.network.now(found.id)

    def replies(self) -> list[Reply]:
        """Return what was replied."""
        return [one.reply for one in self.network.router.all(Replied)]

    def codes(self) -> list[str]:
        """Return the codes of the errors that were replied."""
        return [one.error.code for one in self.replies() if one.error is not None]


async def scene(*, asker: str = "ada", owner: str = "ada") -> Scene:
    """Return a task that `asker` has asked for and ada's agent runs, with an agent of `owner`'s that may be called."""
    network = Network()
    people = {name: await network.user(name) for name in sorted({"ada", asker, owner})}
    ada = people["ada"]
    agent = await network.agent(ada)
    network.comes(await network.agent(people[owner], "child"), slots=5, instance="ins_child")
    if asker == "ada":
        return Scene(network, ada, agent, await network.held(ada, agent))
    # Asked of an agent of their own, which has called ada's.
    await network.agent(people[asker], "mine")
    first = (await network.submit(people[asker], wanted("mine"))).task
    network.comes(agent)
    return Scene(network, ada, agent, (await network.submit(ada, parent=first)).task)


async def test_a_call_becomes_a_child_and_is_answered_with_what_that_came_to() -> None:
    on = await scene()
    answering = on.begin(timeout=7.0)
    child = await on.child()
    assert (child.parent_id, child.depth, child.timeout) == (on.parent.id, 1, 7.0)
    assert (child.trace_id, child.owner_id, child.caller) == (on.parent.trace_id, on.ada.user.id, on.who.caller)
    assert child.queue_expires_at is None, "it does not wait for one who is away"
    await on.network.ends(child, b'{"said":"hi"}')
    await answering
    (reply,) = on.replies()
    assert (reply.kind, reply.child, reply.state) == (ReplyKind.RESULT, child.id, "completed")
    assert bytes(reply.data) == b'{"said":"hi"}'


async def test_the_same_call_again_is_the_same_child_and_another_call_another_one() -> None:
    on = await scene()
    first, again, other = on.begin(), on.begin(), on.begin(call="call_2")
    await settle(60)
    children = [on.network.now(one.id) for one in on.network.engine.dispatcher.census.called(on.parent.id)]
    assert {one.idempotency_key for one in children} == {
        call_key(on.parent.id, 1, "call_1"),
        call_key(on.parent.id, 1, "call_2"),
    }
    for child in children:
        await on.network.ends(child)
    await asyncio.gather(first, again, other)
    assert sorted(one.id for one in on.replies()) == ["call_1", "call_1", "call_2"]


async def test_a_call_that_was_made_is_answered_though_its_agent_is_gone_since() -> None:
    on = await scene()
    first = on.begin()
    child = await on.child()
    await on.network.ends(child)
    await first
    await on.network.store.agents.delete(child.agent_id)
    on.network.engine.registry.forget(child.agent_id)
    await on.begin()
    assert [(one.child, one.state) for one in on.replies()] == [(child.id, "completed")] * 2
    await on.begin(call="call_2")
    assert on.codes() == ["agent_not_found"]


@pytest.mark.parametrize("how", ["another attempt", "asked to stop", "ended", "never was"])
async def test_only_a_task_that_runs_calls_others(how: str) -> None:
    on = await scene()
    attempt = 1
    if how == "another attempt":
        attempt = 2
    elif how == "asked to stop":
        await on.network.engine.dispatcher.cancel(on.parent.id, "enough")
    elif how == "ended":
        await on.network.ends(on.parent)
    else:
        on.parent = msgspec.structs.replace(on.parent, id="tsk_none")
    await on.begin(attempt=attempt)
    assert on.codes() == ["parent_not_running"]
    assert on.network.engine.dispatcher.census.called(on.parent.id) == []


async def test_another_instance_does_not_call_in_the_name_of_a_task_that_is_not_its() -> None:
    on = await scene()
    on.instance = InstanceRef(on.instance.agent_id, "ins_2", 1)
    await on.begin()
    assert on.codes() == ["parent_not_running"]


async def test_what_is_not_its_owners_can_not_be_called() -> None:
    on = await scene(owner="eve")
    await on.begin("eve/child")
    assert on.codes() == ["agent_not_found"]


async def test_nobody_reaches_through_an_agent_what_they_could_not_reach_themselves() -> None:
    on = await scene(asker="eve")
    assert on.parent.owner_id != on.ada.user.id
    await on.begin("ada/child")
    assert on.codes() == ["agent_not_found"], "it is ada's, and eve asked"


async def test_a_token_that_is_for_one_skill_calls_no_other_and_learns_of_none() -> None:
    on = await scene()
    on.who = replace(on.who, scopes=("agent:connect", "agent:call:ada/child/greet"))
    for name in ("hello", "eve/child", "nobody"):
        await on.begin(name)
    assert on.codes() == ["insufficient_scope"] * 3
    await on.network.engine.trail.settle()
    told = await on.network.store.audit.find(AuditFilter(action="calls.call"), limit=9)
    assert [(row.object.name, row.who.kind) for row in told[::2]] == [
        ("nobody/greet", "agent"),
        ("hello/greet", "agent"),
    ]
    on.begin()
    assert (await on.child()).agent == "ada/child"


async def test_nobody_who_only_looks_has_an_agent_call_for_them() -> None:
    on = await scene(asker="eve")
    users = on.network.store.users
    await users.update(on.parent.owner_id, NOW, role=Role.VIEWER)
    await on.begin("ada/child")
    await users.update(on.parent.owner_id, NOW, role=Role.ADMIN)
    assert on.codes() == ["forbidden"]
    on.begin("ada/child")
    assert (await on.child()).agent == "ada/child"


async def test_a_shared_agent_is_called_for_whom_it_is_shared_with_by_whose_owner_it_is_too() -> None:
    on = await scene(asker="eve")
    await on.network.store.users.update(on.parent.owner_id, NOW, role=Role.MEMBER)
    share = on.network.store.shares
    child = await on.network.store.agents.by_name("ada", "child")
    assert child is not None
    await on.begin("ada/child")
    await share.put(child.id, [Share(f"user:{on.parent.owner_id}", AccessLevel.CALL)], NOW)
    on.network.engine.registry.forget(child.id)
    on.begin("ada/child", call="call_2")
    assert ((await on.child()).agent, on.codes()) == ("ada/child", ["agent_not_found"])


async def test_what_only_who_asked_may_call_the_agent_does_not_call_for_them() -> None:
    on = await scene(asker="eve", owner="eve")
    await on.begin("eve/child")
    assert on.codes() == ["agent_not_found"], "it is eve's, and ada's agent calls"
    child = await on.network.store.agents.by_name("eve", "child")
    assert child is not None
    await on.network.store.shares.put(child.id, [Share("everyone", AccessLevel.CALL)], NOW)
    on.network.engine.registry.forget(child.id)
    on.begin("eve/child", call="call_2")
    assert (await on.child()).agent == "eve/child"


async def test_nobody_reaches_through_two_agents_what_they_could_not_reach_themselves() -> None:
    network = Network()
    root, eve = await network.user("root", Role.ADMIN), await network.user("eve")
    weather, hub = await network.agent(eve, "weather"), await network.agent(root)
    vault = await network.agent(root, "vault")
    network.comes(vault, slots=5, instance="ins_vault")
    await network.store.shares.put(hub.id, [Share("everyone", AccessLevel.CALL)], NOW)
    network.engine.registry.forget(hub.id)
    first = (await network.submit(root, wanted("eve/weather"))).task
    network.comes(hub, slots=5)
    parent = (await network.submit(as_agent(eve, weather), wanted("root/hello"), parent=first)).task
    on = Scene(network, root, hub, parent)
    await on.begin("vault")
    assert on.codes() == ["agent_not_found"], "root asked and its own agent calls, but eve's told it to"
    # One further down: what calls last is root's, and so is who called that.
    on.parent = (await network.submit(on.who, wanted("root/hello"), parent=parent)).task
    await on.begin("vault", call="call_2")
    assert on.codes() == ["agent_not_found"] * 2
    await network.store.shares.put(vault.id, [Share("everyone", AccessLevel.CALL)], NOW)
    network.engine.registry.forget(vault.id)
    on.begin("vault", call="call_3")
    assert (await on.child()).agent == "root/vault"


async def test_nobody_who_is_disabled_has_an_agent_call_for_them() -> None:
    on = await scene(asker="eve")
    child = await on.network.store.agents.by_name("ada", "child")
    assert child is not None
    await on.network.store.shares.put(child.id, [Share("everyone", AccessLevel.CALL)], NOW)
    await on.network.store.users.update(on.parent.owner_id, NOW, disabled_at=NOW)
    await on.begin("ada/child")
    assert on.codes() == ["forbidden"]
    refused = on.replies()[-1].error
    assert refused is not None
    assert "eve, who has a part in this call, is disabled" in refused.message
    assert "`atlas users enable eve`" in refused.message


async def test_of_the_tasks_that_led_to_a_call_no_payload_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    on = await scene(asker="eve")
    called = await on.network.store.agents.by_name("ada", "child")
    assert called is not None
    await on.network.store.shares.put(called.id, [Share("everyone", AccessLevel.CALL)], NOW)
    read, get = list[str](), on.network.tasks.get

    async def whole(task_id: str) -> Task | None:
        read.append(task_id)
        return await get(task_id)

    monkeypatch.setattr(on.network.tasks, "get", whole)
    answering = on.begin("ada/child")
    child = await on.child()
    await on.network.ends(child)
    await answering
    assert (on.parent.parent_id is not None, child.parent_id) == (True, on.parent.id)
    assert set(read) <= {child.id}


async def test_a_child_that_was_made_while_its_parent_was_canceled_is_canceled_too() -> None:
    on = await scene()
    with on.network.storing():
        answering = on.begin()
        await settle()
        on.network.engine.dispatcher.cancel(on.parent.id, "enough")
    await until(lambda: len(on.network.router.told) > 0)
    child = await on.child()
    await until(lambda: on.network.now(child.id).cancel_reason is not None)
    await on.network.ends(on.network.now(child.id))
    await answering
    assert on.network.now(child.id).state is not TaskState.WORKING


async def test_a_stream_gets_each_event_but_the_steps_and_then_the_end() -> None:
    on = await scene()
    answering = on.begin(stream=True)
    child = await on.child()
    ref = InstanceRef(child.agent_id, "ins_child", 1)
    for n in (1, 2):
        await on.network.says(ref, Event(child.id, 1, n, EventKind.CHUNK, Raw(b'{"data":%d}' % n)))
    await on.network.ends(child)
    await answering
    kinds = [(one.kind, bytes(one.data)) for one in on.replies()]
    assert kinds == [
        (ReplyKind.EVENT, b'{"data":1}'),
        (ReplyKind.EVENT, b'{"data":2}'),
        (ReplyKind.RESULT, b'"done"'),
    ]
    resumed = on.replies()[0].seq
    await on.begin(stream=True, after=resumed)
    assert [bytes(one.data) for one in on.replies()[3:]] == [b'{"data":2}', b'"done"']


async def test_nothing_more_is_said_to_an_agent_that_is_gone_or_has_called_again() -> None:
    on = await scene()
    replies = Replies(on.network.router, on.instance, {})
    asked = Call("call_1", on.parent.id, 1, "child", "greet", Raw(b"{}"), stream=True)
    answering = asyncio.create_task(calls.call(on.who, on.network.application, Called(on.instance, asked), replies))
    child = await on.child()
    replies.close()
    ref = InstanceRef(child.agent_id, "ins_child", 1)
    await on.network.says(ref, Event(child.id, 1, 1, EventKind.CHUNK, Raw(b'{"data":1}')))
    await answering
    assert on.replies() == []
    assert not on.network.now(child.id).terminal


def test_a_refusal_says_why() -> None:
    asked = Call("call_1", "tsk_1", 1, "child", "greet", Raw(b"{}"))
    error = InvalidInput("the input is wrong", detail=[{"at": "/text"}])
    reply = calls.refused(asked, error)
    assert reply.error is not None
    assert (reply.id, reply.kind, reply.error.code) == ("call_1", ReplyKind.RESULT, "invalid_input")
    assert bytes(reply.error.detail) == b'[{"at":"/text"}]'
