"""Instances are let in with what they declare, and what they and their predecessors hold is settled once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from agentic_atlas.backend.domain.records import Instance, Task, Token
from agentic_atlas.backend.engine import questions
from agentic_atlas.backend.engine.access import NotAdmitted
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, instances
from agentic_atlas.errors import NotFound, Unavailable
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import Admit, Arrived, Credit, Dismiss, Identity, InstanceRef
from agentic_atlas.protocol.messages import (
    Accept,
    Event,
    EventKind,
    Hello,
    InstanceInfo,
    Predecessor,
    RunningAttempt,
    SkillSpec,
    Verdict,
)
from agentic_atlas.protocol.tasks import TaskState
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from tests.unit.backend.network import NOW, TEXT, Network, as_agent, settle, wanted

GREET = SkillSpec("greet", Raw(TEXT))


class Scene:
    """Ada's agent `hello` with two tokens; nobody is connected for it."""

    def __init__(self, network: Network, ada: Principal, agent_id: str) -> None:
        self.network, self.ada, self.agent_id = network, ada, agent_id

    async def admit(self, instance: str = "ins_1", *, token: str = "tok_1", **hello: Any) -> Admit:
        """Let an instance in."""
        agent = await self.network.store.agents.get(self.agent_id)
        assert agent is not None
        declared = {"protocol": PROTOCOL_VERSION, "skills": [GREET], "instance": InstanceInfo(instance)} | hello
        said = Arrived(7, Identity(token, self.agent_id, NOW + 60, NOW), Hello(**declared))
        return await instances.admit(as_agent(self.ada, agent, token), self.network.application, said)

    async def comes(self, instance: str = "ins_1", **hello: Any) -> Admit:
        """Let an instance in and give it a slot."""
        admitted = await self.admit(instance, **hello)
        self.network.hears(Credit(admitted.instance, 5, 5))
        return admitted

    async def refused(self, **hello: Any) -> tuple[int, str]:
        """Return what an instance is turned away with."""
        with pytest.raises(NotAdmitted) as caught:
            await self.admit(**hello)
        return caught.value.close_code, caught.value.code

    async def runs(self, instance: InstanceRef, **options: Any) -> Task:
        """Return a task that the instance has begun."""
        task = (await self.network.submit(self.ada, wanted(**options))).task
        await self.network.says(instance, Accept(task.id, task.attempt))
        return self.network.now(task.id)

    async def stored(self) -> dict[str, tuple[int, bool]]:
        """Return what is stored of the instances: the generation of each, and whether it is connected."""
        found = await self.network.store.agents.instances(self.agent_id)
        return {one.id: (one.generation, one.disconnected_at is None) for one in found}


async def scene() -> Scene:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada, skills=())
    for token in ("tok_1", "tok_2"):
        await network.store.tokens.add(Token(token, agent.id, "", NOW, NOW + 60))
    return Scene(network, ada, agent.id)


async def test_an_instance_is_registered_with_what_it_declares() -> None:
    on = await scene()
    admitted = await on.admit(description="Says hello.", concurrency=3, labels={"zone": "a"}, agent="hello")
    assert admitted == Admit(7, InstanceRef(on.agent_id, "ins_1", 1), "hello", "ada")
    (stored,) = await on.network.store.agents.instances(on.agent_id)
    assert (stored.concurrency, stored.labels, stored.opened_at) == (3, {"zone": "a"}, NOW)
    agent = await on.network.engine.access.agent(on.ada.user, "hello")
    assert agent.description == "Says hello."
    assert (await on.network.engine.registry.skill(agent, "greet")).input_schema == TEXT
    assert (await on.network.engine.access.connected("ins_1")).user == on.ada.user


async def test_code_may_say_the_name_that_its_agent_had_when_the_token_was_made() -> None:
    on = await scene()
    network = on.network
    await agents.update(on.ada, network.application, "hello", rename="greeter")
    await network.store.tokens.add(Token("tok_new", on.agent_id, "", NOW, NOW + 60))

    async def admitted(token: str, name: str) -> str | int:
        who = await network.engine.access.bearer(token, on.agent_id)
        hello = Hello(PROTOCOL_VERSION, InstanceInfo(f"ins_{token}"), [GREET], agent=name)
        said = Arrived(7, Identity(token, on.agent_id, NOW + 60, NOW), hello)
        try:
            return (await instances.admit(who, network.application, said)).agent
        except NotAdmitted as refused:
            return refused.close_code

    assert [await admitted("tok_1", name) for name in ("hello", "greeter")] == ["greeter", "greeter"]
    assert [await admitted("tok_new", name) for name in ("greeter", "hello")] == ["greeter", CloseCode.WRONG_AGENT]
    assert await admitted("tok_1", "other") == CloseCode.WRONG_AGENT
    # Whoever connected before goes by the new name in what it asks for from now on.
    assert (await network.engine.access.connected("ins_tok_1")).caller.name == "ada/greeter"


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"protocol": PROTOCOL_VERSION + 1}, (CloseCode.PROTOCOL_VERSION, "protocol_version")),
        ({"agent": "other"}, (CloseCode.WRONG_AGENT, "wrong_agent")),
        ({"skills": [GREET, GREET]}, (CloseCode.INVALID_REGISTRATION, "duplicate_skill")),
        (
            {"skills": [SkillSpec("greet", Raw(b'{"type":"no such"}'))]},
            (CloseCode.INVALID_REGISTRATION, "invalid_schema"),
        ),
        (
            {"skills": [SkillSpec(f"s{number}", Raw(b"{}")) for number in range(1_001)]},
            (CloseCode.INVALID_REGISTRATION, "too_many_skills"),
        ),
    ],
)
async def test_what_no_instance_may_declare_is_refused_for_good_and_leaves_nothing(
    hello: dict[str, Any], code: tuple[int, str]
) -> None:
    on = await scene()
    assert await on.refused(**hello) == code
    assert await on.stored() == {}
    assert on.network.engine.dispatcher.offers.offered(on.agent_id) == []


async def test_nobody_is_let_in_with_the_token_of_another_agent() -> None:
    on = await scene()
    other = await on.network.agent(on.ada, "other")
    said = Arrived(7, Identity("tok_1", on.agent_id, NOW + 60), Hello(PROTOCOL_VERSION, InstanceInfo("ins_1"), []))
    for who in (as_agent(on.ada, other), as_agent(on.ada, other, "tok_2")):
        with pytest.raises(NotAdmitted) as refused:
            await instances.admit(who, on.network.application, said)
        assert refused.value.close_code == CloseCode.TOKEN_INVALID
    assert await on.stored() == {}


async def test_an_instance_id_of_another_token_is_refused_for_now_and_its_holder_stays() -> None:
    on = await scene()
    await on.admit()
    assert await on.refused(token="tok_2") == (CloseCode.TOKEN_IN_USE, "instance_exists")
    assert await on.stored() == {"ins_1": (1, True)}
    assert [one.name for one in on.network.engine.dispatcher.offers.offered(on.agent_id)] == ["greet"]


async def test_two_instances_offer_together_what_either_can_do() -> None:
    on = await scene()
    await on.admit()
    await on.admit("ins_2", token="tok_2", skills=[SkillSpec("part", Raw(b"{}"))])
    assert [one.name for one in await on.network.store.agents.skills(on.agent_id)] == ["greet", "part"]


async def test_an_instance_that_comes_back_as_it_was_does_not_wait_for_the_store() -> None:
    on = await scene()
    first = await on.admit()
    again = await on.admit()
    assert (first.instance.generation, again.instance.generation) == (1, 2)
    await settle()
    assert await on.stored() == {"ins_1": (2, True)}
    assert on.network.router.told == []


async def test_one_whose_coming_back_could_not_be_stored_is_sent_away() -> None:
    on = await scene()
    await on.admit()
    # Behind the engine's back, as nothing does that it knows of.
    await on.network.store.agents.register(Instance("ins_1", on.agent_id, "tok_1", 5, NOW), "", [])
    back = await on.admit()
    await settle()
    (told,) = on.network.router.all(Dismiss)
    assert (told.instance, told.failure.code) == (back.instance, "instance_changed")
    assert told.failure.close_code == CloseCode.UNAVAILABLE
    assert (await on.admit()).instance.generation > back.instance.generation, "and comes back by the longer way"
    await settle()
    assert len(on.network.router.told) == 1


async def test_what_is_declared_in_another_way_is_stored_before_the_instance_is_let_in() -> None:
    on = await scene()
    await on.admit()
    await on.admit(description="New.")
    agent = await on.network.store.agents.get(on.agent_id)
    assert agent is not None
    assert (agent.description, (await on.stored())["ins_1"][1]) == ("New.", True)


async def test_one_that_was_registered_and_could_not_be_let_in_is_not_counted_on() -> None:
    on = await scene()
    first = await on.comes()
    await on.runs(first.instance)
    await gone(on, first)
    on.network.tasks.failing = Unavailable("the disk is away")
    with pytest.raises(Unavailable):
        await on.admit(skills=[SkillSpec("part", Raw(b"{}"))])
    assert on.network.engine.dispatcher.offers.offered(on.agent_id) == []
    with pytest.raises(NotFound):
        await on.network.engine.access.connected("ins_1")
    on.network.tasks.failing = None
    assert (await on.admit()).lost


# What it holds


async def test_what_an_instance_still_runs_it_keeps_and_is_told_what_it_missed() -> None:
    on = await scene()
    first = await on.comes()
    runs, asked, stopped = [await on.runs(first.instance) for _ in range(3)]
    await on.network.says(first.instance, question(asked))
    await questions.answer(on.network.engine, on.network.now(asked.id), b"true", None, by=on.ada.caller)
    await on.network.engine.dispatcher.cancel(stopped.id, "enough")
    named = [RunningAttempt(one.id, 1) for one in (runs, asked, stopped)]
    again = await on.admit(running=named[:2], results=named[2:])
    assert again.attempts == (
        Verdict(runs.id, 1, keep=True),
        Verdict(asked.id, 1, keep=True, n=1),
        Verdict(stopped.id, 1, keep=True),
    )
    assert [(one.task, one.reason) for one in again.cancels] == [(stopped.id, "enough")]
    assert [(one.task, bytes(one.reaction.data)) for one in again.answers] == [(asked.id, b"true")]
    assert (again.held, again.lost) == ((), ())


async def test_what_is_not_its_any_more_it_is_to_drop() -> None:
    on = await scene()
    first = await on.comes()
    ended = await on.runs(first.instance)
    await on.network.ends(ended)
    await on.comes("ins_2", token="tok_2")
    other = await on.runs(InstanceRef(on.agent_id, "ins_2", 1))
    again = await on.admit(running=[RunningAttempt(one, 1) for one in (ended.id, "tsk_none")] + [attempt_of(other, 9)])
    assert [one.keep for one in again.attempts] == [False] * 3


async def test_what_it_never_received_it_is_sent_again_and_what_it_has_forgotten_is_lost() -> None:
    on = await scene()
    first = await on.comes()
    forgotten = await on.runs(first.instance)
    unseen = (await on.network.submit(on.ada)).task
    again = await on.admit()
    assert [one.task for one in again.held] == [unseen.id]
    assert again.lost == (attempt_of(forgotten),)
    lost = on.network.now(forgotten.id)
    assert (lost.attempt, lost.losses) == (2, 1), "it is at a free slot again"


async def test_a_task_that_must_not_run_twice_is_over_when_its_instance_has_forgotten_it() -> None:
    on = await scene()
    first = await on.comes()
    once = await on.runs(first.instance, delivery="at_most_once")
    await on.admit()
    error = on.network.now(once.id).error
    assert error is not None
    assert error.code == "outcome_unknown"


# Whose place it takes


async def test_the_results_of_an_ended_process_are_its_heirs_and_its_other_attempts_are_lost_at_once() -> None:
    on = await scene()
    first = await on.comes()
    done, undone = [await on.runs(first.instance) for _ in range(2)]
    await gone(on, first)
    left = [Predecessor("ins_1", [attempt_of(done)])]
    heir = await on.admit("ins_2", predecessors=left)
    assert heir.attempts == (Verdict(done.id, 1, keep=True),)
    assert heir.lost == (attempt_of(undone),)
    assert on.network.now(done.id).instance_id == "ins_2"
    assert (on.network.now(undone.id).state, on.network.now(undone.id).losses) == (TaskState.SUBMITTED, 1)
    again = await on.admit("ins_2", predecessors=left)
    assert (again.attempts, again.lost) == (heir.attempts, ()), "a hello that got no welcome may be repeated"
    assert on.network.now(undone.id).losses == 1


async def test_a_process_that_is_connected_or_has_another_token_leaves_nothing() -> None:
    on = await scene()
    living = await on.comes("ins_1")
    held = await on.runs(living.instance)
    left = [Predecessor("ins_1", [attempt_of(held)])]
    heir = await on.admit("ins_2", token="tok_2", predecessors=left)
    assert (heir.attempts[0].keep, heir.lost) == (False, ())
    await gone(on, living)
    heir = await on.admit("ins_3", token="tok_2", predecessors=left)
    assert (heir.attempts[0].keep, heir.lost) == (False, ())
    assert on.network.now(held.id).instance_id == "ins_1"


def attempt_of(task: Task, attempt: int = 1) -> RunningAttempt:
    return RunningAttempt(task.id, attempt)


def question(task: Task) -> Event:
    return Event(task.id, 1, 1, EventKind.QUESTION, Raw(b'{"number":1,"question":"Sure?"}'))


async def gone(on: Scene, admitted: Admit) -> None:
    """The process of an instance has ended."""
    instance = admitted.instance
    on.network.leaves(instance)
    on.network.engine.dispatcher.offers.left(on.agent_id, instance.instance_id, instance.generation)
    await on.network.store.agents.depart(instance.instance_id, instance.generation, NOW)
