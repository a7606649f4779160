"""Floods of checks: schemas as honest people write them, over more values than anybody meant."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from itertools import cycle
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.exceptions import ConnectionClosed

from agentic_atlas.protocol.messages import SkillSpec
from benchmarks.bystander import SECONDS, Stage
from tests.faults.wire_agent import WireAgent
from tests.integration.router.doors import dial

Json = dict[str, Any]

FLOODERS = 4
"""Calls at the same time."""
WORDS = [f"word-{number}" for number in range(2_000)]
KINDS = 40


def skill(name: str, **properties: Json) -> SkillSpec:
    return SkillSpec(name, msgspec.Raw(msgspec.json.encode({"type": "object", "properties": properties})))


async def registered(stage: Stage, name: str, *skills: SkillSpec) -> WireAgent:
    """Connect an agent with these skills that takes no task."""
    port = urlsplit(stage.platform.router_url).port
    assert port is not None
    agent = WireAgent(await dial(port, await stage.api.token(name)), f"inst_{token_hex(8)}")
    await agent.hello(1, skills)
    return agent


async def calls_of(stage: Stage, spec: SkillSpec, value: Json) -> None:
    """Ask for the same again and again, from some callers at once; what is said to it does not count."""
    agent = await registered(stage, "flooded", spec)
    # Written once: the bystander is in this process, too.
    asked = json.dumps({"agent": "flooded", "skill": spec.name, "input": value}).encode()
    stage.begun.set()
    ends = time.monotonic() + SECONDS

    async def caller() -> None:
        while time.monotonic() < ends:
            await stage.api.http.post("/tasks", content=asked, headers={"Content-Type": "application/json"})

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(FLOODERS):
                group.create_task(caller())
    finally:
        await agent.socket.close()


async def long_enum(stage: Stage) -> None:
    """A long list of words, each of which has to be one of many."""
    spec = skill("words", words={"type": "array", "items": {"enum": WORDS}})
    await calls_of(stage, spec, {"words": [*WORDS, "no such word"] * 2})


async def many_alternatives(stage: Stage) -> None:
    """A list of items of many kinds, which nothing tells apart but trying them all; none of them fits."""
    kinds: list[Json] = [
        {"type": "object", "properties": {f"of_{number}": {"type": "integer"}}, "required": [f"of_{number}"]}
        for number in range(KINDS)
    ]
    spec = skill("items", items={"type": "array", "items": {"anyOf": kinds}})
    await calls_of(stage, spec, {"items": [{"of_none": number} for number in range(2_000)]})


async def many_patterns(stage: Stage) -> None:
    """Agents with nothing but their token, nine skills each, every parameter of which has a small pattern."""
    stage.begun.set()
    ends = time.monotonic() + SECONDS
    for number in cycle(range(3)):
        if time.monotonic() >= ends:
            return
        skills = [
            skill(
                f"skill_{place}",
                **{f"p{field}": {"type": "string", "pattern": f"^[^/]{{1,{8 + field % 3}}}$"} for field in range(100)},
            )
            for place in range(9)
        ]
        try:
            agent = await registered(stage, f"patterns-{number}", *skills)
        except (AssertionError, OSError, ConnectionClosed):
            continue  # It is not let in.
        await agent.socket.close()


FLOODS: dict[str, Callable[[Stage], Awaitable[None]]] = {
    "long_enum": long_enum,
    "many_alternatives": many_alternatives,
    "many_patterns": many_patterns,
}
