"""Whoever stays connected with a token in whose place another one is, is cut off in time."""

from __future__ import annotations

import asyncio

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.engine.retirements import Retirements
from agentic_atlas.protocol.inside.messages import Revoke
from tests.unit.backend.network import Clock, Told, settle


def retired(number: int, at: float) -> Token:
    return Token(f"tok_{number}", "agt_1", "", 0.0, 1e9, retires_at=at)


async def test_connections_of_retired_tokens_are_closed_when_their_time_is_over_and_not_before() -> None:
    clock, router = Clock(), Told()
    retirements = Retirements(router, clock)
    retirements.expect([retired(1, clock.now + 60), retired(2, clock.now), retired(3, clock.now + 60)])
    assert router.told == [Revoke(("tok_2",), "token_rotated")]
    clock.now += 60
    retirements.look()
    assert router.told[1:] == [Revoke(("tok_1", "tok_3"), "token_rotated")]


async def test_its_life_wakes_for_the_next_one() -> None:
    clock, router = Clock(), Told()
    retirements = Retirements(router, clock)
    life = asyncio.ensure_future(retirements.run())
    await settle()
    retirements.expect([retired(1, clock.now + 0.001)])
    clock.now += 0.001
    async with asyncio.timeout(5):
        while not router.told:  # noqa: ASYNC110 - it tells nobody else
            await asyncio.sleep(0)
    assert router.told == [Revoke(("tok_1",), "token_rotated")]
    life.cancel()
    await asyncio.wait([life])
