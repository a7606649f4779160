"""The audit log, for administrators: looked through, read as it was written, and checked."""

from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.protocol.caller.audit import AuditEntry, AuditReport, AuditRows


@use_case
async def find(
    who: Principal, engine: Engine, which: AuditFilter, *, limit: int, before: int | None = None
) -> list[AuditEntry]:
    """Return rows, newest first, from the one before this number."""
    return await engine.store.audit.find(which, limit=limit, before=before)


@use_case
async def rows(who: Principal, engine: Engine, *, after: int, limit: int) -> AuditRows:
    """Return the rows that follow the one with this number, and the head that is kept: that of all there are, or less.

    Raises ConfigurationError when the head can't be read.
    """
    head = engine.trail.head()
    found = await engine.store.audit.after(after, limit=limit)
    return AuditRows(network=engine.network, items=found, head=head)


@use_case
async def verify(who: Principal, engine: Engine) -> AuditReport:
    """Look at every row; raises ConfigurationError when the head can't be read."""
    return await engine.trail.verify()
