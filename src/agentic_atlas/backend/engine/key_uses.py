"""When API keys were last used, and from where: noted at each request, stored once in a while (`engine.sightings`).

So a request costs no read and no write for it, and a process that is killed loses no more than a minute of it.
"""

from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain.records import ApiKey
from agentic_atlas.backend.ports import KeyUse, Users
from agentic_atlas.errors import Busy, Unavailable

MOST_NOTED = 10_000
"""API keys of which it is not stored yet when they were used; of more, those are left out that were not used since."""


class KeyUses:
    """The last use of each key that is not stored yet."""

    def __init__(self, users: Users, clock: Callable[[], float]) -> None:
        self._users = users
        self._clock = clock
        self._noted: dict[str, KeyUse] = {}

    def note(self, key_id: str) -> None:
        """The key is used now, by whoever asks."""
        self._noted.pop(key_id, None)
        self._noted[key_id] = (self._clock(), ADDRESS.get())
        if len(self._noted) > MOST_NOTED:
            del self._noted[next(iter(self._noted))]

    def shown(self, key: ApiKey) -> ApiKey:
        """Return a key as it was stored with its last use, be that stored or not."""
        at, address = self._noted.get(key.id, (key.last_used_at, key.last_address))
        return replace(key, last_used_at=at, last_address=address)

    async def store(self) -> None:
        """Store what was noted, in one write; what can't be stored now is the next time."""
        noted = dict(self._noted)
        if not noted:
            return
        with suppress(Unavailable, Busy):
            await self._users.keys_used(noted)
            for key_id, use in noted.items():
                if self._noted.get(key_id) is use:  # it was not used again meanwhile
                    del self._noted[key_id]
