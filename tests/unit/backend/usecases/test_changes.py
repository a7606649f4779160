"""Whoever watches is told what changed of what they see, no more than that, and no longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.records import AccessLevel, Role
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, changes, groups, keys, tasks, tokens
from agentic_atlas.errors import Unauthenticated
from agentic_atlas.protocol.caller.changes import ChangeSignal
from tests.unit.backend.network import Network, settle

Signals = AsyncGenerator[ChangeSignal | None, None]


@asynccontextmanager
async def watching(network: Network, who: Principal, after: int | None = None) -> AsyncIterator[Signals]:
    """Have somebody watch, who has been told how things are."""
    place, signals = await changes.watch(who, network.application, after, 60.0)
    async with aclosing(signals), asyncio.timeout(20):
        with place:
            yield signals


async def begun(signals: Signals) -> ChangeSignal:
    first = await anext(signals)
    assert first is not None
    return first


async def until_told(signals: Signals, part: str) -> ChangeSignal:
    """Return the next signal that says something of this."""
    async for signal in signals:
        if signal is not None and getattr(signal, part):
            return signal
    raise AssertionError("it ended")


async def test_what_changes_is_told_with_its_state_and_a_number_that_grows() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    async with watching(network, ada) as signals:
        first = await begun(signals)
        assert not first.says
        task = await network.asking(ada, agent)
        told = await until_told(signals, "questions")
        assert [(one.id, one.agent, one.skill) for one in told.tasks] == [(task.id, "ada/hello", "greet")]
        assert told.seq > first.seq
        await tasks.cancel(ada, network.application, task.id, "enough")
        await tokens.issue(ada, network.application, "hello")
        assert (await until_told(signals, "tokens")).tokens == ("ada/hello",)


async def test_an_agent_is_told_of_as_it_comes_goes_is_disabled_and_is_gone() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    seen = []
    async with watching(network, ada) as signals:
        await begun(signals)
        ref = network.comes(agent)
        seen.append(await until_told(signals, "agents"))
        network.leaves(ref)
        seen.append(await until_told(signals, "agents"))
        await agents.update(ada, network.application, "hello", disabled=True)
        seen.append(await until_told(signals, "agents"))
        await agents.delete(ada, network.application, "hello")
        seen.append(await until_told(signals, "agents"))
    said = [(one.name, one.status, one.instances) for signal in seen for one in signal.agents]
    assert said == [
        ("ada/hello", "online", 1),
        ("ada/hello", "offline", 0),
        ("ada/hello", "disabled", 0),
        ("ada/hello", "gone", 0),
    ]


async def test_what_somebody_may_not_see_they_are_told_nothing_of() -> None:
    network = Network()
    ada, eve, root = await network.user(), await network.user("eve"), await network.user("root", Role.ADMIN)
    hers, own = await network.agent(ada), await network.agent(eve, "own")
    async with watching(network, eve) as of_eve, watching(network, root) as of_root:
        await begun(of_eve)
        await begun(of_root)
        await network.held(ada, hers)
        await tokens.issue(ada, network.application, "hello")
        await settle()
        network.comes(own, instance="ins_2")
        told = await until_told(of_eve, "agents")
        assert ([one.name for one in told.agents], told.tasks, told.tokens) == (["eve/own"], (), ())
        assert (await until_told(of_root, "tasks")).tasks[0].agent == "ada/hello"


async def test_the_number_tells_nobody_how_much_changes_that_they_do_not_see() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    hers = await network.agent(ada)
    async with watching(network, ada) as of_ada:
        first = await begun(of_ada)
        before = (await changes.missed(eve, network.application, None)).seq
        await network.held(ada, hers)
        await until_told(of_ada, "tasks")
        missed = await changes.missed(eve, network.application, before)
        assert (missed.seq, missed.says) == (before, False)
        assert (await changes.missed(ada, network.application, first.seq)).tasks
    network.clock.now += 1.0
    assert (await changes.missed(eve, network.application, None)).seq == int(network.clock.now * 1_000_000)


@pytest.mark.parametrize(("access", "tasks_too"), [(AccessLevel.CALL, False), (AccessLevel.MANAGE, True)])
async def test_of_what_is_shared_they_are_told_what_the_share_shows(access: AccessLevel, tasks_too: bool) -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    agent = await network.agent(ada)
    await agents.share(ada, network.application, "hello", ["eve"], access)
    eve = Principal(await network.engine.access.user("eve"), eve.credential, eve.scopes)
    async with watching(network, eve) as signals:
        before = await begun(signals)
        await network.held(ada, agent)
        await tokens.issue(ada, network.application, "hello")
        await settle()
        told = await until_told(signals, "agents")
        while tasks_too and not told.tokens:
            told = await until_told(signals, "tokens")
        missed = await changes.missed(eve, network.application, before.seq)
        assert (bool(missed.tasks), bool(missed.tokens)) == (tasks_too, tasks_too)
        await agents.unshare(ada, network.application, "hello", ["eve"])
        assert (await until_told(signals, "everything")).everything
        with pytest.raises(StopAsyncIteration):
            await anext(signals)


async def test_what_is_shared_with_everyone_and_is_no_more_is_told_of() -> None:
    network = Network()
    ada, eve = await network.user(), await network.user("eve")
    await network.agent(ada)
    async with watching(network, eve) as signals:
        await begun(signals)
        await agents.share(ada, network.application, "hello", ["everyone"], AccessLevel.CALL)
        assert (await until_told(signals, "agents")).agents[0].status == "offline"
        await agents.unshare(ada, network.application, "hello", ["everyone"])
        assert (await until_told(signals, "agents")).agents[0].status == "gone"


async def test_whoever_comes_into_a_group_watches_anew() -> None:
    network = Network()
    root, eve = await network.user("root", Role.ADMIN), await network.user("eve")
    await groups.create(root, network.application, "readers")
    async with watching(network, eve) as signals:
        await begun(signals)
        await groups.add(root, network.application, "readers", "eve")
        assert (await until_told(signals, "everything")).everything


async def test_a_key_for_tasks_is_told_of_tasks_alone() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    narrow = Principal(ada.user, ada.credential, (Scope.TASKS_READ,))
    async with watching(network, ada) as signals:
        before = await begun(signals)
        await network.held(ada, agent)
        await tokens.issue(ada, network.application, "hello")
        await until_told(signals, "tokens")
        told = await changes.missed(narrow, network.application, before.seq)
        assert told.tasks
        assert (told.agents, told.tokens) == ((), ())


async def test_it_ends_at_once_with_the_credential_and_when_the_server_stops() -> None:
    network = Network()
    ada = await network.user()
    await network.agent(ada)
    async with watching(network, ada) as signals:
        await begun(signals)
        network.engine.feed.close()
        with pytest.raises(StopAsyncIteration):
            await anext(signals)
    network = Network()
    ada = await network.user()
    async with watching(network, ada) as signals:
        await begun(signals)
        waits = asyncio.ensure_future(anext(signals))
        await settle()
        await keys.revoke(ada, network.application, ada.credential.id)
        with pytest.raises(Unauthenticated) as refused:
            await waits
        assert refused.value.code == "key_invalid"


async def test_after_a_cut_what_was_missed_is_told_or_that_nobody_knows() -> None:
    network = Network()
    ada = await network.user()
    agent = await network.agent(ada)
    long_ago = network.application.seq() - 1
    async with watching(network, ada) as stays:
        await begun(stays)
        async with watching(network, ada) as signals:
            seen = await begun(signals)
        task = await network.held(ada, agent)
        await until_told(stays, "tasks")
        async with watching(network, ada, seen.seq) as signals:
            assert [one.id for one in (await begun(signals)).tasks] == [task.id]
        async with watching(network, ada, long_ago) as signals:
            assert (await begun(signals)).everything


async def test_an_account_is_told_of_to_whose_it_is_and_to_who_manages_users_and_rows_to_who_reads_the_log() -> None:
    network = Network()
    root, ada, eve = await network.user("root", Role.ADMIN), await network.user("ada"), await network.user("eve")
    async with (
        watching(network, root) as managing,
        watching(network, ada) as own,
        watching(network, eve) as others,
    ):
        for signals in (managing, own, others):
            await begun(signals)
        key = await keys.create(ada, network.application, name="laptop")
        told = await until_told(own, "account")
        assert (told.people, told.audit) == (False, False)
        seen = await until_told(managing, "people")
        assert not seen.account
        assert seen.audit or (await until_told(managing, "audit")).says
        await keys.revoke(root, network.application, key.id)
        assert (await until_told(own, "account")).seq > told.seq
        # Of what somebody else comes in by, nobody learns that anything was changed.
        await keys.create(eve, network.application, name="desk")
        first = await until_told(others, "account")
        assert (first.people, first.audit, first.everything) == (False, False, False)
