"""The audit log: who did what to what, as it is shown, exported, and chained."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from agentic_atlas.protocol.caller.values import Asked, Json, Listing, Page, Shown

ActorKind: TypeAlias = Literal["user", "api_key", "agent", "system", "nobody"]
"""A person at a browser, a program with a key of theirs, an agent with its token, the network itself, or whoever has
not shown who they are."""


class AuditActor(Shown, frozen=True, kw_only=True):
    """Who did it, or tried to."""

    kind: ActorKind
    id: str = ""
    """Of the user, the key or the agent."""
    user_id: str = ""
    """In whose name: the key's user, the agent's owner."""
    name: str = ""
    """As it was then."""


class AuditObject(Shown, frozen=True, kw_only=True):
    """To what it was done."""

    kind: str
    """For instance `token`, `user` or `task`."""
    id: str = ""
    name: str = ""
    """As it was then."""


class AuditEntry(Shown, frozen=True, kw_only=True):
    """One row of the audit log.

    Its hash is the SHA-256 of the entry as one line of compact JSON in UTF-8, its members in this order and without
    the last one, `hash` itself. So a line of an export is checked by cutting `,"hash":"…"` off its end.
    """

    seq: int
    """Counts from 1 without gaps."""
    at: datetime
    """When it was done, to the millisecond."""
    who: AuditActor
    action: str
    """What was asked for, for instance `tokens.revoke`."""
    object: AuditObject
    outcome: str
    """`ok`, or the code of the error that was answered."""
    address: str
    """Network address that it was asked from; a proxy's, when there is one in between. Empty: from inside, or
    a row that stands for several."""
    detail: dict[str, Json]
    """Facts, cut to a bounded length; no secret and no payload is among them."""
    previous: str
    """Hash of the row before, in hexadecimal digits; that of the first row is made of the network's id."""
    hash: str


AuditPage: TypeAlias = Page[AuditEntry, str]
"""Part of the audit log, newest first."""


class AuditHead(Shown, frozen=True, kw_only=True):
    """The audit log's last row, signed, and kept outside of the database: whoever cuts rows off can't make another one.

    What is signed is the head as one line of compact JSON in UTF-8, its members in this order and without the last one,
    `signature` itself.
    """

    network: str
    seq: int
    hash: str
    at: datetime
    """When it was signed."""
    key: str
    """The public key that it is signed with: Ed25519, its 32 bytes in base64url. It stays the same as long as the
    network's data are kept."""
    signature: str


class AuditAnchor(Shown, frozen=True, kw_only=True):
    """The last row that was archived, signed as the head is: what is left of the log goes on behind it."""

    network: str
    archived: int
    """Number of that row: it and all before it are in archives."""
    hash: str
    at: datetime
    """When it was signed."""
    key: str
    """The key of the log's head."""
    signature: str


class ArchiveRequest(Asked, frozen=True, kw_only=True):
    """Which rows to archive."""

    before: Annotated[datetime, Meta(tz=True)]
    """Those that are older, up to the first one that is not."""


class AuditArchive(Shown, frozen=True, kw_only=True):
    """Rows that are in a file now, and no more in the log."""

    path: str
    """On the server's machine."""
    rows: int
    anchor: AuditAnchor


AuditArchiveList: TypeAlias = Listing[AuditArchive]
"""Files with archived rows, the newest first."""


class AuditRows(Listing[AuditEntry], frozen=True, kw_only=True):
    """Part of the audit log as it was written, oldest first."""

    network: str
    head: AuditHead | None
    """The last one that was kept, and no row here is behind it; null before there is any."""
    anchor: AuditAnchor | None = None
    """What the first row of all goes on behind; null as long as none was archived."""


AuditLine: TypeAlias = AuditEntry | AuditHead | AuditAnchor
"""A line of an export."""


async def lines_of(rows: Callable[[int], Awaitable[AuditRows]], most: int) -> AsyncGenerator[AuditLine, None]:
    """Yield the lines of an export: the anchor if rows were archived, each row, and the signed head.

    `rows` returns those that follow the one with a number, `most` at a time.
    """
    after = 0
    while True:
        part = await rows(after)
        if after == 0 and part.anchor is not None:
            yield part.anchor
        for entry in part.items:
            yield entry
            after = entry.seq
        if len(part.items) < most:
            break
    if part.head is not None:
        yield part.head


FlawKind: TypeAlias = Literal["changed", "missing", "reordered", "cut_off", "unsigned", "head", "anchor", "broken"]


class AuditFlaw(Shown, frozen=True, kw_only=True):
    """Where the audit log is not as it was written."""

    seq: int
    """The row that it is about, or the first of several."""
    kind: FlawKind
    """`changed`: it says something else than it did. `missing`: it is not there. `reordered`: it is in another place.
    `cut_off`: it and all that followed are not there. `unsigned`: in a file it stands behind the head, so that anybody
    may have written it. `head`: the head that was kept is not good, is older than what was archived, or is not there.
    `anchor`: that of what was archived is not good. `broken`: the row was written when a start of the network found the
    log not as the head says."""
    message: str


class AuditReport(Shown, frozen=True, kw_only=True):
    """What became of checking the audit log, from its first row to its last."""

    network: str
    rows: int
    archived: int = 0
    """Rows before the first one, which were archived."""
    hash: str
    """Of the last row."""
    unsigned: int
    """Rows behind the head that was kept: those of the last second, or of the last second before a process was
    killed. Nothing tells whether others stood there."""
    head: AuditHead | None
    flaws: list[AuditFlaw]
    """None: every row is as it was written. At most 100."""


class AuditCheck(Shown, frozen=True, kw_only=True):
    """A check of the audit log that goes on by itself, or the last one that did."""

    begun_at: datetime
    rows: int = 0
    """Rows that were looked at."""
    of: int = 0
    """Rows that there were when it began; 0: it has not begun to look."""
    ended_at: datetime | None = None
    report: AuditReport | None = None
    """What it came to."""
    fault: str = ""
    """Why it came to nothing."""
