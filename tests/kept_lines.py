"""Lines of agents' logs, kept in memory: what a test looks at, and may hold back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.messages import LogLine


class KeptLines:
    """As `backend.engine.logs.LogBook`.

    Attributes:
        dropped: by instance, how many lines it says that it has dropped.
        keeping: while it is not set, nothing is answered.
        failing: what `keep` raises.
    """

    def __init__(self) -> None:
        self.dropped: dict[str, int] = {}
        self.keeping = asyncio.Event()
        self.keeping.set()
        self.failing: AtlasError | None = None
        self._lines: dict[str, dict[int, LogLine]] = {}
        self._news = asyncio.Event()

    async def keep(self, agent_id: str, instance_id: str, first: int, lines: Sequence[LogLine], dropped: int) -> int:
        """See `LogBook.keep`."""
        await self.keeping.wait()
        if self.failing is not None:
            raise self.failing
        kept = self._lines.setdefault(instance_id, {})
        last = max(kept, default=0)
        kept.update({number: line for number, line in enumerate(lines, first) if number > last})
        self.dropped[instance_id] = dropped
        self._news.set()
        return max(kept)

    def numbered(self, instance_id: str | None = None) -> list[tuple[int, LogLine]]:
        """Return the lines with their numbers, of one instance or of all, in the order in which they came."""
        of = self._lines if instance_id is None else {instance_id: self._lines.get(instance_id, {})}
        return [pair for lines in of.values() for pair in lines.items()]

    def said(self) -> list[str]:
        """Return the messages of all lines."""
        return [line.message for _, line in self.numbered()]

    async def line(self, message: str, within: float = 10.0) -> LogLine:
        """Wait for a line with this message."""
        async with asyncio.timeout(within):
            while True:
                self._news.clear()
                found = next((line for _, line in self.numbered() if line.message == message), None)
                if found is not None:
                    return found
                await self._news.wait()
