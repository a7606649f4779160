"""A check of the audit log goes on by itself: how far it is can be seen, and what it comes to is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from agentic_atlas.backend.engine.verification import Verification
from agentic_atlas.errors import ConfigurationError
from tests.unit.backend.engine.test_audit import World
from tests.unit.backend.network import NOW

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    for number in range(450):
        world.trail.note(None, "a.done", detail={"n": number})
    await world.trail.settle()
    yield world


async def ended(checking: Verification) -> None:
    """Wait until the check is over; it waits for nothing but its turn."""
    for _ in range(1_000):
        if checking.latest is not None and checking.latest.ended_at is not None:
            return
        await asyncio.sleep(0)
    raise AssertionError("the check goes on and on")


async def test_a_check_is_begun_once_and_its_result_is_kept(world: World) -> None:
    checking = Verification(world.trail, world.clock)
    assert checking.latest is None
    async with asyncio.TaskGroup() as group:
        life = group.create_task(checking.run())
        begun = checking.begin()
        assert checking.begin() is begun, "it has not ended yet"
        world.clock.now = NOW + 9
        await ended(checking)
        done = checking.latest
        assert done is not None and done.report is not None and done.ended_at is not None
        assert (done.rows, done.of, done.report.rows, done.report.flaws) == (450, 450, 450, [])
        assert (done.begun_at.timestamp(), done.ended_at.timestamp()) == (NOW, NOW + 9)
        world.trail.note(None, "a.done")
        await world.trail.write()
        assert checking.begin().report is None
        await ended(checking)
        assert checking.latest is not None and checking.latest.rows == 451
        life.cancel()


async def test_others_have_turns_while_it_goes_on_and_see_how_far_it_is(world: World) -> None:
    seen: list[tuple[int, int]] = []
    await world.trail.verify(lambda rows, of: seen.append((rows, of)))
    assert seen == [(200, 450), (400, 450), (450, 450)]


async def test_a_check_that_cannot_be_made_says_why_and_the_next_one_can(world: World) -> None:
    checking = Verification(world.trail, world.clock)
    world.heads.error = ConfigurationError("the head can't be read")
    async with asyncio.TaskGroup() as group:
        life = group.create_task(checking.run())
        checking.begin()
        await ended(checking)
        assert checking.latest is not None
        assert (checking.latest.fault, checking.latest.report) == ("the head can't be read", None)
        world.heads.error = None
        checking.begin()
        await ended(checking)
        assert (checking.latest.fault, checking.latest.report is None) == ("", False)
        life.cancel()
