"""What a list of tasks costs over HTTP when many are stored, whatever it is narrowed by.

    python benchmarks/lists.py [--tasks 44000] [--requests 60]

Three networks. In one a member has `--tasks` tasks, of which one in a thousand has failed and one in a thousand is of
another skill; one has only those of them that the lists show; one is empty. Each list is asked for in turn from all, by
an administrator and by the member. The ratios of the medians are what all tasks that are stored cost beside those of
the page, and what they cost with what it takes to show a page, which the empty network has none of.

Ended tasks that were shown are remembered for a while. What a page costs that nobody has looked at yet is the last line
of each: one page of all tasks after the other.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec

from agentic_atlas.backend.archive.manifest import DATABASE
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.names import TASK, sortable
from agentic_atlas.backend.domain.records import Task, TaskFailure
from agentic_atlas.backend.store.database import open_store
from benchmarks.store import OUTPUT, claimed, new_task
from tests.e2e.processes import Platform

LISTS = ("", "state=failed", "state=completed", "state=submitted", "skill=rare", "prefix=tsk_zz", "parent=tsk_1")
AT_ONCE = 1_000
PAGE = 50


def ended(number: int, owner_id: str) -> Change:
    now = time.time()
    task = msgspec.structs.replace(
        new_task(number),
        id=sortable(TASK, int(1000 * now), number),
        owner_id=owner_id,
        skill="rare" if number % 1_000 == 1 else "search",
    )
    begun = claimed(task)
    end = _failed(begun.task, now) if number % 1_000 == 2 else lifecycle.complete(begun.task, 1, OUTPUT, now)
    assert end is not None
    return Change(end.task, begun.events + end.events)


def _failed(task: Task, now: float) -> Change | None:
    return lifecycle.fail(task, 1, TaskFailure("handler_error", "it broke"), now)


def shown(count: int) -> list[int]:
    """Return which of so many tasks are on a page: the newest, and the few that are unlike the others."""
    return [number for number in range(count) if number % 1_000 in (1, 2) or number >= count - PAGE]


async def fill(database: Path, numbers: Sequence[int], owner_id: str) -> None:
    async with open_store(database, clock=time.time, ids=lambda prefix: f"{prefix}_bench") as store:
        for start in range(0, len(numbers), AT_ONCE):
            added = [store.tasks.add(ended(number, owner_id)) for number in numbers[start : start + AT_ONCE]]
            for one in added:
                await one


def member_of(platform: Platform) -> tuple[str, str]:
    """Make a member; return the user's id and a key."""
    with client_of(platform, platform.api_key) as admin:
        user = admin.post("/api/v1/users", json={"name": "bob"}).raise_for_status().json()
        key = admin.post("/api/v1/api-keys", json={"user": "bob"}).raise_for_status().json()
    return user["id"], key["key"]


def client_of(platform: Platform, key: str) -> httpx.Client:
    return httpx.Client(base_url=platform.url, headers={"Authorization": f"Bearer {key}"})


def took(client: httpx.Client, query: str) -> float:
    started = time.perf_counter()
    client.get(f"/api/v1/tasks?limit={PAGE}&{query}").raise_for_status()
    return time.perf_counter() - started


def took_onward(client: httpx.Client, pages: int) -> float:
    """Return the median of the seconds of so many pages, each behind the one before; then from the beginning."""
    times, more = [], ""
    for _ in range(pages):
        started = time.perf_counter()
        answer = client.get(f"/api/v1/tasks?limit={PAGE}" + (f"&after={more}" if more else "")).raise_for_status()
        times.append(time.perf_counter() - started)
        more = answer.json()["next"] or ""
    return statistics.median(times)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tasks", type=int, default=44_000)
    arguments.add_argument("--requests", type=int, default=60)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as open_:
        networks = [Platform(Path(folder) / name).start() for name in ("empty", "page", "full")]
        for platform in networks:
            open_.callback(platform.kill)
        members = [member_of(platform) for platform in networks]
        for numbers, platform, (member, _) in zip(
            (shown(given.tasks), range(given.tasks)), networks[1:], members[1:], strict=True
        ):
            platform.stop()
            asyncio.run(fill(platform.folder / "data" / DATABASE, numbers, member))
            platform.start()
        print(f"{'list':18} {'for':7} {'empty ms':>9} {'page ms':>9} {'full ms':>9} {'to page':>8} {'to empty':>9}")
        for who, keys in (
            ("admin", [platform.api_key for platform in networks]),
            ("member", [key for _, key in members]),
        ):
            clients = [
                open_.enter_context(client_of(platform, key)) for platform, key in zip(networks, keys, strict=True)
            ]
            for query in LISTS:
                times = [[took(client, query) for client in clients] for _ in range(given.requests)]
                empty, page, full = (1000 * statistics.median(column) for column in zip(*times, strict=True))
                took_ms = f"{empty:9.2f} {page:9.2f} {full:9.2f}"
                print(f"{query or 'all':18} {who:7} {took_ms} {full / page:8.2f} {full / empty:9.2f}")
            empty, full = (1000 * took_onward(one, given.requests) for one in clients[::2])
            print(f"{'page after page':18} {who:7} {empty:9.2f} {'':9} {full:9.2f} {'':8} {full / empty:9.2f}")


if __name__ == "__main__":
    main()
