"""How the server's router and backend hear each other: at once, or over a bus of which only bytes come out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.ports import RouterPort
from agentic_atlas.protocol.inside import codec
from agentic_atlas.protocol.inside.messages import FromRouter, ToRouter
from agentic_atlas.router.router import Router


class Way(Protocol):
    """Both directions of one server."""

    def router(self, router: Router) -> RouterPort:
        """Return what the backend says to the router by."""

    def door(self, door: RouterDoor) -> Callable[[FromRouter], None]:
        """Return what the router says to the backend by."""


class Passed:
    """What is said is passed as it is."""

    def router(self, router: Router) -> RouterPort:
        return router

    def door(self, door: RouterDoor) -> Callable[[FromRouter], None]:
        return door.say


class Encoded:
    """What is said is encoded, and comes out in a later turn of the loop, in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def router(self, router: Router) -> RouterPort:
        return _EncodedRouter(self._loop, router)

    def door(self, door: RouterDoor) -> Callable[[FromRouter], None]:
        return _EncodedDoor(self._loop, door).say


class _EncodedRouter:
    def __init__(self, loop: asyncio.AbstractEventLoop, router: Router) -> None:
        self._loop = loop
        self._router = router

    def say(self, message: ToRouter) -> None:
        self._loop.call_soon(self._arrived, codec.encode(message))

    def _arrived(self, data: bytes) -> None:
        self._router.say(codec.to_router(data))


class _EncodedDoor:
    def __init__(self, loop: asyncio.AbstractEventLoop, door: RouterDoor) -> None:
        self._loop = loop
        self._door = door

    def say(self, message: FromRouter) -> None:
        self._loop.call_soon(self._arrived, codec.encode(message))

    def _arrived(self, data: bytes) -> None:
        self._door.say(codec.from_router(data))
