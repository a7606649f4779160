"""A check of the audit log that goes on beside everything else, for whoever does not wait for it: one at a time.

A log of a million rows takes ten seconds and more. It is looked at some rows at a time, and everybody else has
a turn in between.
"""

import asyncio
from datetime import UTC, datetime

from msgspec.structs import replace

from agentic_atlas.backend.engine.audit import AuditTrail
from agentic_atlas.backend.ports import Clock
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.audit import AuditCheck, AuditReport


class Verification:
    """Checks of the audit log. Belongs to one event loop.

    Attributes:
        latest: the check that goes on, else the last one; None: there was none since the start.
    """

    def __init__(self, trail: AuditTrail, clock: Clock) -> None:
        self.latest: AuditCheck | None = None
        self._trail = trail
        self._clock = clock
        self._wanted = asyncio.Event()

    def begin(self) -> AuditCheck:
        """Have the log checked from now on, unless it is being checked; return that."""
        if self.latest is None or self.latest.ended_at is not None:
            self.latest = AuditCheck(begun_at=self._now())
            self._wanted.set()
        return self.latest

    async def run(self) -> None:
        """Check whenever somebody wants it, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                self._end(report=await self._trail.verify(self._seen))
            except AtlasError as error:
                self._end(fault=error.message)

    def _seen(self, rows: int, of: int) -> None:
        if self.latest is not None:
            self.latest = replace(self.latest, rows=rows, of=max(rows, of))

    def _end(self, report: AuditReport | None = None, fault: str = "") -> None:
        if self.latest is not None:
            self.latest = replace(self.latest, ended_at=self._now(), report=report, fault=fault)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)
