"""When agents were last heard: known to the router from each message and beat, stored once in a while.

So it is right while an agent is connected, and by no more than a minute wrong after a server that was killed; and
nobody's beat costs a write. When API keys were last used is stored at the same times.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.key_uses import KeyUses
from agentic_atlas.backend.ports import Agents
from agentic_atlas.errors import Busy, Unavailable

STORED_EVERY = 60.0
"""Seconds after which it is stored when instances were seen last, and API keys used."""


class Sightings:
    """Stores when connected agents were last heard, and API keys last used."""

    def __init__(
        self,
        agents: Agents,
        credit: Credits,
        uses: KeyUses,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._agents = agents
        self._credit = credit
        self._uses = uses
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Store again and again, until cancelled."""
        while True:
            await self._sleep(STORED_EVERY)
            await self.store()

    async def store(self) -> None:
        """Store once; what can't be stored now is the next time."""
        now = self._clock()
        heard = {agent_id: now - seconds for agent_id, seconds in self._credit.beats.silent().items()}
        if heard:
            with suppress(Unavailable, Busy):
                await self._agents.seen(heard)
        await self._uses.store()
