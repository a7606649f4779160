"""Floods of bytes: deep messages, long lists, watchers, silent connections, and peers that go on after a close.

Two need no key: requests and chunks without end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from agentic_atlas.protocol.messages import Message, Task
from benchmarks.bystander import Stage
from tests.faults.wire_agent import WireAgent, working

TASKS = 60
TEXT = "x" * 3_000_000


async def elsewhere(stage: Stage, kind: str, url: str, secret: str) -> None:
    """Have a process of its own do it (`benchmarks.flooder`)."""
    where = urlsplit(url).netloc
    arguments = ("-m", "benchmarks.flooder", kind, where, str(stage.seconds))
    stage.begun.set()
    flooder = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=Path(__file__).parents[1], stdin=asyncio.subprocess.PIPE
    )
    await flooder.communicate(secret.encode())
    assert flooder.returncode == 0


async def of_an_agent(kind: str, stage: Stage) -> None:
    """Something that an agent sends with a token that is good."""
    await elsewhere(stage, kind, stage.platform.router_url, await stage.api.token("flooding"))


async def of_a_stranger(kind: str, stage: Stage) -> None:
    """Something that is sent to the API without a key."""
    await elsewhere(stage, kind, stage.platform.url, "")


async def deep_bodies(stage: Stage) -> None:
    """A caller that submits inputs of 3.9 MB, each as deep as it may be."""
    await elsewhere(stage, "deep_bodies", stage.platform.url, stage.platform.api_key)


async def revoked_first_messages(stage: Stage) -> None:
    """A revoked token whose first messages are long and deep."""
    token = await stage.api.token("revoked")
    (found,) = (await stage.api.http.get("/agents/revoked/tokens")).json()["items"]
    await stage.api.http.delete(f"/tokens/{found['id']}")
    await elsewhere(stage, "first_messages", stage.platform.router_url, token)


async def nothing(agent: WireAgent, message: Message) -> None:
    """Take no task."""


async def long_lists(stage: Stage) -> None:
    """Tasks of 3 MB for an agent that is away, listed by four at once."""
    async with working(stage.platform, await stage.api.token("away"), nothing):
        pass
    for number in range(min(TASKS, int(stage.seconds * 8))):
        answer = await stage.api.submit("away", "echo", input={"n": number, "text": TEXT})
        assert answer.status_code == 201, answer.text
    await elsewhere(stage, "lists", stage.platform.url, stage.platform.api_key)


async def watchers(stage: Stage) -> None:
    """As many watchers of one task as there may be, and some more, while its agent says 20 things a second."""

    async def chatty(agent: WireAgent, message: Message) -> None:
        if isinstance(message, Task):
            await agent.accept(message)
            for number in range(1, int(stage.seconds * 20)):
                await agent.emit(message, number, {"level": "info", "event": f"line {number}"})
                await asyncio.sleep(0.05)
            await agent.complete(message, "done")

    async with working(stage.platform, await stage.api.token("chatty"), chatty):
        task = (await stage.api.accepted("chatty", input={}))["id"]
        await elsewhere(stage, "watch", stage.platform.url, f"{stage.platform.api_key}|{task}")


FLOODS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "deep_beats": partial(of_an_agent, "deep_beats"),
    "deep_bodies": deep_bodies,
    "revoked_first_messages": revoked_first_messages,
    "long_lists": long_lists,
    "watchers": watchers,
    "requests": partial(of_a_stranger, "requests"),
    "small_chunks": partial(of_a_stranger, "small_chunks"),
    "silent_connections": partial(of_an_agent, "silent"),
    "pings_after_a_close": partial(of_an_agent, "pings"),
}
