"""What changes is streamed to a page of ours, for as long as its session lasts, and to no page of others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from tests.integration.api.network import api
from tests.integration.api.test_people import joined, logged_in
from tests.integration.api.test_revocation import watching

STREAM = {"Accept": "text/event-stream"}


def events(text: str) -> list[dict[str, Any]]:
    """Return what the events of a stream say, in order."""
    lines = [line.partition(": ") for line in text.splitlines()]
    return [json.loads(value) for name, _, value in lines if name == "data"]


async def test_a_page_is_told_what_changes_until_its_session_ends(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.timeout(20):
        await joined(atlas)
        page = await logged_in(atlas)
        first = (await page.get("/events")).json()
        streamed = asyncio.ensure_future(page.get(f"/events?after={first['seq']}", headers=STREAM))
        await watching(atlas)
        assert (await page.post("/api/v1/agents", json={"name": "hello"})).status_code == 201
        while not (told := (await page.get(f"/events?after={first['seq']}")).json()).get("agents"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        resumed = asyncio.ensure_future(page.get("/events?after=0", headers=STREAM | {"Last-Event-ID": "0"}))
        await watching(atlas, 2)
        assert (await page.delete("/api/v1/session")).status_code == 204
        answer = await streamed
        assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert answer.text.startswith("retry: 1000\n\nid: ")
        began, changed, ended = events(answer.text)
        assert began == {"seq": first["seq"]}
        assert [one["name"] for one in changed["agents"]] == ["ada/hello"] == [one["name"] for one in told["agents"]]
        assert ended["error"]["code"] == "session_invalid"
        assert events((await resumed).text)[0]["everything"] is True
        assert (await page.get("/events", headers=STREAM)).status_code == 401
        assert atlas.engine.feed.hear is None


async def test_a_page_of_another_site_is_told_nothing(tmp_path: Path) -> None:
    async with api(tmp_path) as atlas, asyncio.timeout(20):
        await joined(atlas)
        page = await logged_in(atlas)
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.test"}):
            answer = await page.get("/events", headers=STREAM | headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site"), headers
        for wrong in ("-1", "x", "9" * 20):
            assert (await page.get(f"/events?after={wrong}", headers=STREAM)).status_code == 422
