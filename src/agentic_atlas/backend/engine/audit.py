"""What goes into the audit log, and when: an administrator's act before it is answered, all else within a second.

So what was acknowledged is in the log, and no task waits for it. What is refused again and again, which costs whoever
asks nothing, is told once and then counted.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import msgspec

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain.audit import (
    NOBODY,
    NOTHING,
    OK,
    SYSTEM,
    AuditEvent,
    ChainCheck,
    ChainHead,
    bounded,
    broken,
    older,
)
from agentic_atlas.backend.engine.allowance import neighbourhood
from agentic_atlas.backend.ports import AuditHeads, AuditLog, Clock, FaultLog, Write
from agentic_atlas.backend.rights import Principal
from agentic_atlas.errors import AtlasError, Busy, Conflict, Unavailable
from agentic_atlas.protocol.caller.audit import (
    AuditActor,
    AuditAnchor,
    AuditArchive,
    AuditEntry,
    AuditHead,
    AuditObject,
    AuditReport,
)
from agentic_atlas.protocol.caller.values import Json

WRITTEN_WITHIN: Final = 1.0
"""Seconds until what nobody waits for is on disk, and the log's head in its file: what a killed process may lose."""
COUNTED_FOR: Final = 60.0
"""Seconds for which what is refused again is counted, and not told."""
MOST_COUNTED: Final = 1_000
"""Refusals that are told apart meanwhile, of users and of strangers each; of more it is known what was refused, and how
often."""
MOST_OF_ONE: Final = 50
"""Of these, those of one user or one address; of more it is known what they were refused, and how often."""
MOST_UNWRITTEN: Final = 10_000
"""Rows that wait for a store that can't be had; of more the oldest are lost, which the log says then."""
MOST_ARCHIVES: Final = 100
"""Files with archived rows that are listed."""

_AT_ONCE: Final = 256
_PAGE: Final = 200
"""Rows that are checked in one turn of the loop."""


class _Counted(msgspec.Struct):
    """A refusal that was told, and how many like it came since."""

    event: AuditEvent
    holder: str
    until: float
    more: int = 0


class _Refusals:
    """What was refused within a minute. However much of it one asks for, that of others is told apart from it."""

    def __init__(self) -> None:
        self._counted: dict[tuple[str, ...], _Counted] = {}
        self._held: Counter[str] = Counter()

    def take(self, event: AuditEvent, holder: str, asker: AuditActor) -> AuditEvent | None:
        """Return what is to be written of a refusal now: None for one that is like another.

        `holder` is whose room it takes, `asker` who it is of whom only that is known any more.
        """
        who, what, room = event.who, event.object, len(self._counted) < MOST_COUNTED
        facts = tuple(map(str, event.detail.values()))
        exact = (holder, neighbourhood(event.address), who.kind, who.id, what.id or what.name, *facts)
        # Of the last ones there are few: as many as there are actions and codes.
        alike = ((exact, room and self._held[holder] < MOST_OF_ONE), ((holder,), room), ((), True))
        for whose, fits in alike:
            key = (event.action, event.outcome, *whose)
            if key in self._counted:
                self._counted[key].more += 1
                return None
            if fits:
                break
        if whose != exact:
            by, address = (asker, event.address) if whose else (NOBODY, "")
            event = msgspec.structs.replace(event, who=by, address=address, object=NOTHING, detail={"several": True})
        self._held[holder] += 1
        self._counted[key] = _Counted(event, holder, event.at + COUNTED_FOR)
        return event

    def over(self, now: float, *, last: bool) -> list[AuditEvent]:
        """Return what is to be written of those whose minute is over, or of all: how many more there were."""
        over = [(key, counted) for key, counted in self._counted.items() if last or now >= counted.until]
        for key, counted in over:
            del self._counted[key]
            self._held[counted.holder] -= 1
        self._held += Counter()  # forgets who holds nothing
        return [
            msgspec.structs.replace(counted.event, at=now, detail={**counted.event.detail, "times": counted.more})
            for _, counted in over
            if counted.more
        ]


class AuditTrail:
    """Writes what happens into the audit log, and keeps the log's head outside of it. Belongs to one event loop.

    Attributes:
        noticed: is called when rows were written.
        rows: number of the last row.
        broken: the log was found broken since the start.
        unwritten: what waits to be written.
    """

    def __init__(
        self,
        network: str,
        audit: AuditLog,
        heads: AuditHeads | None,
        clock: Clock,
        log: FaultLog,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.noticed: Callable[[], None] = lambda: None
        self.rows = 0
        self.broken = False
        self._network = network
        self._audit = audit
        self._heads = heads
        self._clock = clock
        self._log = log
        self._sleep = sleep
        self.unwritten: list[AuditEvent] = []
        self._lost = 0
        self._refused = {True: _Refusals(), False: _Refusals()}
        self._head: ChainHead | None = None
        self._faulty = False
        self._keeping = asyncio.Lock()
        self._archiving = asyncio.Lock()
        self._copied = 0

    def note(
        self,
        who: Principal | AuditActor | None,
        action: str,
        what: AuditObject = NOTHING,
        detail: Mapping[str, Json] | None = None,
        *,
        outcome: str = OK,
    ) -> None:
        """Have it written that this was done, within a second."""
        self._add(_event(self._clock(), who, action, what, outcome, detail or {}))

    async def write(self) -> None:
        """Return when all that was noted is on disk, or can't be had there now, and is tried again."""
        write = self._submit()
        if write is not None:
            await write.over()

    def refuse(
        self,
        who: Principal | AuditActor | None,
        action: str,
        what: AuditObject,
        code: str,
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        """Have it written that this was asked for and refused, within a second; like ones of a minute are counted.

        Where `why` is among the facts, it is something that whoever operates the network has to know: it is logged too.
        """
        event = _event(self._clock(), who, action, what, code, bounded(detail or {}))
        asker, user = NOBODY, who.user if isinstance(who, Principal) else None  # all others just say who they are
        if user is not None:
            asker = AuditActor(kind="user", id=user.id, user_id=user.id, name=user.name)
        told = self._refused[user is not None].take(event, asker.id or neighbourhood(event.address), asker)
        if told is not None:
            self._add(told)
            if why := told.detail.get("why"):
                self._log.warning("refused", action=action, code=code, why=why)

    async def run(self) -> None:
        """Write again and again, until cancelled."""
        while True:
            await self._sleep(WRITTEN_WITHIN)
            await self.settle()

    async def settle(self, *, last: bool = False) -> None:
        """Write what waits, and keep the head; `last`: also what is still being counted."""
        now = self._clock()
        for refused in self._refused.values():
            self._add(*refused.over(now, last=last))
        await self.write()
        async with self._keeping:  # else an older one could take the place of a newer
            head, self._head = self._head, None
            if head is not None and self._heads is not None:
                await self._heads.keep(head, now)

    async def take_up(self) -> None:
        """See whether the log is as the last process left it; where it is not, that is its next row."""
        if self._heads is None:
            return
        last = await self._audit.head()
        self.rows = last.seq
        why = await self._broken(self._heads, last)
        if why is not None:
            self.broken = True
            self._log.error("audit_broken", why=why)
            self._add(broken(self._clock(), why))
            await self.settle()
        elif last.seq == 0:
            await self._heads.keep(last, self._clock())

    async def verify(self, seen: Callable[[int, int], None] = lambda rows, of: None) -> AuditReport:
        """Look at every row, and at the head and the anchor that are kept.

        `seen` is told how many rows were looked at, and of how many, each time that others have a turn.
        """
        anchor, head = self.anchor(), self.head()
        check = ChainCheck(
            self._network, head, signed=self._is_good(head), anchor=anchor, anchored=self._is_good(anchor)
        )
        seq = count = of = 0
        while rows := await self._audit.after(seq, limit=_PAGE):
            seq, count = check.take(rows), count + len(rows)
            of = of or (await self._audit.head()).seq - rows[0].seq + 1
            seen(count, of)
        return check.report(headed=self._heads is not None)

    def head(self) -> AuditHead | None:
        """Return the head that is kept; raises ConfigurationError where it can't be read."""
        return None if self._heads is None else self._heads.kept()

    def anchor(self) -> AuditAnchor | None:
        """Return the anchor of what was archived; raises ConfigurationError where it can't be read."""
        return None if self._heads is None else self._heads.anchor()

    async def archive(self, before: float) -> AuditArchive:
        """Put the rows that are older into a file, sign the last of them as anchor, and remove them.

        Raises:
            Conflict: none is older (`nothing_to_archive`), or they are not as they were written (`audit_broken`).
            Busy: some are being archived already (`archive_running`), or a backup is being made (`backup_running`).
            Unavailable: see the port.
        """
        if self._copied:
            raise Busy("a backup is being made: wait for it to be done", code="backup_running", retry_after=5)
        if self._archiving.locked():
            raise Busy("rows are being archived already: wait for it to be done", code="archive_running", retry_after=5)
        async with self._archiving:
            anchor = self.anchor()
            if anchor is not None and self._is_good(anchor):
                await _drop(self._audit, anchor.archived)  # a process may have been killed before
            await self.settle()
            head = self.head()
            # Only what the head is of: a process may be killed before it keeps a newer one.
            until = min(await self._audit.older(before), head.seq if head else 0)
            if self._heads is None or until <= (anchor.archived if anchor else 0):
                raise Conflict("no row of the audit log is older", code="nothing_to_archive")
            archived = await self._heads.archive(anchor, self._pages(until, anchor), self._clock())
            await _drop(self._audit, until)
            return archived

    @asynccontextmanager
    async def copied(self) -> AsyncIterator[None]:
        """Let the log be copied with its head and its anchor: what is archived meanwhile would be in some of these."""
        async with self._archiving:
            self._copied += 1
        try:
            yield
        finally:
            self._copied -= 1

    async def archives(self) -> list[AuditArchive]:
        """Return the newest files with archived rows, the newest first; raises as the port does."""
        return [] if self._heads is None else await self._heads.archives(MOST_ARCHIVES)

    async def _pages(self, until: int, anchor: AuditAnchor | None) -> AsyncIterator[list[AuditEntry]]:
        """Yield the rows up to this one, as long as they are as they were written."""
        check, seq = ChainCheck(self._network, anchor=anchor, anchored=self._is_good(anchor)), 0
        while rows := [row for row in await self._audit.after(seq, limit=_PAGE) if row.seq <= until]:
            seq = check.take(rows)
            flaws = [flaw for flaw in check.report().flaws if flaw.kind != "broken"]  # that was told of already
            if flaws:
                raise Conflict(
                    f"the audit log is not as it was written (row {flaws[0].seq}: {flaws[0].message}): nothing was "
                    "archived; see `atlas audit verify`",
                    code="audit_broken",
                )
            yield rows

    def _is_good(self, head: AuditHead | AuditAnchor | None) -> bool:
        return self._heads is None or head is None or self._heads.signed(head)

    async def _broken(self, heads: AuditHeads, last: ChainHead) -> str | None:
        """Say in what the log is not as its head says."""
        try:
            head = heads.kept()
        except AtlasError as error:
            return error.message
        if head is None:
            there = last.seq or heads.anchor() is not None
            return f"there are {last.seq} rows, and no head was kept" if there else None
        if not heads.signed(head):
            return "the head that was kept was not signed by this network"
        if head.seq > last.seq:
            return f"rows {last.seq + 1} to {head.seq} are not there any more"
        if gap := await self._gap(heads, head):
            return gap
        rows = await self._audit.after(head.seq - 1, limit=1) if head.seq else []
        return (
            f"row {head.seq} is another one than it was"
            if [row.hash for row in rows] not in ([], [head.hash])
            else None
        )

    async def _gap(self, heads: AuditHeads, head: AuditHead) -> str | None:
        """Say which rows are not there before the first one and were not archived, or that the head does not tell."""
        first = await self._audit.after(0, limit=1)
        anchor = heads.anchor()
        if anchor is not None and not heads.signed(anchor):
            anchor = None
        if why := older(head, anchor):
            return why
        archived = anchor.archived if anchor else 0
        if not first or first[0].seq <= archived + 1:
            return None
        return f"rows {archived + 1} to {first[0].seq - 1} are not there, and were not archived"

    def _add(self, *events: AuditEvent) -> None:
        self.unwritten += events
        over = len(self.unwritten) - MOST_UNWRITTEN
        if over > 0:
            self._lost += over
            del self.unwritten[:over]
        if len(self.unwritten) >= _AT_ONCE and not self._faulty:
            self._submit()

    def _submit(self) -> Write[tuple[ChainHead, str | None]] | None:
        events, self.unwritten = self.unwritten, []
        if not events:
            return None
        lost, self._lost = self._lost, 0
        first = [AuditEvent(at=self._clock(), who=SYSTEM, action="audit.lost", detail={"rows": lost})] if lost else []
        write = self._audit.append([*first, *events])
        write.then(partial(self._written, events, lost))
        return write

    def _written(self, events: list[AuditEvent], lost: int, write: Write[tuple[ChainHead, str | None]]) -> None:
        error = write.error
        if error is None:
            self._faulty = False
            self._head, why = write.result()
            self.rows = self._head.seq
            if why is not None:
                self.broken = True
                self._log.error("audit_broken", why=why)
            self.noticed()
            return
        later_on = isinstance(error, Busy | Unavailable)
        if not self._faulty:
            self._faulty = True
            # A disk that is away is told of by whoever needs it first; the rows are written when it is back.
            if later_on:
                self._log.warning("audit_not_written", rows=len(events))
            else:
                self._log.error("audit_rows_lost", rows=len(events), exc_info=error)
        self._lost += lost
        if later_on:
            later, self.unwritten = self.unwritten, []
            self._add(*events, *later)
        else:
            self._lost += len(events)  # Again it would fail again, and take with it what comes.


async def _drop(audit: AuditLog, until: int) -> None:
    while await audit.drop(until):
        pass


def _event(
    at: float,
    who: Principal | AuditActor | None,
    action: str,
    what: AuditObject,
    outcome: str,
    detail: Mapping[str, Json],
) -> AuditEvent:
    """What is written of what somebody asked for, from where they are asking now."""
    return AuditEvent(
        at=at, who=_actor(who), action=action, object=what, outcome=outcome, address=ADDRESS.get(), detail=detail
    )


def _actor(who: Principal | AuditActor | None) -> AuditActor:
    if who is None or isinstance(who, AuditActor):
        return who or NOBODY
    caller = who.caller
    return AuditActor(kind=caller.kind, id=caller.id, user_id=caller.user_id, name=caller.name)
