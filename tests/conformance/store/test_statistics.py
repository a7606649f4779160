"""Promises of what is counted of tasks that have ended: it is what counting the tasks themselves gives."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable

import msgspec

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import CallerRef, Task, TaskFailure
from agentic_atlas.backend.domain.statistics import DAY, HOUR, MINUTE, Tallies, beginning, ended
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import ADA, BOB, LIBRARY, NOW, claimed, populate, task

START = beginning(NOW, HOUR)
"""Of all times here: an hour begins."""


async def keep(store: Store, number: int, at: float, chance: random.Random) -> None:
    """Store a task that ended then."""
    caller = chance.choice((CallerRef("api_key", "key_1", BOB.id), CallerRef("agent", LIBRARY.id, ADA.id)))
    made = task(
        number,
        agent_id=chance.choice((LIBRARY.id, "agent_2", "agent_gone")),
        skill=chance.choice(("search", "index")),
        owner_id=chance.choice((ADA.id, BOB.id)),
        caller=caller,
        created_at=at - chance.lognormvariate(0, 2),
    )
    await store.tasks.add(lifecycle.submit(made))
    await store.tasks.change(made.id, claimed)
    failed = TaskFailure(chance.choice(("timeout", "handler_error")), "it broke")
    if chance.random() < 0.7:
        await store.tasks.change(made.id, lambda one: lifecycle.complete(one, 1, b"1", at))
    else:
        await store.tasks.change(made.id, lambda one: lifecycle.fail(one, 1, failed, at))


async def furnish(store: Store) -> None:
    await populate(store)
    await store.agents.add(msgspec.structs.replace(LIBRARY, id="agent_2", owner_id=BOB.id, owner="bob"))


async def all_tasks(store: Store) -> list[Task]:
    return [one.task for one in (await store.tasks.find(TaskFilter(), limit=10_000))[0]]


async def counted(store: Store, visible: Visible, since: float, until: float, step: int, agent: str | None) -> Tallies:
    """Count the tasks themselves."""
    tallies = Tallies()
    for one in await all_tasks(store):
        what, at = ended(one), one.ended_at
        assert what is not None and at is not None
        seen = visible.task(one.caller.id, one.owner_id, await store.agents.get(one.agent_id))
        if seen and since <= at < until and agent in (None, one.agent_id):
            tallies.add(beginning(at, step), what)
    return tallies


async def check(store: Store, since: float, until: float, steps: Iterable[int]) -> None:
    for visible in (Visible(None), Visible(ADA.id), Visible(BOB.id), Visible("user_nobody")):
        for agent in (None, LIBRARY.id):
            for step in steps:
                found = await store.statistics.read(visible, since, until, step=step, agent_id=agent)
                right = await counted(store, visible, since, until, step, agent)
                assert found.by_time == right.by_time
                assert found.by_skill == right.by_skill
                assert found.by_caller == right.by_caller
        await check_agents(store, visible, since, until)


async def check_agents(store: Store, visible: Visible, since: float, until: float) -> None:
    right = {name: Counter[str]() for name in ("ada/library", "bob/library")}
    names = {LIBRARY.id: "ada/library", "agent_2": "bob/library"}
    for (agent_id, _, state, _), number in (await counted(store, visible, since, until, HOUR, None)).by_skill.items():
        if agent_id in names:
            right[names[agent_id]][state] += number
    for some in (list(right), ["bob/library"], ["ada/none"], []):
        found = await store.statistics.of_agents(visible, since, until, some)
        assert found == {name: right[name] for name in some if right.get(name)}


async def test_what_is_counted_is_what_is_there_before_each_minute_is_over_and_after(opened: Open) -> None:
    chance = random.Random(1)
    async with opened() as store:
        await furnish(store)
        for number in range(60):
            await keep(store, number, START + chance.uniform(0, 9 * MINUTE), chance)
        now = START + 9 * MINUTE
        await check(store, START, now, (MINUTE, HOUR))
        for at in (START + 1, START + 2 * MINUTE, START + 7 * MINUTE + 3, now, now):
            await store.statistics.roll(at)
            await check(store, START, now, (MINUTE, HOUR))
        await check(store, START + 2 * MINUTE, START + 5 * MINUTE, (MINUTE,))


async def test_an_end_that_is_stored_late_is_counted_once(opened: Open) -> None:
    chance = random.Random(2)
    async with opened() as store:
        await furnish(store)
        await keep(store, 1, START + 10, chance)
        await store.statistics.roll(START + 2 * MINUTE)
        await keep(store, 2, START + 20, chance)
        await keep(store, 3, START + MINUTE + 20, chance)
        for minute in (3, 4):
            await store.statistics.roll(START + minute * MINUTE)
            await check(store, START, START + 3 * MINUTE, (MINUTE,))


async def test_hours_are_what_their_minutes_were_and_a_month_is_kept(opened: Open) -> None:
    chance = random.Random(3)
    async with opened() as store:
        await furnish(store)
        for number in range(80):
            await keep(store, number, START + chance.uniform(0, 6 * HOUR), chance)
        for hour in (1, 2, 3, 4, 5, 6):
            await store.statistics.roll(START + hour * HOUR + 7)
        await check(store, START, START + 6 * HOUR, (HOUR,))
        await check(store, START + 4 * HOUR, START + 6 * HOUR, (MINUTE, HOUR))
        await store.statistics.roll(START + 40 * 24 * HOUR)
        assert len(await all_tasks(store)) == 80


async def test_what_ended_while_nobody_counted_is_counted_at_the_next_start(opened: Open) -> None:
    chance = random.Random(4)
    async with opened() as store:
        await furnish(store)
        for number in range(50):
            await keep(store, number, START + chance.uniform(0, 50 * HOUR), chance)
        for _ in range(2):
            await store.statistics.roll(START + 50 * HOUR)
            await check(store, START, START + 50 * HOUR, (HOUR,))


async def test_days_are_what_their_hours_were_and_parts_of_days_are_counted_as_such(opened: Open) -> None:
    chance, first = random.Random(6), beginning(NOW, DAY)
    async with opened() as store:
        await furnish(store)
        for number in range(60):
            await keep(store, number, first + chance.uniform(0, 3.5 * DAY), chance)
        for days in (1.5, 3.5, 3.5):
            await store.statistics.roll(first + days * DAY)
            await check(store, first, first + days * DAY, (DAY,))
        await check(store, first + 5 * HOUR, first + 3 * DAY + 5 * HOUR, (HOUR,))
        await check(store, first + DAY, first + 2 * DAY, (DAY, HOUR))
        await store.statistics.roll(first + 20 * DAY)  # no hour is kept by itself any more
        await check(store, first + DAY, first + 20 * DAY, (DAY,))


async def test_those_who_are_counted_have_names_as_long_as_they_are_there(opened: Open) -> None:
    chance = random.Random(5)
    async with opened() as store:
        await furnish(store)
        for number in range(20):
            await keep(store, number, START + 1, chance)
        found = await store.statistics.read(Visible(None), START, START + MINUTE, step=MINUTE)
        assert found.names[LIBRARY.id] == LIBRARY.full_name
        assert found.names[BOB.id] == "bob"
        assert "agent_gone" not in found.names
        assert (await store.statistics.read(Visible(BOB.id), START, START + 1, step=MINUTE)).managed == {"agent_2"}
