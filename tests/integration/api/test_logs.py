"""The routes of agents' logs, over the real file."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.errors import Unavailable
from agentic_atlas.protocol.messages import LogLine
from tests.integration.api.network import Api, api

AT = 1_800_000_000.0


async def keep(atlas: Api, agent: str, first: int, *messages: str, level: Any = "info") -> None:
    assert atlas.engine.logs is not None
    record = await atlas.engine.store.agents.by_name("admin", agent)
    assert record is not None
    lines = [LogLine(atlas.engine.clock(), level, message, "logging") for message in messages]
    await atlas.engine.logs.keep(record.id, f"ins_{agent}", first, lines, 0)


def events(text: str) -> list[tuple[str, Any]]:
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in blocks]


async def test_lines_are_listed_page_after_page(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        for name in ("hello", "other"):
            await atlas.admin.post("/api/v1/agents", json={"name": name})
        await keep(atlas, "hello", 1, *[f"line {n}" for n in range(1, 8)])
        await keep(atlas, "other", 1, "all is lost", level="error")
        found, after = [], ""
        while True:
            page = (await atlas.admin.get(f"/api/v1/logs?agent=hello&limit=3{after}")).json()
            found += [line["message"] for line in page["items"]]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert found == [f"line {n}" for n in range(7, 0, -1)]
        (line,) = (await atlas.admin.get("/api/v1/logs?level=warning&text=LOST")).json()["items"]
        assert (line["agent"], line["level"], line["source"]) == ("admin/other", "error", "logging")
        for wrong in ("level=loud", "source=radio", "trace=1", "since=soon", f"text={'x' * 201}", "after=x"):
            assert (await atlas.admin.get(f"/api/v1/logs?{wrong}")).status_code == 422
        assert (await atlas.admin.get("/api/v1/logs?agent=nobody")).json()["error"]["code"] == "agent_not_found"


async def test_a_stream_begins_with_the_last_lines_and_goes_on(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        await keep(atlas, "hello", 1, "a", "b", "c")
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(atlas.admin.get("/api/v1/logs/stream?last=2"))
            assert atlas.engine.logs is not None
            while not len(atlas.engine.logs.tail):  # noqa: ASYNC110 - it begins by itself
                await asyncio.sleep(0.01)
            await keep(atlas, "hello", 4, "d")
            while any(watch.waits for watch in atlas.engine.logs.tail._watches):  # noqa: ASYNC110 - it is told by itself
                await asyncio.sleep(0.01)
            atlas.engine.feed.close()
        answer = watching.result()
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert [(kind, data["message"]) for kind, data in events(answer.text)] == [
            ("line", "b"),
            ("line", "c"),
            ("line", "d"),
        ]
        page = (await atlas.admin.get("/api/v1/logs/stream?last=2", headers={"Accept": "application/json"})).json()
        assert [line["message"] for line in page["items"]] == ["d", "c"]


async def test_while_lines_cannot_be_kept_health_says_so_and_stays_well(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas:
        await atlas.admin.post("/api/v1/agents", json={"name": "hello"})
        assert (await atlas.anonymous.get("/healthz")).json()["agent_logs"] == "kept"
        with closing(sqlite3.connect(tmp_path / "logs.sqlite3")) as other:
            other.execute("CREATE TABLE theirs (x)")
        with pytest.raises(Unavailable):
            await keep(atlas, "hello", 1, "a")
        health = (await atlas.anonymous.get("/healthz")).json()
        assert (health["status"], health["agent_logs"]) == ("ok", "store_unavailable")
        metrics = (await atlas.admin.get("/metrics")).text
        assert "atlas_logs_refused 1" in metrics
        refused = await atlas.admin.get("/api/v1/logs")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
