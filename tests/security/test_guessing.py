"""Whoever guesses passwords at full speed is slowed down, and the right user comes in beside them all the while."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx

from agentic_atlas.backend.engine.guesses import TRIES
from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import Network, network
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log

PASSWORD = "tall trees by the sea"
GUESSERS = 16
WHILE = 3
"""Times that the right user logs in meanwhile, from each place."""


async def with_password(up: Network) -> None:
    """Set the password of the administrator, as by the link that `atlas up` prints."""
    await machine.bootstrap(up.engine, "admin")
    secret = await machine.first_login(up.engine, "admin")
    async with client(up) as browser:
        body = {"secret": secret, "password": PASSWORD}
        assert (await browser.post("/api/v1/invitations/accept", json=body)).status_code == 200


def client(up: Network, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """Return a browser at this address of the loopback."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return httpx.AsyncClient(
        base_url=up.addresses.api_url, transport=transport, headers={"Origin": up.addresses.api_url}, timeout=60.0
    )


async def log_in(browser: httpx.AsyncClient, password: str) -> int:
    said = await browser.post("/api/v1/session", json={"name": "admin", "password": password})
    return said.status_code


async def test_guessing_at_full_speed_is_slowed_down_while_the_right_user_comes_in(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", http_port=0, router_port=0)
    answers: Counter[int] = Counter()
    at_full_speed = asyncio.Event()
    async with network(settings, debug_log()) as up:
        await with_password(up)
        async with client(up) as known, client(up, "127.0.0.2") as elsewhere:
            assert await log_in(known, PASSWORD) == 201

            async def guess(number: int) -> None:
                async with client(up) as stranger:
                    while True:
                        answers[await log_in(stranger, f"{number} {os.urandom(8).hex()}")] += 1
                        if answers[429] >= 10 * GUESSERS:
                            at_full_speed.set()

            guessing = [asyncio.ensure_future(guess(number)) for number in range(GUESSERS)]
            try:
                async with asyncio.timeout(60.0):
                    await at_full_speed.wait()
                for _ in range(WHILE):
                    assert await log_in(elsewhere, PASSWORD) == 201
                    assert await log_in(known, PASSWORD) == 201
                assert not any(one.done() for one in guessing)
            finally:
                for one in guessing:
                    one.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.gather(*guessing)
            async with client(up) as stranger:
                assert await log_in(stranger, PASSWORD) == 429
    assert answers[401] <= TRIES
    assert set(answers) == {401, 429}
