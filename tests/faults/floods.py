"""A network that is put under load: the server as a process, its API without a client's patience, its file, its memory.

What a server or an agent prints on the way counts too: `spotless` fails a test for a traceback, a warning about a
resource, or a task that nobody waited for.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.e2e.processes import PATIENCE, Platform
from tests.faults.health import nothing_hangs, spotless

MEGABYTE = 1024 * 1024
KEPT = 64 * MEGABYTE
"""Tasks that have not ended are kept in memory up to this size (`REMEMBERED_BYTES` of the store)."""
MOST_GROWTH = 100 * MEGABYTE
"""What a server's memory may grow by under any load, besides those tasks."""
TERMINAL = ("completed", "failed", "canceled", "rejected")
Json = dict[str, Any]


@contextmanager
def up(folder: Path, **settings: object) -> Iterator[Platform]:
    """Run a server with these settings until the end of the block; then it ends by itself, and said nothing it may not.

    The test may kill it and start it again meanwhile. One user asks as often as they like, unless it is set otherwise.
    """
    told = {"requests_per_second": 0} | settings
    running = Platform(folder, **{name: str(value) for name, value in told.items()})
    running.environ["PYTHONWARNINGS"] = "always::ResourceWarning"
    running.start()
    try:
        yield running
        assert running.process is not None
        spotless(running.process)
        nothing_hangs(running)
        assert running.stop() == 0
        spotless(running.process)
    finally:
        running.kill()


class Api:
    """The HTTP API as any program sees it: nothing is tried again, every answer is looked at."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def submit(self, agent: str, skill: str = "echo", *, headers: Json | None = None, **body: Any) -> Any:
        """Submit a task; return the response."""
        new = {"agent": agent, "skill": skill, **body}
        return await self.http.post("/tasks", json=new, headers=headers)

    async def accepted(self, agent: str, skill: str = "echo", **body: Any) -> Json:
        """Submit a task that has to be accepted."""
        answer = await self.submit(agent, skill, **body)
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def batch(self, agent: str, inputs: list[Json], skill: str = "echo", **options: Any) -> list[Json]:
        """Submit up to 100 tasks in one request; return each one's answer."""
        news = [{"agent": agent, "skill": skill, "input": one, **options} for one in inputs]
        answer = await self.http.post("/tasks/batch", json={"tasks": news})
        assert answer.status_code == 200, answer.text
        return list(answer.json()["results"])

    async def show(self, task: str, **query: Any) -> Json:
        """Return a task."""
        answer = await self.http.get(f"/tasks/{task}", params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def ended(self, task: str, within: float = PATIENCE) -> Json:
        """Return a task when it has ended."""
        ends = time.monotonic() + within
        while (found := await self.show(task, wait=10))["state"] not in TERMINAL:
            assert time.monotonic() < ends, f"{task} has not ended: {found}"
        return found

    async def cancel(self, task: str) -> None:
        """Cancel a task."""
        answer = await self.http.post(f"/tasks/{task}/cancel", json={"reason": "not wanted any more"})
        assert answer.status_code == 200, answer.text

    async def token(self, agent: str) -> str:
        """Make a token, and the agent where there is none."""
        await self.http.post("/agents", json={"name": agent})
        answer = await self.http.post(f"/agents/{agent}/tokens", json={"name": "flood"})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["token"])

    async def key(self, name: str) -> str:
        """Make an API key: another caller."""
        answer = await self.http.post("/api-keys", json={"name": name})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["key"])


@asynccontextmanager
async def api(platform: Platform, key: str = "") -> AsyncIterator[Api]:
    """Open the API with the administrator's key, or another one."""
    headers = {"Authorization": f"Bearer {key or platform.api_key}"}
    most = httpx.Limits(max_connections=1_000, max_keepalive_connections=1_000)
    async with httpx.AsyncClient(
        base_url=f"{platform.url}/api/v1", headers=headers, limits=most, timeout=PATIENCE * 2, trust_env=False
    ) as http:
        yield Api(http)


def stored(platform: Platform, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Read the server's file as it is, past the server. Can neither write nor checkpoint."""
    file = Path(platform.environ["ATLAS_DATA_DIR"]) / "atlas.sqlite3"
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=PATIENCE)) as connection:
        return connection.execute(query, values).fetchall()


def sound(platform: Platform) -> None:
    """Fail when the file of a stopped server is not sound."""
    assert stored(platform, "PRAGMA integrity_check") == [("ok",)]
    gaps = "SELECT task_id FROM events GROUP BY task_id HAVING count(*) <> max(seq) OR min(seq) <> 1"
    assert stored(platform, gaps) == []


def resident(platform: Platform) -> int:
    """Return the bytes of memory that the server has."""
    assert platform.process is not None
    return int(psutil.Process(platform.process.pid).memory_info().rss)


async def until(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait until something is so that has no event of its own."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)


def percentile(times: list[float], part: float) -> float:
    """Return the time that this part of them does not exceed."""
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]
