"""Lines of logs from the client: page after page, and a stream that is taken up again where it was cut."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from datetime import datetime

import pytest

from agentic_atlas.errors import InvalidInput, NotFound
from agentic_atlas.protocol.caller.logs import LogInfo, LogSkip
from agentic_atlas.sdk.client.http import Http, Sources
from agentic_atlas.sdk.client.logs import AsyncLogs
from tests import shown
from tests.integration.client.client_server import Answer, Asked, Time, error, events, in_order, serving

AT = "2026-11-22T19:29:08.123Z"


def line(n: int, message: str = "") -> dict[str, object]:
    return shown.answer(
        LogInfo, at=AT, agent="ada/hello", instance_id="ins_1", number=n, message=message or f"line {n}"
    )


def told(kind: str, data: object) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


async def with_logs(answer: Callable[[Asked], Answer], work: Callable[[AsyncLogs], object]) -> list[Asked]:
    time = Time()
    with serving(answer) as server:
        http = Http(server.address, timeout=5.0, patience=0.0, sources=Sources(clock=time.clock, sleep=time.sleep))
        await work(AsyncLogs(http))  # type: ignore[misc]
        await http.aclose()
        return server.asked


async def test_a_list_is_read_page_after_page() -> None:
    found: list[str] = []

    async def work(logs: AsyncLogs) -> None:
        wanted = logs.list(agent="hello", level="error", source=["task", "stdout"], since=datetime.fromisoformat(AT))
        found.extend([one.message async for one in wanted])

    pages = [Answer({"items": [line(2)], "next": "c"}), Answer({"items": [], "next": "d", "searched_to": AT})]
    asked = await with_logs(in_order(*pages, Answer({"items": [line(1)], "next": None})), work)
    assert found == ["line 2", "line 1"]
    assert [one.query.get("after") for one in asked] == [None, "c", "d"]
    assert asked[0].query["agent"] == "hello"


async def test_a_stream_goes_on_after_a_cut_without_a_line_twice() -> None:
    seen: list[str] = []
    first = told("line", line(1)) + told("line", line(2)) + ": keep-alive\n\n"
    second = told("line", line(2)) + told("skipped", {"lines": 7}) + told("unknown", {}) + told("line", line(10))

    async def work(logs: AsyncLogs) -> None:
        async with aclosing(logs.follow(last=5, agent="hello")) as stream:
            async for one in stream:
                seen.append(f"{one.lines} skipped" if isinstance(one, LogSkip) else one.message)
                if len(seen) == 4:
                    break

    asked = await with_logs(in_order(events(first, cut=True), events(second)), work)
    assert seen == ["line 1", "line 2", "7 skipped", "line 10"]
    assert [(one.query.get("last"), one.query.get("since")) for one in asked] == [
        ("5", None),
        ("1000", "2026-11-22T19:29:08.123000+00:00"),
    ]


async def test_what_is_refused_ends_a_stream() -> None:
    async def work(logs: AsyncLogs) -> None:
        with pytest.raises(NotFound):
            await anext(logs.follow(agent="nobody"))
        with pytest.raises(InvalidInput):
            await anext(logs.list(since=datetime.fromisoformat("2026-11-22T19:29:08")))

    await with_logs(in_order(error(404, "agent_not_found")), work)
