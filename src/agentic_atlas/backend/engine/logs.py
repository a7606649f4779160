"""The lines of agents' logs on their way into their store: many together, and told to whoever watches.

What can't be kept now is refused: the agent has it still, sends it again, and drops and counts what it has no room
for. So nothing piles up here, and no task waits for a line.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.logs import LogBatch, LogLimits, TaskOwner
from agentic_atlas.backend.engine.changes import Changes
from agentic_atlas.backend.engine.log_tail import LogTail
from agentic_atlas.backend.ports import Clock, FaultLog, LogStore, Store
from agentic_atlas.errors import AtlasError, Unavailable
from agentic_atlas.protocol.messages import LogLine

GATHER: Final = 0.02
"""Seconds from one commit to the next: what comes meanwhile shares it."""
TRIM_EVERY: Final = 10.0
"""Seconds between two looks at whether there is too much, while lines come."""
LOOK_EVERY: Final = 360
"""So many of these between two looks for what is too old, and for lines of agents that are gone."""
_OWNER: Final = 512
_OWNERS: Final = 8 * 1024 * 1024
"""Bytes counted for a task of which it is remembered whose it is, and of all of these."""
_MOST_GONE: Final = 10_000
_MOST_INSTANCES: Final = 20_000

_Became: TypeAlias = list[int | Exception]
"""What became of lines, once that is known: the number up to which all are kept, or why they are not."""


class LogBook:
    """Keeps the lines of agents' logs.

    Attributes:
        lines: their store.
        tail: those who watch them.
        trouble: code of the error because of which nothing can be kept at present; None: all is well.
        kept: how many lines were kept since the start.
        dropped: how many agents have said since then that they dropped, for want of room.
    """

    def __init__(  # neighbours, each of its own kind
        self,
        lines: LogStore,
        store: Store,
        changes: Changes,
        clock: Clock,
        log: FaultLog,
        limits: LogLimits,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.lines = lines
        self.tail = LogTail()
        self.trouble: str | None = None
        self.kept = self.dropped = 0
        self._store = store
        self._changes = changes
        self._clock = clock
        self._log = log
        self._limits = limits
        self._sleep = sleep
        self._turn = asyncio.Lock()
        self._waiting: list[tuple[LogBatch, _Became]] = []
        self._next = 0.0
        self._owners: Kept[str, TaskOwner] = Kept(_OWNERS)
        self._gone: dict[str, None] = {}
        self._dropped: Kept[str, int] = Kept(_MOST_INSTANCES)

    async def keep(self, agent_id: str, instance_id: str, first: int, lines: Sequence[LogLine], dropped: int) -> int:
        """Keep those of these lines that are not kept yet, and return the number up to which all of the instance's are.

        `first` is the number of the first of them: each instance numbers its own, 1, 2, …. Lines up to the number that
        was returned last are there already, and are passed over. Numbers may be left out; `dropped` is how many lines
        the instance has dropped so far.

        Raises:
            Unavailable: they can't be kept now; they come again.
        """
        self._count_dropped(instance_id, first, dropped)
        became: _Became = []
        self._waiting.append((LogBatch(agent_id, instance_id, first, lines, dropped), became))
        async with self._turn:
            if not became:
                await self._keep_waiting()
        (outcome,) = became
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def forget(self, agent_id: str) -> None:
        """Remove all lines of an agent that was deleted, and keep none that are still on their way.

        What can't be removed now is when it is looked for agents that are gone.
        """
        self._gone[agent_id] = None
        if len(self._gone) > _MOST_GONE:
            del self._gone[next(iter(self._gone))]
        async with self._turn:
            await self._tried(self.lines.forget(agent_id))

    async def run(self) -> None:
        """Remove what is too much or too old, until cancelled."""
        looks, kept = 0, 0
        while True:
            if self.kept != kept or looks % LOOK_EVERY == 0:
                kept = self.kept
                await self._tried(self._trim())
            if looks % LOOK_EVERY == 0:
                await self._tried(self._forget_gone())
            looks += 1
            await self._sleep(TRIM_EVERY)

    def _count_dropped(self, instance_id: str, first: int, dropped: int) -> None:
        """Count what was dropped since this instance was heard last."""
        known = self._dropped.get(instance_id)
        if known is None:
            # All before its first line may be missing; of one that has said some to another process, that counted them.
            known = 0 if first <= dropped + 1 else dropped
        self.dropped += max(0, dropped - known)
        self._dropped.keep(instance_id, dropped, 1)

    async def _keep_waiting(self) -> None:
        """Keep all that waits, in one commit."""
        loop = asyncio.get_running_loop()
        if (pause := self._next - loop.time()) > 0:
            await self._sleep(pause)
        taken, self._waiting = self._waiting, []
        for batch, became in taken:
            if batch.agent_id in self._gone:
                became.append(batch.first + len(batch.lines) - 1)
        outcome: Exception = Unavailable("nothing more is kept now", code="logs_interrupted")
        try:
            await self._keep([(batch, became) for batch, became in taken if not became])
            self._works()
        except AtlasError as error:
            self._failed(error)
            outcome = error
        finally:  # Whoever waits has an answer, should this be stopped half way, too.
            self._next = loop.time() + GATHER
            for _, became in taken:
                if not became:
                    became.append(outcome)

    async def _keep(self, taken: Sequence[tuple[LogBatch, _Became]]) -> None:
        """Keep these, say what became of each, and tell whoever watches."""
        batches = await self._owned([batch for batch, _ in taken])
        kept = await self.lines.append(batches, self._clock(), self._limits)
        for (_, became), batch, one in zip(taken, batches, kept, strict=True):
            became.append(one.up_to)
            self.kept += len(one.lines)
            if len(self.tail) and one.lines:
                agent = await self._changes.record(batch.agent_id)
                self.tail.tell(agent, (batch.agent_id, batch.instance_id), one.lines, batch.owners)

    async def _owned(self, batches: Sequence[LogBatch]) -> list[LogBatch]:
        """Say whose tasks are that agents speak of; those of others are not theirs to speak of."""
        named = {line.task for batch in batches for line in batch.lines if line.task}
        remembered = {id_: self._owners.get(id_) for id_ in named}
        owners = {id_: owner for id_, owner in remembered.items() if owner is not None}
        if unknown := named - owners.keys():
            read = await self._store.traces.owners(unknown)
            for id_, owner in read.items():
                owners[id_] = self._owners.keep(id_, owner, _OWNER)
        return [
            batch._replace(
                owners={
                    line.task: owner
                    for line in batch.lines
                    for owner in (owners.get(line.task),)
                    if owner is not None and owner.agent_id == batch.agent_id
                }
            )
            for batch in batches
        ]

    async def _trim(self) -> None:
        more = True
        while more:
            async with self._turn:
                more = await self.lines.trim(self._clock(), self._limits)

    async def _forget_gone(self) -> None:
        """Remove the lines of agents that are gone."""
        for agent_id in await self.lines.agents():
            if await self._store.agents.get(agent_id) is None:
                await self.lines.forget(agent_id)

    async def _tried(self, work: Awaitable[None]) -> None:
        """Do what can be done later as well."""
        try:
            await work
        except AtlasError as error:
            self._failed(error)
        except Exception as bug:  # noqa: BLE001  # a fault of ours with lines must not end all else
            self._log.error("agent_logs_failed", exc_info=bug)

    def _failed(self, error: AtlasError) -> None:
        if self.trouble is None:
            self._log.warning("agent_logs_not_kept", code=error.code, reason=error.message)
        self.trouble = error.code

    def _works(self) -> None:
        if self.trouble is not None:
            self._log.warning("agent_logs_kept_again", code=self.trouble)
        self.trouble = None
