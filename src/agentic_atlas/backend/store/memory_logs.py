"""Log lines behind the port, in memory."""

from collections.abc import Sequence

from agentic_atlas.backend.domain.logs import (
    FoundLine,
    KeptBatch,
    LogBatch,
    LogFence,
    LogFilter,
    LogFinds,
    LogLimits,
    LogSight,
    TaskOwner,
    kept_lines,
)
from agentic_atlas.backend.store.cursors import cursor_after, id_in
from agentic_atlas.errors import InvalidInput

_LINE = 100
"""Bytes counted for a line besides its texts."""


class MemoryLogs:
    """`ports.LogStore`."""

    def __init__(self) -> None:
        self._fences: dict[str, LogFence] = {}
        self._lines: list[tuple[FoundLine, TaskOwner | None]] = []

    async def append(self, batches: Sequence[LogBatch], now: float, limits: LogLimits) -> list[KeptBatch]:
        """See the port."""
        return [self._append(batch, now, limits) for batch in batches]

    def _append(self, batch: LogBatch, now: float, limits: LogLimits) -> KeptBatch:
        fence = self._fences.get(batch.instance_id, LogFence())
        lines = kept_lines(batch, fence, now, now - limits.logs_age)
        for line in lines:
            found = FoundLine(batch.agent_id, batch.instance_id, line)
            self._lines.append((found, batch.owners.get(line.task)))
        if lines:
            fence = LogFence(lines[-1].n, batch.dropped, lines[-1].at, known=True)
            self._fences[batch.instance_id] = fence
        return KeptBatch(fence.up_to, lines)

    async def find(self, which: LogFilter, sight: LogSight, *, limit: int, before: str | None = None) -> LogFinds:
        """See the port."""
        end = (float("inf"), "", 0) if before is None else _key(before)
        fitting = (
            (_order(one), one)
            for one, owner in self._lines
            if (which.agent_ids is None or one.agent_id in which.agent_ids)
            and which.fits(one.line)
            and sight.sees(one.agent_id, one.line, (owner.owner_id, owner.caller_id) if owner else None)
            and _order(one) < end
        )
        found = sorted(fitting, key=lambda kept: kept[0])
        page = found[-limit:][::-1]
        if len(found) <= limit:
            return LogFinds([one for _, one in page], None, None)
        at, instance, n = page[-1][0]
        return LogFinds([one for _, one in page], cursor_after(f"{at!r}/{instance}/{n}"), at)

    async def trim(self, now: float, limits: LogLimits) -> bool:
        """See the port."""
        kept: dict[str, int] = {}
        total, lines = 0, []
        for one, owner in sorted(self._lines, key=lambda kept: _order(kept[0]), reverse=True):
            size = _LINE + len(one.line.message) + len(one.line.exception) + len(bytes(one.line.fields))
            total, of_agent = total + size, kept.get(one.agent_id, 0) + size
            old = one.line.at < now - limits.logs_age
            if not old and of_agent <= limits.logs_agent_bytes and total <= limits.logs_bytes:
                lines.append((one, owner))
                kept[one.agent_id] = of_agent
        less = len(lines) < len(self._lines)
        self._lines = lines[::-1]
        return less

    async def forget(self, agent_id: str) -> None:
        """See the port."""
        gone = {one.instance_id for one, _ in self._lines if one.agent_id == agent_id}
        self._lines = [kept for kept in self._lines if kept[0].agent_id != agent_id]
        self._fences = {id_: fence for id_, fence in self._fences.items() if id_ not in gone}

    async def agents(self) -> list[str]:
        """See the port."""
        return sorted({one.agent_id for one, _ in self._lines})


def _order(found: FoundLine) -> tuple[float, str, int]:
    return found.line.at, found.instance_id, found.line.n


def _key(cursor: str) -> tuple[float, str, int]:
    try:
        at, instance, n = id_in(cursor).split("/")
        return float(at), instance, int(n)
    except ValueError:
        raise InvalidInput("this cursor is not from a list of ours; begin without one", code="invalid_cursor") from None
