"""What each page costs when a million tasks and 5,000 agents are stored, beside the same with a thousand tasks.

```console
$ python -m benchmarks.pages --folder DIR
$ python -m benchmarks.pages --folder DIR --looks 7 --only /tasks
```

Two networks, each a process of its own as a user has it, whose stores are kept in the folder and are filled where they
are not there: a million tasks take some minutes and 2 GB. The small one has agents enough for the first page of the
list of agents to be full. Every page that is declared is asked for, some in several ways, of both networks in turn, by
an administrator and by a member; told are the medians of each, their ratio, and how large both answers are. A page that
shows more where there is more takes longer: look at its size beside its ratio.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import httpx

from agentic_atlas.backend.archive.manifest import DATABASE
from agentic_atlas.backend.domain.records import SkillRecord
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.rows import SKILLS
from agentic_atlas.backend.store.tables import skills
from agentic_atlas.platform.app import PAGES
from agentic_atlas.protocol.messages import Policy
from benchmarks import pages_store
from tests.e2e.processes import Platform

SMALL: Final = (1_000, 150)
"""Tasks and agents of the small network."""
LARGE: Final = (1_000_000, 5_000)
LOOKS: Final = 15
MOST_RATIO, MOST_MS = 1.5, 100.0
AGENT: Final = "user1/agent30"
"""Theirs whom the member is."""
PEOPLE: Final = ("administrator", "member")


def filled(folder: Path, count: int, most_agents: int) -> Platform:
    """Return a network with so many tasks and agents, started; its store is filled unless it is there."""
    platform, full = Platform(folder), folder / "full"
    if not full.exists():
        platform.start().stop()
        database = folder / "data" / DATABASE
        pages_store.fill(database, count, most_agents)
        declare(database, most_agents)
        asyncio.run(count_ended(database))
        full.touch()
    return platform.start()


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

    def get(self, path: str) -> tuple[float, int]:
        """Return the milliseconds until all of a page is there, and its bytes."""
        placed = re.sub(r"{(\w+)}", lambda found: self.known[found[1]], path)
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

        key = made("api-keys", {"user": "user1"})["key"]
        if not any(one["name"] == "team" for one in admin.get("/api/v1/groups").raise_for_status().json()["items"]):
            made("groups", {"name": "team"})
        token = made(f"agents/{AGENT}/tokens", {"name": "laptop"})
        signing = admin.get("/api/v1/signing-keys").raise_for_status().json()["items"][0]["id"]
        tasks = admin.get("/api/v1/tasks", params={"agent": AGENT, "limit": 2}).raise_for_status().json()["items"]
    owner, _, name = AGENT.partition("/")
    known = {"owner": owner, "agent": name, "skill": "search", "task_id": tasks[0]["id"], "other": tasks[1]["id"]}
    known |= {"token_id": token["id"], "key_id": signing, "person": owner, "group": "team"}
    return [Asked(platform, one, known) for one in (platform.api_key, key)]


NAMED: Final = {"/agents/": "agent", "/settings/people/": "person", "/settings/groups/": "group"}
"""What `{name}` is of, by how a path begins."""
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


def compare(path: str, looks: int, small: Asked, large: Asked) -> tuple[float, float, int, int]:
    """Return the medians of a page's milliseconds in both, and its bytes; the first look of each is left out."""
    sizes = [one.get(path)[1] for one in (small, large)]
    times = [[one.get(path)[0] for one in (small, large)] for _ in range(looks)]
    few, many = (statistics.median(column) for column in zip(*times, strict=True))
    return few, many, *sizes


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=Path, required=True)
    arguments.add_argument("--tasks", type=int, default=LARGE[0])
    arguments.add_argument("--agents", type=int, default=LARGE[1])
    arguments.add_argument("--looks", type=int, default=LOOKS)
    arguments.add_argument("--only", default="", help="how the paths begin that are asked for")
    given = arguments.parse_args()
    with ExitStack() as held:
        networks = []
        for count, most_agents in (SMALL, (given.tasks, given.agents)):
            networks.append(filled(given.folder / f"{count}-{most_agents}", count, most_agents))
            held.callback(networks[-1].stop)
        asked = [people(one) for one in networks]
        above = 0
        print(f"{'page':68} {'small ms':>9} {'large ms':>9} {'ratio':>6} {'KiB':>11}")
        for number, who in enumerate(PEOPLE):
            print(f"by {'an' if number == 0 else 'a'} {who}")
            for path in (one for one in paths() if one.startswith(given.only)):
                few, many, *sizes = compare(path, given.looks, asked[0][number], asked[1][number])
                missed = many / few > MOST_RATIO or many > MOST_MS
                above += missed
                size = " ".join(f"{one / 1024:5.1f}" for one in sizes)
                print(f"{path:68} {few:9.1f} {many:9.1f} {many / few:6.2f} {size}{' !' if missed else ''}", flush=True)
        print(f"above {MOST_RATIO} times, or above {MOST_MS:.0f} ms (!): {above}")


if __name__ == "__main__":
    main()
