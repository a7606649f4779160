"""What the queries behind the pages cost when a million tasks are stored, beside the same with a thousand.

    python -m benchmarks.pages_store --folder DIR [--tasks 1000000] [--agents 5000] [--looks 20]

Two stores: one with so many tasks of so many agents, 25 of each user, and one with a thousand tasks of 50. They are
kept in the folder, and filled when they are not there: a million tasks take some minutes and 2 GB. Each query is run in
turn on both, for an administrator and for a member; what is told is the median of each, and their ratio. `more` says
that the page was not full, for so many rows were looked at, and another one follows.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sqlite3
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from agentic_atlas.backend.domain.names import TASK, sortable
from agentic_atlas.backend.domain.records import AgentRecord, CallerRef, Role, Task, TaskFailure, User
from agentic_atlas.backend.ports import Store, TaskFilter
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.rows import AGENTS, TASKS, USERS
from agentic_atlas.backend.store.tables import agents, tasks, users
from agentic_atlas.protocol.tasks import TaskState
from benchmarks.store import OUTPUT, new_task

SPAN = 30 * 86_400.0
"""Seconds over which the tasks were made."""
AGENTS_EACH = 25
SMALL = (1_000, 50)
PAGE = 50
AT_ONCE = 20_000

STATES = (
    *[(TaskState.COMPLETED, None)] * 930,
    *[(TaskState.FAILED, "handler_error")] * 44,
    *[(TaskState.FAILED, "timeout")] * 10,
    *[(TaskState.FAILED, "outcome_unknown")] * 1,
    *[(TaskState.CANCELED, "canceled")] * 10,
    *[(TaskState.REJECTED, "rejected")] * 3,
    *[(TaskState.SUBMITTED, None)] * 2,
)

FIRST = "agent_0"
"""Has every fifth task."""
MEMBER = "user_1"
KEY = "key_1_0"

FILTERS: Final = {
    "all": TaskFilter(),
    "agent": TaskFilter(agent_id="agent_30"),
    "busy agent": TaskFilter(agent_id=FIRST),
    "skill": TaskFilter(skill="search"),
    "rare skill": TaskFilter(skill="rare"),
    "failed": TaskFilter(states=(TaskState.FAILED,)),
    "working": TaskFilter(states=(TaskState.WORKING,)),
    "open": TaskFilter(states=(TaskState.SUBMITTED, TaskState.WORKING, TaskState.INPUT_REQUIRED)),
    "error": TaskFilter(error="timeout"),
    "rare error": TaskFilter(error="outcome_unknown"),
    "caller": TaskFilter(caller_ids=(KEY,)),
    "in a user's name": TaskFilter(owner_id=MEMBER),
    "since": TaskFilter(since=-86_400.0),
    "until": TaskFilter(until=-86_400.0),
    "agent, failed": TaskFilter(agent_id="agent_30", states=(TaskState.FAILED,)),
    "busy agent, error": TaskFilter(agent_id=FIRST, error="timeout"),
    "busy agent, rare error": TaskFilter(agent_id=FIRST, error="outcome_unknown"),
    "busy agent, skill": TaskFilter(agent_id=FIRST, skill="rare"),
    "busy agent, caller": TaskFilter(agent_id=FIRST, caller_ids=(KEY,)),
    "busy agent, a day": TaskFilter(agent_id=FIRST, since=-10 * 86_400.0, until=-9 * 86_400.0),
    "skill, failed": TaskFilter(skill="search", states=(TaskState.FAILED,)),
    "rare skill, failed": TaskFilter(skill="rare", states=(TaskState.FAILED,)),
    "skill, rare error": TaskFilter(skill="index", error="outcome_unknown"),
    "skill, caller, failed": TaskFilter(skill="index", caller_ids=(KEY,), states=(TaskState.FAILED,)),
    "completed, with an error": TaskFilter(states=(TaskState.COMPLETED,), error="timeout"),
    "everything": TaskFilter(
        agent_id="agent_30",
        states=(TaskState.FAILED,),
        skill="search",
        caller_ids=(KEY,),
        error="timeout",
        since=-20 * 86_400.0,
        until=-86_400.0,
    ),
}


def made(numbers: range, most_agents: int, begin: float, step: float) -> Iterator[Task]:
    """Yield the tasks of these numbers, the oldest first; number 0 was made at the beginning, each a step later."""
    chance = random.Random(numbers.stop)
    blank = new_task(0)
    for number in numbers:
        at = begin + step * number
        agent = 0 if chance.random() < 0.2 else chance.randrange(most_agents)
        user = chance.randrange(most_agents // AGENTS_EACH)
        state, code = chance.choice(STATES)
        ended = None if state is TaskState.SUBMITTED else at + chance.lognormvariate(0.0, 1.0)
        called = chance.random() < 0.1
        yield msgspec.structs.replace(
            blank,
            id=sortable(TASK, int(1000 * at), number),
            agent_id=f"agent_{agent}",
            agent=f"user{agent // AGENTS_EACH}/agent{agent}",
            skill="rare" if chance.random() < 0.0001 else chance.choice(("search", "search", "index")),
            state=state,
            caller=CallerRef("agent", f"agent_{chance.randrange(most_agents)}", f"user_{user}")
            if called
            else CallerRef("api_key", f"key_{user}_{chance.randrange(3)}", f"user_{user}", f"user{user}/laptop"),
            owner_id=f"user_{user}",
            created_at=at,
            updated_at=ended or at,
            ended_at=ended,
            trace=f"00-{int(1000 * at):012x}{number:020x}-{number:016x}-01",
            attempt=1,
            output=OUTPUT if state is TaskState.COMPLETED else None,
            error=TaskFailure(code, "it broke") if code else None,
        )


def fill(database: Path, count: int, most_agents: int, most_users: int = 0) -> None:
    """Fill a new store, with more users than own agents where it is said; indexes are made last, which is faster."""
    now = time.time()
    # Closed at the end, for only then all is in the file.
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA synchronous=OFF")
        found = connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name='tasks' AND type='index'")
        indexes = [(name, sql) for name, sql in found if sql]
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        owners = max(most_users, most_agents // AGENTS_EACH)
        insert(connection, users.name, [user_row(number, now) for number in range(owners)])
        insert(connection, agents.name, [agent_row(number, now) for number in range(most_agents)])
        if count:
            insert_tasks(connection, made(range(count), most_agents, now - SPAN, SPAN / count))
        for _, sql in indexes:
            connection.execute(sql)


def insert_tasks(connection: sqlite3.Connection, source: Iterator[Task]) -> None:
    while some := [TASKS.row(task) for task in islice(source, AT_ONCE)]:
        insert(connection, tasks.name, some)


def go_on(database: Path, count: int, most_agents: int) -> None:
    """Fill a store of so many tasks on to now, as if tasks had been made all the time."""
    with closing(sqlite3.connect(database)) as connection, connection:
        (begin,) = connection.execute("SELECT created_at FROM tasks ORDER BY id LIMIT 1").fetchone()
        (there,) = connection.execute("SELECT max(rowid) FROM tasks").fetchone()
        step = SPAN / count
        insert_tasks(connection, made(range(there, int((time.time() - begin) / step)), most_agents, begin, step))


def insert(connection: sqlite3.Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({','.join('?' * len(rows[0]))})", rows)


def user_row(number: int, now: float) -> Sequence[object]:
    return USERS.row(User(f"user_{number}", f"user{number}", Role.MEMBER, now))


def agent_row(number: int, now: float) -> Sequence[object]:
    owner = number // AGENTS_EACH
    return AGENTS.row(AgentRecord(f"agent_{number}", f"user_{owner}", f"user{owner}", f"agent{number}", now))


async def kept(folder: Path, count: int, most_agents: int) -> Path:
    """Return the database with so many tasks, filled unless it is there."""
    database = folder / f"{count}-{most_agents}.db"
    if not database.exists():
        new = database.with_suffix(".new")
        async with open_store(new, clock=time.time, ids=lambda prefix: f"{prefix}_bench"):
            pass
        fill(new, count, most_agents)
        new.rename(database)
    else:
        async with open_store(database, clock=time.time, ids=lambda prefix: f"{prefix}_bench"):
            pass
    return database


def placed(which: TaskFilter, visible: Visible, now: float) -> TaskFilter:
    """Return the filter for somebody, its times counted from now."""
    since = None if which.since is None else now + which.since
    until = None if which.until is None else now + which.until
    return msgspec.structs.replace(which, visible=visible, since=since, until=until)


async def find(which: TaskFilter, store: Store) -> object:
    return await store.tasks.find(which, limit=PAGE)


async def took(look: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await look()
    return 1000 * (time.perf_counter() - started)


async def measure(name: str, looks: int, ask: Callable[[Store], Awaitable[object]], small: Store, large: Store) -> None:
    times = [[await took(partial(ask, store)) for store in (small, large)] for _ in range(looks)]
    few, many = (statistics.median(column) for column in zip(*times, strict=True))
    print(f"{name:36} {few:9.2f} {many:9.2f} {many / few:7.2f}", end="", flush=True)


async def run(folder: Path, count: int, most_agents: int, looks: int) -> None:
    databases = [await kept(folder, *SMALL), await kept(folder, count, most_agents)]
    opened = [open_store(one, clock=time.time, ids=lambda prefix: f"{prefix}_bench") for one in databases]
    async with opened[0] as small, opened[1] as large:
        now = databases[1].stat().st_mtime
        for store in (small, large):
            # What ended since the last time is counted before, as it is at each start.
            await store.statistics.roll(now)
        print(f"{'query':36} {'small ms':>9} {'large ms':>9} {'ratio':>7}")
        for who, visible in (("admin", Visible(None)), ("member", Visible(MEMBER))):
            for name, which in FILTERS.items():
                asked = placed(which, visible, now)
                await measure(f"{who}: {name}", looks, partial(find, asked), small, large)
                found, more = await large.tasks.find(asked, limit=PAGE)
                print(f"  {len(found)}{' more' if more and len(found) < PAGE else ''}")
            for name, ask in others(visible, now).items():
                await measure(f"{who}: {name}", looks, ask, small, large)
                print()


def others(visible: Visible, now: float) -> dict[str, Callable[[Store], Awaitable[object]]]:
    """Return what pages ask besides lists of tasks."""
    day, week = 86_400.0, 7 * 86_400.0
    return {
        "statistics of an hour": lambda store: store.statistics.read(visible, now - 3_600, now, step=60),
        "statistics of a day": lambda store: store.statistics.read(visible, now - day, now, step=3_600),
        "statistics of a month": lambda store: store.statistics.read(visible, now - 30 * day, now, step=86_400),
        "statistics of an agent, of a week": lambda store: store.statistics.read(
            visible, now - week, now, step=3_600, agent_id=FIRST
        ),
        "agents that are gone": lambda store: store.attention.unseen(visible, now - week, now, limit=500),
        "tokens that end": lambda store: store.attention.ending(visible, now, now + week, limit=500),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--tasks", type=int, default=1_000_000)
    arguments.add_argument("--agents", type=int, default=5_000)
    arguments.add_argument("--looks", type=int, default=20)
    given = arguments.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(run(given.folder, given.tasks, given.agents, given.looks))


if __name__ == "__main__":
    main()
