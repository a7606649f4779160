from __future__ import annotations

import asyncio

import msgspec
import pytest

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.inside.messages import Admit, Arrived, Dismiss, Failure, InstanceRef, TurnAway
from agentic_atlas.protocol.messages import (
    Accept,
    Hello,
    InstanceInfo,
    Limits,
    RunningAttempt,
    SkillSpec,
    Welcome,
)
from agentic_atlas.router.settings import RouterSettings
from tests.unit.router.network import Agent, network, settle, until


async def test_a_welcome_tells_who_the_agent_is_and_what_is_in_force() -> None:
    async with network(RouterSettings(beat_every=7.0, grace=11.0), Limits(depth=9)) as net:
        agent = await net.agent()
        welcome = agent.last(Welcome)
        assert (welcome.agent, welcome.owner, welcome.instance, welcome.generation) == ("agt", "ada", "inst", 1)
        assert (welcome.beat_every, welcome.grace, welcome.limits.depth) == (7.0, 11.0, 9)
        assert (welcome.now, welcome.token_expires_at) == (net.wall(), agent.identity.expires_at)


async def test_a_welcome_tells_when_a_token_ends_in_whose_place_another_one_is() -> None:
    async with network() as net:
        first = await net.agent()
        ends = net.wall.now + 50.0
        heir = Token("tok_next", "agt", "", net.wall.now, net.wall.now + 900.0, lineage="tok")
        await net.backend.store.tokens.rotate(heir, "tok", ends)
        net.backend.engine.access.forget()
        first.connection.closed()
        again = Agent("agt", "tok", "inst").connect(net.router).hello()
        await until(lambda: again.all(Welcome))
        welcome = again.last(Welcome)
        assert (welcome.token_expires_at, welcome.token_renewable) == (ends, False)
        assert ends < again.identity.expires_at


async def test_a_connection_that_says_nothing_is_closed_after_its_time() -> None:
    async with network() as net:
        agent = Agent("agt", "tok", "inst").connect(net.router)
        await net.passes(4.5)
        assert agent.closed is None
        await net.passes(1)
        assert agent.code == 4002


@pytest.mark.parametrize(
    ("hello", "code", "reason"),
    [
        (Hello(2, InstanceInfo("inst"), []), 4106, "protocol_version"),
        (Hello(1, InstanceInfo("inst"), [], concurrency=9), 4108, "concurrency_too_high"),
        (Hello(1, InstanceInfo("inst"), [SkillSpec("a", msgspec.Raw(b"{}"))] * 3), 4108, "too_many_skills"),
        (Hello(1, InstanceInfo("inst"), [], running=[RunningAttempt("t", 1)] * 17), 4108, "too_many_attempts"),
    ],
)
async def test_a_greeting_over_the_limits_is_refused_for_good(hello: Hello, code: int, reason: str) -> None:
    async with network(limits=Limits(skills=2, open_tasks=8)) as net:
        agent = Agent("agt", "tok", "inst").connect(net.router)
        agent.say(hello)
        await until(lambda: agent.closed)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (code, reason)


async def test_a_revoked_token_is_refused_before_anything_else_happens() -> None:
    async with network() as net:
        net.backend.revoked.add("tok")
        agent = Agent("agt", "tok", "inst").connect(net.router).hello()
        await until(lambda: agent.closed)
        assert (agent.code, agent.heard, net.backend.credit.online("agt")) == (4103, [], 0)


async def test_a_message_before_the_welcome_closes_the_connection() -> None:
    async with network() as net:
        net.backend.admitting.clear()
        agent = Agent("agt", "tok", "inst").connect(net.router).hello()
        agent.connection.received(b'{"type":"accept","task":"t","attempt":1}')
        assert agent.code == 4107


async def test_a_backend_that_does_not_answer_means_try_again() -> None:
    async with network(RouterSettings(admit_within=0.05)) as net:
        net.backend.admitting.clear()
        agent = Agent("agt", "tok", "inst").connect(net.router).hello()
        await agent.hears_of_it()
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].code) == (4004, "no_answer")


async def test_a_backend_that_fails_means_try_again_when_it_says() -> None:
    async with network() as net:
        net.backend.failing = Unavailable("the database is locked", retry_after=4.0)
        agent = Agent("agt", "tok", "inst").connect(net.router).hello()
        await until(lambda: agent.closed)
        assert agent.closed is not None
        assert (agent.code, agent.closed[1].retry_after) == (4004, 4.0)


async def test_the_same_instance_takes_over_at_once_and_its_older_connection_touches_nothing() -> None:
    async with network() as net:
        old = await net.agent()
        task = net.backend.submit("agt")
        new = await net.again(old, old.tasks[0])
        assert old.code == 1001
        old.connection.closed()
        old.connection.received(b'{"type":"result","task":"task_1","attempt":1,"outcome":"failed"}')
        assert net.backend.credit.online("agt") == 1
        await net.passes(40, new)
        assert net.backend.losses == []
        new.complete(old.tasks[0])
        await until(task.ended.done)


async def test_the_old_connection_works_until_its_successor_is_admitted_and_ends_then_whatever_became_of_that() -> None:
    async with network() as net:
        old = await net.agent()
        net.backend.admitting.clear()
        new = Agent("agt", "tok", "inst").connect(net.router).hello()
        await settle()
        net.backend.submit("agt")
        assert len(old.tasks) == 1
        assert old.closed is None
        new.connection.closed()
        net.backend.admitting.set()
        await settle()
        assert old.code == 1001, "what it says is of an older generation"
        assert [one.generation for one in net.backend.departures] == [2, 1]
        again = await net.again(old, old.tasks[0])
        assert again.last(Welcome).attempts[0].keep


async def test_a_second_try_of_the_same_instance_supersedes_the_first_that_is_still_being_let_in() -> None:
    async with network() as net:
        net.backend.admitting.clear()
        first = Agent("agt", "tok", "inst").connect(net.router).hello()
        await settle()
        second = Agent("agt", "tok", "inst").connect(net.router).hello()
        await settle()
        assert first.code == 1001
        net.backend.admitting.set()
        assert (await second.welcome()).generation >= 1
        assert net.backend.credit.online("agt") == 1


async def test_another_instance_with_the_token_of_a_living_one_is_told_so() -> None:
    async with network() as net:
        old = await net.agent()
        new = Agent("agt", "tok", "inst_2").connect(net.router).hello()
        await until(lambda: new.closed)
        assert new.closed is not None
        assert (new.code, new.closed[1].code, new.closed[1].retry_after) == (4010, "token_in_use", 30.0)
        assert (old.pings, old.closed) == (1, None)
        net.backend.submit("agt")
        assert len(old.tasks) == 1


async def test_another_instance_replaces_one_that_does_not_answer() -> None:
    async with network(RouterSettings(ping_old=0.02)) as net:
        old = await net.agent()
        old.answers_pings = False
        new = Agent("agt", "tok", "inst_2").connect(net.router).hello()
        await new.hears_of_it()
        assert new.all(Welcome)
        assert (old.code, net.backend.credit.online("agt")) == (4105, 1)


async def test_any_message_of_the_old_instance_shows_that_it_is_alive() -> None:
    async with network() as net:
        old = await net.agent()
        old.answers_pings = False
        new = Agent("agt", "tok", "inst_2").connect(net.router).hello()
        await until(lambda: old.pings)
        old.say(Accept("task_7", 1))
        await until(lambda: new.closed)
        assert (old.code, new.code) == (None, 4010)


async def test_when_the_old_instance_leaves_during_the_question_the_new_one_has_the_seat() -> None:
    async with network() as net:
        old = await net.agent()
        old.answers_pings = False
        new = Agent("agt", "tok", "inst_2").connect(net.router).hello()
        await until(lambda: old.pings)
        old.connection.closed()
        assert await new.welcome()


async def test_of_two_instances_that_start_with_one_token_the_later_one_is_told() -> None:
    async with network() as net:
        net.backend.admitting.clear()
        first = Agent("agt", "tok", "inst_1").connect(net.router).hello()
        second = Agent("agt", "tok", "inst_2").connect(net.router).hello()
        await until(lambda: second.closed)
        net.backend.admitting.set()
        assert (await first.welcome()).instance == "inst_1"
        assert second.code == 4010


async def test_two_processes_that_keep_trying_with_one_token_never_throw_each_other_out() -> None:
    async with network() as net:
        first = await net.agent("agt", "tok", "inst_1")
        for _ in range(5):
            other = Agent("agt", "tok", "inst_2").connect(net.router).hello()
            await until(lambda other=other: other.closed)
            assert other.code == 4010
        assert first.closed is None


async def test_the_same_instance_with_another_token_is_turned_away_for_now_and_takes_nothing() -> None:
    async with network() as net:
        old = await net.agent("agt", "tok_old", "inst")
        net.backend.revoked.add("tok_bad")
        thief = Agent("agt", "tok_bad", "inst").connect(net.router).hello()
        await until(lambda: thief.closed)
        assert (thief.code, old.code) == (4103, None)
        new = Agent("agt", "tok_new", "inst").connect(net.router).hello()
        await until(lambda: new.closed)
        assert (new.code, old.code) == (4010, None)
        assert net.backend.credit.online("agt") == 1


async def test_another_agent_that_claims_the_same_instance_id_takes_nothing() -> None:
    async with network() as net:
        agent = await net.agent("agt", "tok", "inst")
        rogue = Agent("rogue", "tok_r", "inst").connect(net.router).hello()
        await until(lambda: rogue.closed)
        net.backend.submit("agt")
        assert (agent.closed, len(agent.tasks)) == (None, 1)
        assert (net.backend.credit.online("agt"), net.backend.credit.online("rogue")) == (1, 0)


async def test_nobody_is_let_in_by_a_router_that_does_not_run() -> None:
    async with network() as net:
        router = net.router
    agent = Agent("agt", "tok", "inst").connect(router)
    assert agent.code == 4000


async def test_one_that_ended_on_its_way_in_does_not_overtake_the_next_with_its_token() -> None:
    async with network(RouterSettings(admit_within=5.0)) as net:
        asked, go_on, admit = list[str](), asyncio.Event(), net.backend.admit

        async def slowly(arrival: Arrived) -> Admit | TurnAway:
            asked.append(arrival.hello.instance.id)
            await go_on.wait()
            return await admit(arrival)

        net.backend.admit = slowly  # type: ignore[method-assign]
        gone = Agent("agt", "tok", "gone").connect(net.router).hello()
        await until(lambda: asked)
        gone.connection.closed()
        agent = Agent("agt", "tok", "inst").connect(net.router).hello()
        await settle()
        assert asked == ["gone"]
        go_on.set()
        await until(lambda: agent.all(Welcome))
        assert asked == ["gone", "inst"]
        assert net.backend.credit.online("agt") == 1


async def test_an_instance_that_comes_back_as_it_was_is_welcomed_before_that_is_stored() -> None:
    async with network() as net:
        old = await net.agent()
        old.connection.closed()
        net.backend.returns.holding = True
        new = await net.again(old)
        task = net.backend.submit("agt")
        assert [one.task for one in new.tasks] == [task.id], "and has work to do"
        (stored,) = await net.backend.store.agents.instances("agt")
        assert (stored.generation, new.last(Welcome).generation) == (1, 2)
        await net.backend.returns.commit()
        await settle()
        (stored,) = await net.backend.store.agents.instances("agt")
        assert (stored.generation, stored.disconnected_at) == (2, None)
        new.complete(new.tasks[0])
        await until(task.ended.done)


async def test_an_instance_that_could_not_be_stored_after_all_is_to_come_back_and_goes_on() -> None:
    async with network() as net:
        old = await net.agent()
        task = net.backend.submit("agt")
        old.accept(old.tasks[0])
        old.connection.closed()
        net.backend.returns.holding = True
        new = await net.again(old, old.tasks[0])
        net.backend.returns.fail(Unavailable("the database is locked", code="store_unavailable", retry_after=4.0))
        await until(lambda: new.closed)
        assert new.closed is not None
        assert (new.code, new.closed[1].code, new.closed[1].retry_after) == (4004, "store_unavailable", 4.0)
        assert "registration_not_stored" in net.log.events()
        third = await net.again(old, old.tasks[0])
        assert third.last(Welcome).generation == 3, "2 was given, though it was not stored"
        assert third.last(Welcome).attempts[0].keep
        third.complete(old.tasks[0])
        await until(task.ended.done)
        assert (task.attempt, net.backend.losses) == (1, [])


async def test_an_instance_is_not_welcomed_before_a_change_of_it_is_stored_nor_twice_before_it_is_stored_once() -> None:
    async with network() as net:
        old = await net.agent()
        net.backend.returns.holding = True
        changed = Agent("agt", "tok", "inst").connect(net.router)
        changed.say(Hello(1, InstanceInfo("inst"), [SkillSpec("other", msgspec.Raw(b"{}"))]))
        assert (await changed.welcome()).generation == 3, "by a write that nothing holds back"
        assert [one.name for one in await net.backend.store.agents.skills("agt")] == ["other"]
        again = await net.again(old)
        assert again.last(Welcome).generation == 5
        third = await net.again(old)
        fourth = await net.again(old)
        assert [one.last(Welcome).generation for one in (third, fourth)] == [6, 7]
        assert third.code == 1001


async def test_a_connection_is_dismissed_that_is_still_on_its_way_in_and_no_newer_one() -> None:
    async with network() as net:
        net.backend.admitting.clear()
        coming = Agent("agt", "tok", "inst").connect(net.router).hello()
        await settle()
        away = Failure(4004, "store_unavailable")
        net.router.say(Dismiss(InstanceRef("agt", "inst", 1), away))
        assert coming.code == 4004
        net.backend.admitting.set()
        await settle()
        newer = await net.agent()
        net.router.say(Dismiss(InstanceRef("agt", "inst", 1), away))
        assert newer.closed is None
