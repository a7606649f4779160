"""Who sees which lines: those said to tasks that one sees, and all of agents that one manages."""

from __future__ import annotations

from contextlib import aclosing
from typing import NamedTuple

import pytest
from msgspec.structs import replace

from agentic_atlas.auth import Scope
from agentic_atlas.backend.domain.logs import LogFilter
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Role, Share, Task
from agentic_atlas.backend.engine.review import look_again
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.store.memory_logs import MemoryLogs
from agentic_atlas.backend.usecases import agents, logs
from agentic_atlas.backend.usecases.logs import LogsOf
from agentic_atlas.errors import AtlasError, NotFound
from agentic_atlas.protocol.caller.logs import LogInfo, LogSkip
from agentic_atlas.protocol.messages import LogLine, LogSource, Raw
from tests.unit.backend.network import NOW, Network, wanted

LONG = 5.0


class Story(NamedTuple):
    """Ada's agent, shared with Bob for calling, has said something, to a task of each and to nobody."""

    network: Network
    ada: Principal
    bob: Principal
    agent: AgentRecord
    of_ada: Task
    of_bob: Task

    async def say(self, message: str, task: Task | None = None, source: LogSource = "logging", at: float = 0) -> None:
        book = self.network.engine.logs
        assert book is not None
        line = LogLine(NOW + at, "info", message, source, task.id if task else "", 1, fields=Raw(b'{"n":1}'))
        await book.keep(self.agent.id, f"ins_{message}", 1, [line], 0)

    async def sees(self, who: Principal, of: LogsOf | None = None, which: LogFilter | None = None) -> list[str]:
        page = await logs.find(who, self.network.application, which or LogFilter(), of or LogsOf(), limit=50)
        return [line.message for line in page.items]


@pytest.fixture
async def story() -> Story:
    network = Network(logs=MemoryLogs())
    ada, bob = await network.user(), await network.user("bob")
    agent = await network.agent(ada)
    await network.store.shares.put(agent.id, [Share(f"user:{bob.user.id}", AccessLevel.CALL)], NOW)
    tasks = [(await network.submit(who, wanted("ada/hello"))).task for who in (ada, bob)]
    told = Story(network, ada, bob, agent, *tasks)
    network.clock.now = NOW + 100
    await told.say("own", at=-3)
    await told.say("to Ada", told.of_ada, "task", at=-2)
    await told.say("to Bob", told.of_bob, "task", at=-1)
    await told.say("printed", told.of_bob, "stdout")
    return told


async def test_who_manages_an_agent_sees_all_that_it_says(story: Story) -> None:
    everything = ["printed", "to Bob", "to Ada", "own"]
    assert await story.sees(story.ada) == everything
    assert await story.sees(await story.network.user("root", Role.ADMIN)) == everything
    assert await story.sees(story.ada, LogsOf(agent="hello")) == everything
    assert await story.sees(story.ada, LogsOf(task=story.of_bob.id)) == ["printed", "to Bob"]
    assert await story.sees(story.ada, LogsOf(trace=story.of_ada.trace_id)) == ["to Ada"]


async def test_who_calls_an_agent_sees_what_it_says_to_their_tasks(story: Story) -> None:
    assert await story.sees(story.bob) == ["to Bob"]
    assert await story.sees(story.bob, LogsOf(agent="ada/hello")) == ["to Bob"]
    assert await story.sees(story.bob, LogsOf(task=story.of_bob.id)) == ["to Bob"]
    assert await story.sees(story.bob, LogsOf(trace=story.of_ada.trace_id)) == []
    with pytest.raises(NotFound):
        await story.sees(story.bob, LogsOf(task=story.of_ada.id))
    eve = await story.network.user("eve")
    assert await story.sees(eve) == []
    with pytest.raises(NotFound):
        await story.sees(eve, LogsOf(agent="ada/hello"))


async def test_a_key_that_is_good_for_less_shows_less(story: Story) -> None:
    reads_tasks = replace(story.ada, scopes=(Scope.TASKS_READ.value,))
    assert await story.sees(reads_tasks) == ["to Ada"]
    own = replace(story.bob, scopes=("tasks:read:own",))
    assert await story.sees(own) == ["to Bob"]
    other = replace(own, credential=replace(own.credential, id="key_other"))
    assert await story.sees(other) == []


async def test_a_line_is_shown_with_all_that_is_known_of_it(story: Story) -> None:
    page = await logs.find(story.ada, story.network.application, LogFilter(text="TO ADA"), LogsOf(), limit=5)
    (line,) = page.items
    assert (line.agent, line.task_id, line.trace_id) == ("ada/hello", story.of_ada.id, story.of_ada.trace_id)
    assert (line.at.timestamp(), line.level, line.source, line.fields) == (NOW - 2, "info", "task", {"n": 1})
    assert (page.next, page.searched_to) == (None, None)


async def test_of_an_agent_that_was_removed_nothing_is_kept(story: Story) -> None:
    await agents.delete(story.ada, story.network.application, "hello")
    assert await story.sees(await story.network.user("root", Role.ADMIN)) == []


async def test_a_network_that_keeps_no_lines_says_so() -> None:
    network = Network()
    with pytest.raises(AtlasError) as refused:
        await logs.find(await network.user(), network.application, LogFilter(), LogsOf(), limit=5)
    assert refused.value.code == "logs_not_kept"


def told(news: list[LogInfo | LogSkip]) -> list[str]:
    return [one.message if isinstance(one, LogInfo) else f"skipped {one.lines}" for one in news]


async def test_who_watches_is_told_the_last_lines_and_those_that_come_each_once(story: Story) -> None:
    application = story.network.application
    place, news = await logs.watch(story.bob, application, LogFilter(), LogsOf(), last=9, keep_alive=LONG)
    with place:
        async with aclosing(news):
            assert told(await anext(news)) == ["to Bob"]
            await story.say("more to Ada", story.of_ada, "task")
            await story.say("more to Bob", story.of_bob, "task")
            assert told(await anext(news)) == ["more to Bob"]
    assert story.network.engine.logs is not None
    assert len(story.network.engine.logs.tail) == 0


async def test_who_is_shared_an_agent_for_managing_begins_to_be_told_all_of_it(story: Story) -> None:
    place, news = await logs.watch(story.bob, story.network.application, LogFilter(), LogsOf(), last=0, keep_alive=LONG)
    with place:
        async with aclosing(news):
            assert await anext(news) == []
            share = [Share(f"user:{story.bob.user.id}", AccessLevel.MANAGE)]
            await story.network.store.shares.put(story.agent.id, share, NOW)
            story.network.engine.changes.agent(story.agent.id)
            await story.say("all")
            assert told(await anext(news)) == ["all"]


async def test_who_is_shared_something_else_goes_on_to_be_told(story: Story) -> None:
    place, news = await logs.watch(story.bob, story.network.application, LogFilter(), LogsOf(), last=0, keep_alive=LONG)
    with place:
        async with aclosing(news):
            assert await anext(news) == []
            await look_again(story.network.engine, [story.bob.user.id])
            assert await anext(news) == []
            await story.say("more to Bob", story.of_bob, "task")
            assert told(await anext(news)) == ["more to Bob"]


async def test_silence_is_told_and_the_end_of_the_server_ends_it(story: Story) -> None:
    _, news = await logs.watch(story.ada, story.network.application, LogFilter(), LogsOf(), last=0, keep_alive=0.01)
    async with aclosing(news):
        assert await anext(news) == []
        assert await anext(news) == []
        story.network.engine.feed.close()
        assert [one async for one in news] in ([], [[]])


async def test_where_more_was_said_than_one_begins_with_it_is_told(story: Story) -> None:
    which = LogFilter(since=NOW - 9)
    _, news = await logs.watch(story.ada, story.network.application, which, LogsOf(), last=2, keep_alive=LONG)
    async with aclosing(news):
        assert told(await anext(news)) == ["skipped None", "to Bob", "printed"]
