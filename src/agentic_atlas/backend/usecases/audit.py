"""The audit log, for administrators: looked through, read as it was written, and checked."""

from agentic_atlas.backend.audited import unknown_action
from agentic_atlas.backend.domain.audit import NAMELESS
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.rights import Principal, Visible
from agentic_atlas.backend.usecases.application import use_case
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.caller.audit import AuditArchive, AuditCheck, AuditEntry, AuditReport, AuditRows
from agentic_atlas.protocol.schemas.words import meant

_COMPARED = 100
"""Names of which it is guessed what was meant."""


@use_case
async def find(
    who: Principal, engine: Engine, which: AuditFilter, *, limit: int, before: int | None = None
) -> list[AuditEntry]:
    """Return rows, newest first, from the one before this number.

    Raises:
        InvalidInput: nothing is found of an action that there is not (`unknown_action`), or by somebody of whom nothing
            is known (`unknown_who`): who mistyped it must not believe that nothing was done.
    """
    found = await engine.store.audit.find(which, limit=limit, before=before)
    if not found and before is None:
        wrong = unknown_action(which.action) if which.action is not None else None
        if wrong is None and which.who is not None:
            wrong = await _unknown(engine, which.who)
        if wrong is not None:
            raise wrong
    return found


@use_case
async def rows(who: Principal, engine: Engine, *, after: int, limit: int) -> AuditRows:
    """Return the rows that follow the one with this number up to the head that is kept, and that head.

    It is kept anew for whoever begins with the first row: all that was answered until then is there.

    Raises ConfigurationError when the head can't be read.
    """
    if after == 0:
        await engine.trail.settle()
    anchor, head = engine.trail.anchor(), engine.trail.head()
    found = await engine.store.audit.after(after, limit=limit)
    if head is not None:
        found = [row for row in found if row.seq <= head.seq]
    return AuditRows(network=engine.network, items=found, head=head, anchor=anchor)


@use_case
async def verify(who: Principal, engine: Engine) -> AuditReport:
    """Look at every row; raises ConfigurationError when the head can't be read."""
    return await engine.trail.verify()


@use_case
async def check(who: Principal, engine: Engine) -> AuditCheck:
    """Have the log checked while nobody waits for it, unless that goes on already; `checked` has what it comes to."""
    return engine.verification.begin()


@use_case
async def checked(who: Principal, engine: Engine) -> AuditCheck | None:
    """Return the check that goes on, else the last one; None: there was none since the start."""
    return engine.verification.latest


@use_case
async def archives(who: Principal, engine: Engine) -> list[AuditArchive]:
    """Return the newest files with archived rows, the newest first.

    Raises Unavailable (`archives_unreadable`), or ConfigurationError (`file_refused`) when one is no file of ours.
    """
    return await engine.trail.archives()


@use_case
async def archive(who: Principal, engine: Engine, before: float) -> AuditArchive:
    """Put the rows that are older than this time into a file on the server's machine, and remove them from the log.

    Raises as `AuditTrail.archive` does.
    """
    return await engine.trail.archive(before)


async def _unknown(engine: Engine, who: str) -> InvalidInput | None:
    """Return the answer to whoever looks for what somebody did of whom nothing is known; None where something is."""
    store = engine.store
    owner, _, name = who.rpartition("/")
    known = (
        who in NAMELESS
        or await store.users.get(who)
        or await store.users.by_name(who)
        or await store.agents.get(who)
        or await store.agents.by_name(owner, name)
        or await store.audit.find(AuditFilter(who=who), limit=1)
    )
    if known:
        return None
    users = [user.name for user in await store.users.find(limit=_COMPARED)]
    agents = [agent.full_name for agent in await store.agents.find(Visible(None), limit=_COMPARED)]
    first = await store.audit.after(0, limit=1)
    rows = (await store.audit.head()).seq - (first[0].seq - 1 if first else 0)
    return InvalidInput(
        f"no user or agent is called {who[:64]!r} today{meant(who, users) or meant(who, agents)}, and no row is by "
        f"anybody of that name or id, of {rows} that were looked at",
        code="unknown_who",
    )
