"""Where the ring of signing keys is kept: the folder of keys, one file after the other, off the event loop."""

import asyncio
from pathlib import Path

from agentic_atlas.auth import KeyRing, SigningKey, save_ring


class KeyFolder:
    """`ports.KeyStore`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, now: float) -> SigningKey:
        """See the port."""
        return SigningKey.generate(now)

    async def save(self, ring: KeyRing, now: float) -> None:
        """See the port."""
        await asyncio.to_thread(save_ring, self._folder, ring, now)
