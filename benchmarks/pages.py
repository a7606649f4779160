"""What each page costs when a million tasks and 5,000 agents are stored, beside the same with a thousand tasks.

```console
$ python -m benchmarks.pages --folder DIR
$ python -m benchmarks.pages --folder DIR --looks 7 --only /tasks
```

Two networks, each a process of its own as a user has it. The store of the large one is kept in the folder, is filled
where it is not there, which takes some minutes and 2 GB, and is filled on to now where it is. The small one is made
anew each time, so that the same is shown in both and only what is behind it differs: it has the tasks that the pages of
the large one show to those who look here, and so many of the newest besides that there are a thousand; 200 agents,
of which there are no more on a page; and as many users as the large one. That as much is shown can be seen: the
sizes of both answers are told.

Every page that is declared is asked for, some in several ways, of both networks in turn, by an administrator and by a
member. Told are the medians of the first look after a start, of some starts, and of later looks, and the ratio of the
later ones. Beside pages there is what became of tasks in an hour, a day, a week and a month: as these figures are of
all tasks, there are no more than milliseconds to reach.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shutil
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from agentic_atlas.backend.archive.manifest import DATABASE
from agentic_atlas.backend.domain.records import SkillRecord
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.rows import SKILLS
from agentic_atlas.backend.store.tables import skills, tasks
from agentic_atlas.platform.app import PAGES
from agentic_atlas.platform.pages.settings.audit import LINES_IN_PAGE
from agentic_atlas.protocol.messages import Policy
from benchmarks import pages_store
from tests.e2e.processes import Platform

SMALL: Final = (1_000, 200)
"""Tasks and agents of the small network."""
LARGE: Final = (1_000_000, 5_000)
LOOKS, FIRSTS = 15, 3
MOST_RATIO, MOST_MS = 1.5, 100.0
AGENT: Final = "user1/agent30"
"""Theirs whom the member is."""
SAME_AGENTS: Final = 50
"""The first agents are in both networks; of others the tasks are given to others in the small one."""
PEOPLE: Final = ("administrator", "member")
STATISTICS: Final = "/api/v1/statistics?since="


def large(folder: Path, count: int, most_agents: int) -> Platform:
    """Return a network with so many tasks and agents, started, whose last task is of now; it is filled as needed."""
    platform, full = Platform(folder), folder / "full"
    database = folder / "data" / DATABASE
    if not full.exists():
        platform.start().stop()
        pages_store.fill(database, count, most_agents, most_agents // pages_store.AGENTS_EACH)
        declare(database, most_agents)
        full.touch()
    pages_store.go_on(database, count, most_agents)
    asyncio.run(count_ended(database))
    return platform.start()


def small(folder: Path, shown: Sequence[str], source: Path, users: int) -> Platform:
    """Return a network with these tasks of another store and the newest besides, started."""
    shutil.rmtree(folder, ignore_errors=True)
    platform, database = Platform(folder), folder / "data" / DATABASE
    platform.start().stop()
    count, most_agents = SMALL
    pages_store.fill(database, 0, most_agents, users)
    declare(database, most_agents)
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as other,
        closing(sqlite3.connect(database)) as own,
    ):
        rows = {id_: other.execute("SELECT * FROM tasks WHERE id = ?", (id_,)).fetchone() for id_ in shown}
        newest = other.execute("SELECT * FROM tasks ORDER BY id DESC LIMIT ?", (count,))
        while len(rows) < count:
            row = newest.fetchone()
            rows[row[0]] = row
        with own:
            pages_store.insert(own, tasks.name, [of_fewer(rows[id_], most_agents) for id_ in sorted(rows)])
    asyncio.run(count_ended(database))
    return platform.start()


def of_fewer(row: Sequence[object], most_agents: int) -> Sequence[object]:
    """Return a task's row with agents of a network that has fewer."""
    columns = [column.name for column in tasks.columns]
    values = dict(zip(columns, row, strict=True))
    number = fewer(str(values["agent_id"]), most_agents)
    values |= {"agent_id": f"agent_{number}", "agent": f"user{number // pages_store.AGENTS_EACH}/agent{number}"}
    if values["caller_kind"] == "agent":
        values["caller_id"] = f"agent_{fewer(str(values['caller_id']), most_agents)}"
    return list(values.values())


def fewer(agent_id: str, most_agents: int) -> int:
    number = int(agent_id.partition("_")[2])
    return number if number < SAME_AGENTS else SAME_AGENTS + (number - SAME_AGENTS) % (most_agents - SAME_AGENTS)


def declare(database: Path, most_agents: int) -> None:
    """Give each agent the skills that its tasks are of."""
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = [
            SKILLS.row(SkillRecord(f"agent_{number}", name, "", b'{"type":"object"}', b"null", Policy(), False, 0.0))
            for number in range(most_agents)
            for name in ("index", "rare", "search")
        ]
        pages_store.insert(connection, skills.name, rows)


async def count_ended(database: Path) -> None:
    """Count the tasks that have ended, as a network does in its first minutes."""
    async with open_store(database, clock=time.time, ids=lambda prefix: f"{prefix}_bench") as store:
        await store.statistics.roll(time.time())


class Asked:
    """Somebody's requests to a network.

    Attributes:
        known: what stands for the parts of paths in braces.
    """

    def __init__(self, platform: Platform, key: str, known: Mapping[str, str]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.http = httpx.Client(base_url=platform.url, headers=headers, trust_env=False, timeout=60)
        self.known = known

    def text(self, path: str) -> str:
        """Return what a page says."""
        return self.http.get(self.placed(path)).text

    def placed(self, path: str) -> str:
        return re.sub(r"{(\w+)}", lambda found: self.known[found[1]], path)

    def get(self, path: str) -> tuple[float, int]:
        """Return the milliseconds until all of a page is there, and its bytes."""
        placed = self.placed(path)
        began = time.perf_counter()
        answer = self.http.get(placed)
        took = 1000 * (time.perf_counter() - began)
        if answer.status_code not in (200, 303, 403):
            sys.exit(f"{placed}: {answer.status_code} {answer.text[:500]}")
        return took, len(answer.content)


def people(platform: Platform) -> list[Asked]:
    """Return the administrator and a member, each with what they look at."""
    headers = {"Authorization": f"Bearer {platform.api_key}"}
    with httpx.Client(base_url=platform.url, headers=headers, trust_env=False, timeout=60) as admin:

        def made(path: str, body: Mapping[str, object]) -> dict[str, str]:
            return dict(admin.post(f"/api/v1/{path}", json=body).raise_for_status().json())

        kept = platform.folder / "known.json"  # made once: each look at a store finds as much
        if not kept.exists():
            key, token = made("api-keys", {"user": "user1"})["key"], made(f"agents/{AGENT}/tokens", {"name": "laptop"})
            made("groups", {"name": "team"})
            for number in range(LINES_IN_PAGE):
                made("groups", {"name": f"group{number}"})
                admin.delete(f"/api/v1/groups/group{number}").raise_for_status()
            kept.write_text(json.dumps({"key": key, "token": token["id"]}))
        kept_key, token_id = json.loads(kept.read_text()).values()
        signing = admin.get("/api/v1/signing-keys").raise_for_status().json()["items"][0]["id"]
        tasks = admin.get("/api/v1/tasks", params={"agent": AGENT, "limit": 2}).raise_for_status().json()["items"]
    owner, _, name = AGENT.partition("/")
    known = {"owner": owner, "agent": name, "skill": "search", "task_id": tasks[0]["id"], "other": tasks[1]["id"]}
    known |= {"token_id": token_id, "key_id": signing, "person": owner, "group": "team"}
    known |= {name: (datetime.now(UTC) - span).strftime("%Y-%m-%dT%H:%M:%SZ") for name, span in SPANS.items()}
    return [Asked(platform, one, known) for one in (platform.api_key, kept_key)]


NAMED: Final = {"/agents/": "agent", "/settings/people/": "person", "/settings/groups/": "group"}
"""What `{name}` is of, by how a path begins."""
SPANS: Final = {
    f"a_{name}_ago": timedelta(days) for name, days in (("hour", 1 / 24), ("day", 1), ("week", 7), ("month", 30))
}
WAYS: Final = {
    "/overview": [""],
    "/agents": ["", "?after=user1/agent30"],
    "/agents/{owner}/{agent}/tasks": [""],
    "/tasks/{task_id}/compare": ["?other={other}"],
    "/tasks": [
        *("", "?state=failed", "?state=completed", "?skill=search", "?skill=rare", "?error=timeout"),
        *("?error=outcome_unknown", "?agent=user1/agent30", "?agent=user0/agent0", "?caller=user1", "?period=day"),
        *("?agent=user0/agent0&error=timeout", "?agent=user0/agent0&skill=rare", "?skill=search&state=failed"),
        *("?agent=user1/agent30&skill=search&state=failed&period=month", "?caller=user1&error=timeout"),
    ],
    "/palette": ["", "?q=agent30", "?q=tsk_", "?q=zzzz"],
}


def paths() -> Iterator[str]:
    """Yield every page that is declared, and what the palette asks for, each in the ways that it is asked for."""
    declared = {page.path for page in PAGES if page.method == "GET"}
    for path in sorted(declared | {"/palette"}):
        kind = next((kind for begins, kind in NAMED.items() if path.startswith(begins)), "name")
        placed = path.replace("{name}", f"{{{kind}}}")
        yield from (placed + way for way in WAYS.get(placed, [""]))
    yield from (f"{STATISTICS}{{{span}}}" for span in SPANS)


class Times(NamedTuple):
    """Milliseconds in the small and in the large network."""

    small: float
    large: float

    @property
    def ratio(self) -> float:
        return self.large / self.small


def medians(times: Sequence[Sequence[float]]) -> Times:
    return Times(*(statistics.median(column) for column in zip(*times, strict=True)))


def looks(
    asked: Sequence[Sequence[Asked]], paths: Sequence[str], rounds: int
) -> Mapping[tuple[int, str], tuple[Times, Sequence[int]]]:
    """Return what so many looks at each page take, in the median, and the bytes of both networks' last answers."""
    found: dict[tuple[int, str], tuple[Times, Sequence[int]]] = {}
    for number, path in product(range(len(PEOPLE)), paths):
        seen = [[one[number].get(path) for one in asked] for _ in range(rounds)]
        found[number, path] = medians([[took for took, _ in one] for one in seen]), [size for _, size in seen[-1]]
    return found


def first_looks(
    networks: Sequence[Platform], asked: Sequence[Sequence[Asked]], paths: Sequence[str], starts: int
) -> Mapping[tuple[int, str], Times]:
    """Return what the first look at each page takes after a start, in the median of some."""
    found: list[Mapping[tuple[int, str], tuple[Times, Sequence[int]]]] = []
    for _ in range(starts):
        for one in networks:
            one.stop()
            one.start()
        found.append(looks(asked, paths, 1))
    return {key: medians([one[key][0] for one in found]) for key in found[0]}


def shown(asked: Sequence[Asked], paths: Sequence[str]) -> list[str]:
    """Return the ids of all tasks that pages show."""
    found = (re.findall(r"tsk_[0-9a-z]{26}", one.text(path)) for one in asked for path in paths)
    return sorted({id_ for ids in found for id_ in ids})


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--tasks", type=int, default=LARGE[0])
    arguments.add_argument("--agents", type=int, default=LARGE[1])
    arguments.add_argument("--looks", type=int, default=LOOKS)
    arguments.add_argument("--firsts", type=int, default=FIRSTS, help="starts after which a first look is taken")
    arguments.add_argument("--only", default="", help="how the paths begin that are asked for")
    given = arguments.parse_args()
    asked_for = list(paths())
    folder, users = given.folder / f"{given.tasks}-{given.agents}", given.agents // pages_store.AGENTS_EACH
    with ExitStack() as held:
        many = large(folder, given.tasks, given.agents)
        held.callback(lambda: many.stop())
        of_many = people(many)
        few = small(given.folder / "small", shown(of_many, asked_for), folder / "data" / DATABASE, users)
        held.callback(lambda: few.stop())
        asked = [people(few), of_many]
        chosen = [one for one in asked_for if one.startswith(given.only)]
        firsts = first_looks((few, many), asked, chosen, given.firsts)
        tell(firsts, looks(asked, chosen, given.looks))


def tell(firsts: Mapping[tuple[int, str], Times], later: Mapping[tuple[int, str], tuple[Times, Sequence[int]]]) -> None:
    """Print a line of each page, and how many of them are above what is to be reached."""
    above, last = 0, -1
    print(f"{'':68} {'first look':>15} {'later looks':>15}")
    print(f"{'page':68} {'small ms':>8} {'large':>6} {'small':>8} {'large':>6} {'ratio':>6} {'KiB':>11}")
    for (number, path), (times, sizes) in later.items():
        if number != last:
            print(f"by {'an' if number == 0 else 'a'} {PEOPLE[number]}")
            last = number
        first = firsts[number, path]
        missed = max(first.large, times.large) > MOST_MS or (
            times.ratio > MOST_RATIO and not path.startswith(STATISTICS)
        )
        above += missed
        cells = f"{first.small:8.1f} {first.large:6.1f} {times.small:8.1f} {times.large:6.1f} {times.ratio:6.2f}"
        size = " ".join(f"{one / 1024:5.1f}" for one in sizes)
        print(f"{path:68} {cells} {size}{' !' if missed else ''}", flush=True)
    print(f"above {MOST_RATIO} times, or above {MOST_MS:.0f} ms (!): {above}")


if __name__ == "__main__":
    main()
