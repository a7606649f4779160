"""Tokens in whose place others are: at the end of the time in which both are good their connections are closed.

Who comes with one after that is refused by its record (`Access.bearer`); here is only that nobody stays.
"""

import asyncio
from collections.abc import Callable, Iterable

from agentic_atlas.alarms import Alarms
from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.engine.access import ROTATED
from agentic_atlas.backend.ports import RouterPort
from agentic_atlas.protocol.inside.messages import Revoke

_LOOK_EVERY = 60.0
"""Seconds after which the clock is looked at again, for it may have been set."""


class Retirements:
    """Tells the routers of each token when its time is over."""

    def __init__(self, router: RouterPort, clock: Callable[[], float]) -> None:
        self._router = router
        self._clock = clock
        self._ends: Alarms[str] = Alarms()
        self._changed = asyncio.Event()

    def expect(self, retired: Iterable[Token]) -> None:
        """These end when their records say: at once, where that is over."""
        for token in retired:
            self._ends.set(token.id, token.retires_at)
        self.look()
        self._changed.set()

    def look(self) -> None:
        """Close the connections of those whose time is over."""
        while over := self._ends.due(self._clock()):
            self._router.say(Revoke(tuple(over), ROTATED))

    async def run(self) -> None:
        """Look whenever one is over, until cancelled."""
        while True:
            self._changed.clear()
            wait = self._ends.wait(self._clock())
            try:
                async with asyncio.timeout(_LOOK_EVERY if wait is None else min(wait, _LOOK_EVERY)):
                    await self._changed.wait()
            except TimeoutError:
                self.look()
