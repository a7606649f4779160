"""The audit log's rows and their chain. Pure.

Each row holds the hash of the one before it, so whoever changes, removes or moves one has to make all that follow anew;
and then the last hash is another one than was kept elsewhere. The form that is hashed is that of
`protocol.caller.audit.AuditEntry`.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import field

from agentic_atlas.protocol.caller.audit import (
    AuditActor,
    AuditAnchor,
    AuditEntry,
    AuditFlaw,
    AuditHead,
    AuditObject,
    AuditReport,
    FlawKind,
)
from agentic_atlas.protocol.caller.values import Json

OK: Final = "ok"
MOST_TEXT: Final = 200
"""Characters of a name, an id or a text in a row; of longer ones the rest is left out."""
MOST_DETAIL: Final = 2_000
"""Bytes of a row's facts; where they have more, only the names of them are kept."""

SYSTEM: Final = AuditActor(kind="system")
NOBODY: Final = AuditActor(kind="nobody")
NAMELESS: Final = (SYSTEM.kind, NOBODY.kind)
"""Kinds of whoever is looked for by them, having no name."""
NOTHING: Final = AuditObject(kind="")

MOST_FLAWS: Final = 100
"""Flaws that a check of the log tells of."""
BROKEN: Final = "audit.broken"
"""Action of the row that is written when the log is found not to be as it was left."""

_HASH: Final = b',"hash":""}'
_SIGNATURE: Final = b',"signature":""}'


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, before it has its place in the log."""

    at: float
    """Seconds since the epoch."""
    who: AuditActor
    action: str
    object: AuditObject = NOTHING
    outcome: str = OK
    address: str = ""
    detail: Mapping[str, Json] = field(default_factory=dict)


class ChainHead(msgspec.Struct, frozen=True):
    """The last row, as far as the next one has to know it."""

    seq: int
    hash: str


def genesis(network: str) -> ChainHead:
    """Return what the first row of a network's log follows: no row of another network can be put there."""
    return ChainHead(0, sha256(f"audit log of {network}".encode()).hexdigest())


def chained(event: AuditEvent, head: ChainHead) -> AuditEntry:
    """Return the row that follows this head."""
    entry = AuditEntry(
        seq=head.seq + 1,
        at=datetime.fromtimestamp(math.floor(event.at * 1_000) / 1_000, UTC),
        who=msgspec.structs.replace(event.who, id=_cut(event.who.id), name=_cut(event.who.name)),
        action=event.action,
        object=msgspec.structs.replace(event.object, id=_cut(event.object.id), name=_cut(event.object.name)),
        outcome=event.outcome,
        address=_cut(event.address),
        detail=bounded(event.detail),
        previous=head.hash,
        hash="",
    )
    return msgspec.structs.replace(entry, hash=hash_of(entry))


def broken(at: float, why: str) -> AuditEvent:
    """Return what is told of a log that is not as it was left."""
    return AuditEvent(at=at, who=SYSTEM, action=BROKEN, outcome="broken", detail={"why": why})


def changed(last: ChainHead, there: ChainHead, now: str | None) -> str | None:
    """Say in what a log is not as it was left.

    Args:
        last: the last row, as whoever alone writes the log left it.
        there: the last row that is there.
        now: hash of the row that is there now with the number of `last`; None: there is none.
    """
    if there.seq < last.seq:
        return f"rows {there.seq + 1} to {last.seq} are not there any more"
    if last.seq and now != last.hash:
        return f"row {last.seq} is another one than it was"
    if there.seq > last.seq:
        return f"rows {last.seq + 1} to {there.seq} were not written by this server"
    return None


def hash_of(entry: AuditEntry) -> str:
    """Return the hash that a row has to have, by all else that it says."""
    line = msgspec.json.encode(msgspec.structs.replace(entry, hash=""))
    return sha256(line.removesuffix(_HASH) + b"}").hexdigest()


def signed_part(head: AuditHead | AuditAnchor) -> bytes:
    """Return the bytes of a head or an anchor that its signature is of. Neither can be taken for the other."""
    return msgspec.json.encode(msgspec.structs.replace(head, signature="")).removesuffix(_SIGNATURE) + b"}"


def older(head: AuditHead, anchor: AuditAnchor | None) -> str | None:
    """Say in what a head is older than what was archived, of which nothing is that the head is not of."""
    if anchor is None or head.seq >= anchor.archived:
        return None
    return f"the head that was kept is of row {head.seq}, and rows up to {anchor.archived} were archived"


class ChainCheck:
    """Looks at the rows of one network's log, one after the other, and says what is wrong with them."""

    def __init__(
        self,
        network: str,
        head: AuditHead | None = None,
        *,
        signed: bool = True,
        anchor: AuditAnchor | None = None,
        anchored: bool = True,
    ) -> None:
        """Take the head and the anchor that were kept, and whether their signatures were found good."""
        self._network = network
        self._head = head
        self._anchor = anchor
        self._last = genesis(network)
        self._rows = 0
        self._flaws: list[AuditFlaw] = []
        if anchor is not None and (not anchored or anchor.network != network):
            self._add(anchor.archived, "anchor", "the anchor of what was archived was not signed by this network")
            self._anchor = None
        if head is not None and (not signed or head.network != network):
            self._add(head.seq, "head", "the head that was kept was not signed by this network")
            self._head = None

    def take(self, entries: Iterable[AuditEntry]) -> int:
        """Look at the rows that follow; return the number of the last one."""
        for entry in entries:
            if self._rows == 0:
                self._last = self._before(entry)
            self._look_at(entry)
        return self._last.seq

    def report(self, *, headed: bool = False, closed: bool = False) -> AuditReport:
        """Return what was found, once the last row was looked at.

        Args:
            headed: whatever is there has a head, or somebody removed it.
            closed: no row stands behind the head, as nobody writes there any more who could sign a later one.
        """
        kept = self._head.seq if self._head else 0
        if self._rows == 0 and self._anchor is not None:
            self._last = ChainHead(self._anchor.archived, self._anchor.hash)
        self._look_at_head(headed=headed, closed=closed)
        return AuditReport(
            network=self._network,
            rows=self._rows,
            archived=self._last.seq - self._rows if self._anchor and not self._flaws else 0,
            hash=self._last.hash,
            unsigned=max(0, self._last.seq - kept),
            head=self._head,
            flaws=self._flaws,
        )

    def _look_at_head(self, *, headed: bool, closed: bool) -> None:
        head, last = self._head, self._last.seq
        if head is None:
            told = any(flaw.kind == "head" for flaw in self._flaws)
            if headed and last and not told:
                self._add(last, "head", "no head was kept: nothing tells whether more rows stood there, or others")
            return
        if head.seq > last:
            self._add(last + 1, "cut_off", f"the head says that there are {head.seq} rows: the last are not there")
        elif closed and head.seq < last:
            until = f" to {last}" if last > head.seq + 1 else ""
            behind = f"row {head.seq + 1}{until} stands behind the signed head: anybody may have written that"
            self._add(head.seq + 1, "unsigned", behind)
        if why := older(head, self._anchor):
            self._add(head.seq, "head", why)

    def _before(self, first: AuditEntry) -> ChainHead:
        """Return what the first row follows: where some were archived, one that is archived, or is about to be."""
        anchor = self._anchor
        if anchor is None or first.seq == 1:
            return self._last
        if first.seq > anchor.archived:
            return ChainHead(anchor.archived, anchor.hash)
        return ChainHead(first.seq - 1, first.previous)

    def _look_at(self, entry: AuditEntry) -> None:
        last, self._last = self._last, ChainHead(entry.seq, entry.hash)
        self._rows += 1
        head = self._head
        if entry.seq <= last.seq:
            self._add(entry.seq, "reordered", f"it stands behind row {last.seq}")
        elif entry.seq > last.seq + 1:
            until = f" to {entry.seq - 1}" if entry.seq > last.seq + 2 else ""
            self._add(last.seq + 1, "missing", f"row {last.seq + 1}{until} is not there")
        elif entry.previous != last.hash:
            self._add(max(1, last.seq), "changed", f"row {entry.seq} was written behind another one than this")
        if hash_of(entry) != entry.hash:
            self._add(entry.seq, "changed", "its hash is not that of what it says")
        elif head is not None and head.seq == entry.seq and head.hash != entry.hash:
            self._add(entry.seq, "changed", "the head that was kept is of another row with this number")
        elif self._anchor is not None and self._anchor.archived == entry.seq and self._anchor.hash != entry.hash:
            self._add(entry.seq, "changed", "another row with this number was archived")
        if entry.action == BROKEN:
            self._add(entry.seq, "broken", f"the log was found broken: {entry.detail.get('why', '')}")

    def _add(self, seq: int, kind: FlawKind, message: str) -> None:
        if len(self._flaws) < MOST_FLAWS:
            self._flaws.append(AuditFlaw(seq=seq, kind=kind, message=message))


def bounded(detail: Mapping[str, Json]) -> dict[str, Json]:
    """Return facts in the order of their names, cut to what a row has room for."""
    facts = {name: _cut(fact) if isinstance(fact, str) else fact for name, fact in sorted(detail.items())}
    if len(msgspec.json.encode(facts)) > MOST_DETAIL:
        return {"left_out": [_cut(name) for name in sorted(detail)][:20]}
    return facts


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
