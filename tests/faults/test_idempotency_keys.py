"""The same key from the same caller is one task: with many at once, with another body, and through a kill -9."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import Platform
from tests.faults.floods import Api, api, sound, stored, up
from tests.faults.wire_agent import echo, working


async def declared(platform: Platform, at: Api) -> None:
    """See that the agent's skill is known; the agent itself leaves again."""
    async with working(platform, await at.token("echo"), echo):
        pass


@pytest.mark.timeout(300)
async def test_many_submits_with_one_key_are_one_task(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    keys, times = (50, 20) if soak else (10, 10)
    ids: dict[int, set[str]] = {key: set() for key in range(keys)}
    created = 0

    async def submit(at: Api, key: int) -> None:
        nonlocal created
        answer = await at.submit("echo", input={"n": key}, idempotency_key=f"order-{key}")
        assert answer.status_code in (200, 201), answer.text
        created += answer.status_code == 201
        ids[key].add(answer.json()["id"])

    with up(tmp_path / "network") as platform:
        async with api(platform) as at:
            token = await at.token("echo")
            async with working(platform, token, echo, concurrency=4):
                async with asyncio.TaskGroup() as group:
                    for number in range(keys * times):
                        group.create_task(submit(at, number % keys))
                for key in range(keys):
                    other = await at.submit("echo", input={"n": -1}, idempotency_key=f"order-{key}")
                    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_conflict")
                    (task,) = ids[key]
                    assert (await at.ended(task))["output"] == {"n": key}
    sound(platform)
    assert created == keys
    assert stored(platform, "SELECT count(*) FROM tasks") == [(keys,)]
    assert stored(platform, "SELECT max(attempt) FROM tasks") == [(1,)]
    found("11 one key, one task", f"{keys} keys, {times} submits each at once", f"{created} tasks; another body: 409")


class Round:
    """Many submits, each with a key of its own, and a kill as soon as the first of them are on disk.

    The replies to most of those are still on their way then.
    """

    def __init__(self, platform: Platform, number: int) -> None:
        self._platform = platform
        self._prefix = f"round-{number}-"

    async def lost(self, at_once: int) -> int:
        """Return how many submits were stored without a reply; each was found again by its key."""
        keys = [f"{self._prefix}{n}" for n in range(at_once)]
        told = await self._submitted(keys, killing=True)
        query = "SELECT idempotency_key, id FROM tasks WHERE idempotency_key LIKE ?"
        kept = dict(stored(self._platform, query, f"{self._prefix}%"))
        self._platform.start()
        again = await self._submitted(keys)
        # What was acknowledged is there, and what is there is what the key gives again.
        assert told.items() <= kept.items() <= again.items()
        assert again.keys() == set(keys)
        return len(kept) - len(told)

    async def _submitted(self, keys: list[str], *, killing: bool = False) -> dict[str, str]:
        told: dict[str, str] = {}
        async with api(self._platform) as at, asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self._submit(at, key, told))
            if killing:
                group.create_task(self._kill_when_stored())
        return told

    async def _submit(self, at: Api, key: str, told: dict[str, str]) -> None:
        try:
            answer = await at.submit("echo", input={"key": key}, idempotency_key=key)
        except httpx.TransportError:
            return
        assert answer.status_code in (200, 201), answer.text
        told[key] = answer.json()["id"]

    async def _kill_when_stored(self) -> None:
        query = "SELECT 1 FROM tasks WHERE idempotency_key LIKE ? LIMIT 1"
        while not await asyncio.to_thread(stored, self._platform, query, f"{self._prefix}%"):
            pass
        await asyncio.to_thread(self._platform.kill)


@pytest.mark.timeout(300)
async def test_a_submit_whose_reply_was_lost_in_a_kill_is_found_by_its_key(
    tmp_path: Path, soak: bool, found: Callable[[str, str, str], None]
) -> None:
    kills = lost = 0
    most_kills, enough, at_once = (20, 100_000, 200) if soak else (10, 1, 50)

    with up(tmp_path / "network") as platform:
        async with api(platform) as at:
            await declared(platform, at)
        while kills < most_kills and lost < enough:
            kills += 1
            lost += await Round(platform, kills).lost(at_once)
    sound(platform)
    assert lost > 0
    inputs = stored(platform, "SELECT idempotency_key, input FROM tasks")
    assert len(inputs) == len(dict(inputs)) == kills * at_once
    assert all(json.loads(body) == {"key": key} for key, body in inputs)
    found(
        "11 one key, one task",
        f"{kills} kills between commit and reply, {lost} replies lost",
        "each task found again by its key",
    )
