"""What goes into the audit log, and when: an administrator's act before it is answered, all else within a second.

So what was acknowledged is in the log, and no task waits for it. What is refused again and again, which costs whoever
asks nothing, is told once and then counted.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain.audit import NOBODY, NOTHING, OK, SYSTEM, AuditEvent, ChainHead
from agentic_atlas.backend.engine.allowance import neighbourhood
from agentic_atlas.backend.ports import AuditHeads, AuditLog, Clock, FaultLog, Write
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import Busy, Unavailable
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject
from agentic_atlas.protocol.caller.values import Json

WRITTEN_WITHIN: Final = 1.0
"""Seconds until what nobody waits for is on disk, and the log's head in its file: what a killed process may lose."""
COUNTED_FOR: Final = 60.0
"""Seconds for which what is refused again is counted, and not told."""
MOST_COUNTED: Final = 1_000
"""Refusals that are told apart meanwhile; of more nothing is known but how many there were."""
MOST_UNWRITTEN: Final = 10_000
"""Rows that wait for a store that can't be had; of more the oldest are lost, which the log says then."""

_AT_ONCE: Final = 256


class _Counted(msgspec.Struct):
    """A refusal that was told, and how many like it came since."""

    event: AuditEvent
    until: float
    more: int = 0


class AuditTrail:
    """Writes what happens into the audit log, and keeps the log's head outside of it. Belongs to one event loop."""

    def __init__(
        self,
        audit: AuditLog,
        heads: AuditHeads,
        clock: Clock,
        log: FaultLog,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._audit = audit
        self._heads = heads
        self._clock = clock
        self._log = log
        self._sleep = sleep
        self._unwritten: list[AuditEvent] = []
        self._lost = 0
        self._refused: dict[tuple[str, ...], _Counted] = {}
        self._head: ChainHead | None = None
        self._faulty = False

    def note(
        self,
        who: Principal | None,
        action: str,
        what: AuditObject = NOTHING,
        detail: Mapping[str, Json] | None = None,
        *,
        outcome: str = OK,
    ) -> None:
        """Have it written that this was done, within a second."""
        self._add(self._event(_actor(who), action, what, outcome, detail))

    async def write(self) -> None:
        """Return when all that was noted is on disk, or can't be had there now, and is tried again."""
        write = self._submit()
        if write is not None:
            await write.over()

    def refuse(self, who: Principal | AuditActor | None, action: str, what: AuditObject, code: str) -> None:
        """Have it written that this was asked for and refused, within a second; like ones of a minute are counted."""
        actor = who if isinstance(who, AuditActor) else _actor(who)
        event = self._event(actor, action, what, code, None)
        key: tuple[str, ...] = (actor.kind, actor.id, action, what.id or what.name, code, neighbourhood(event.address))
        counted = self._refused.get(key)
        if counted is None and len(self._refused) >= MOST_COUNTED:
            key = (action, code)
            counted = self._refused.get(key)
            event = self._event(NOBODY, action, NOTHING, code, {"several": True})
        if counted is not None:
            counted.more += 1
            return
        self._refused[key] = _Counted(event, event.at + COUNTED_FOR)
        self._add(event)

    async def run(self) -> None:
        """Write again and again, until cancelled."""
        while True:
            await self._sleep(WRITTEN_WITHIN)
            await self.settle()

    async def settle(self, *, last: bool = False) -> None:
        """Write what waits, and keep the head; `last`: also what is still being counted."""
        now = self._clock()
        for key, counted in list(self._refused.items()):
            if last or now >= counted.until:
                del self._refused[key]
                if counted.more:
                    detail = {**counted.event.detail, "times": counted.more}
                    self._add(msgspec.structs.replace(counted.event, at=now, detail=detail))
        await self.write()
        head, self._head = self._head, None
        if head is not None:
            await self._heads.keep(head, now)

    def _event(
        self, who: AuditActor, action: str, what: AuditObject, outcome: str, detail: Mapping[str, Json] | None
    ) -> AuditEvent:
        return AuditEvent(
            at=self._clock(),
            who=who,
            action=action,
            object=what,
            outcome=outcome,
            address=ADDRESS.get(),
            detail=detail or {},
        )

    def _add(self, *events: AuditEvent) -> None:
        self._unwritten += events
        over = len(self._unwritten) - MOST_UNWRITTEN
        if over > 0:
            self._lost += over
            del self._unwritten[:over]
        if len(self._unwritten) >= _AT_ONCE and not self._faulty:
            self._submit()

    def _submit(self) -> Write[ChainHead] | None:
        events, self._unwritten = self._unwritten, []
        if not events:
            return None
        lost, self._lost = self._lost, 0
        first = [AuditEvent(at=self._clock(), who=SYSTEM, action="audit.lost", detail={"rows": lost})] if lost else []
        write = self._audit.append([*first, *events])
        write.then(partial(self._written, events, lost))
        return write

    def _written(self, events: list[AuditEvent], lost: int, write: Write[ChainHead]) -> None:
        error = write.error
        if error is None:
            self._head, self._faulty = write.value, False
            return
        if not self._faulty:
            self._faulty = True
            self._log.error("audit_not_written", rows=len(events), exc_info=error)
        self._lost += lost
        if isinstance(error, Busy | Unavailable):
            later, self._unwritten = self._unwritten, []
            self._add(*events, *later)
        else:
            self._lost += len(events)  # Again it would fail again, and take with it what comes.


def _actor(who: Principal | None) -> AuditActor:
    if who is None:
        return NOBODY
    caller = who.caller
    return AuditActor(kind=caller.kind, id=caller.id, user_id=caller.user_id, name=caller.name)
