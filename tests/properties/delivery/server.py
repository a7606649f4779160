"""Backend and router, as `compose.network` puts them together, on a clock and a disk of the test's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agentic_atlas.auth.keys import KeyRing, SigningKey
from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.engine.engine import Engine, World
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.bus.local import Bus
from agentic_atlas.compose.sources import WallClock
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.schemas import Cost
from agentic_atlas.router.router import Router
from agentic_atlas.router.settings import RouterSettings
from tests.properties.delivery.disk import Disk
from tests.properties.delivery.way import Way
from tests.still_loop import StillLoop

SETTINGS = RouterSettings()
_RING = KeyRing(SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)), 0))


class Numbered:
    """Ids that sort by the time of their making, over all servers of a test."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers):06}"


class Faults:
    """A log that keeps what is said to be a fault of ours."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def is_enabled_for(self, level: int) -> bool:
        return False

    def debug(self, event: str, **facts: Any) -> None: ...

    def info(self, event: str, **facts: Any) -> None: ...

    def warning(self, event: str, **facts: Any) -> None: ...

    def error(self, event: str, **facts: Any) -> None:
        self.errors.append((event, facts))


class _NoBackups:
    """Copies of files are no part of this."""

    async def make(self) -> Any:
        raise NotImplementedError

    async def find(self) -> Any:
        raise NotImplementedError


class _NoChecker:
    """What is asked for here is surely cheap to check."""

    async def check(self, schema: bytes, value: bytes, *, name: str, whose: str) -> None:
        raise NotImplementedError

    async def look_at(self, schema: bytes, *, whose: str) -> Cost:
        raise NotImplementedError


class Server:
    """One process of the server, from its start to its end. All of its memory is here."""

    def __init__(self, loop: StillLoop, disk: Disk, ids: Numbered, log: Faults, way: Way) -> None:
        self._loop = loop
        self._disk = disk
        clock = WallClock(loop.wall, loop.time)
        nothing: Any = None  # nobody logs in here
        world = World(
            keys=_RING,
            clock=clock,
            monotonic=loop.time,
            ids=ids,
            entropy=lambda size: len(ids("span")).to_bytes(size),
            log=log,
            bus=Bus(),
            schemas=JsonSchemas(_NoChecker()),
            backups=_NoBackups(),
            passwords=nothing,
        )
        self.router = Router(
            clock=loop.time,
            wall=loop.wall,
            limits=Limits(),
            settings=SETTINGS,
            log=log,
        )
        self.engine = Engine.over(disk.open(), way.router(self.router), "net_1", world)
        clock.jumped = self.engine.forgive
        self.application = Application(self.engine)
        self._door = RouterDoor(self.engine, log)
        self.router.join(way.door(self._door))
        self.up = False
        """It has taken up what the last process left, and lets agents in."""
        self._group = asyncio.TaskGroup()
        self.life = loop.create_task(self._live())

    def ask(self, request: Coroutine[Any, Any, None]) -> None:
        """Handle a request of a caller's; it ends with the server."""
        if self.up:
            self._loop.call_soon(self._group.create_task, request)
        else:
            request.close()

    def stop(self) -> None:
        """SIGTERM: close all connections, store what waits, end."""
        self.engine.feed.close()
        self._loop.call_soon(self.router.drain)
        self._loop.settle()
        self._disk.release()
        self._loop.settle()
        self._end()
        self._disk.commit()

    def kill(self) -> None:
        """kill -9: whatever is not on disk is gone; nothing that happens at the end gets anywhere."""
        self._disk.open()
        self._end()

    def _end(self) -> None:
        self.up = False
        self.life.cancel()
        self._loop.settle()
        assert self.life.done()

    async def _live(self) -> None:
        await self.engine.take_up()
        async with self._group as group:
            group.create_task(self.engine.run(SETTINGS.grace))
            group.create_task(self._door.run())
            group.create_task(self.router.run())
            self.up = True
