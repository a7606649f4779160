"""The audit log's rows and their chain. Pure.

Each row holds the hash of the one before it, so whoever changes, removes or moves one has to make all that follow anew;
and then the last hash is another one than was kept elsewhere. The form that is hashed is that of
`protocol.caller.audit.AuditEntry`.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import field

from agentic_atlas.protocol.caller.audit import AuditActor, AuditEntry, AuditObject
from agentic_atlas.protocol.caller.values import Json

OK: Final = "ok"
MOST_TEXT: Final = 200
"""Characters of a name, an id or a text in a row; of longer ones the rest is left out."""
MOST_DETAIL: Final = 2_000
"""Bytes of a row's facts; where they have more, only the names of them are kept."""

SYSTEM: Final = AuditActor(kind="system")
NOBODY: Final = AuditActor(kind="nobody")
NOTHING: Final = AuditObject(kind="")

_HASH: Final = b',"hash":""}'


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


def hash_of(entry: AuditEntry) -> str:
    """Return the hash that a row has to have, by all else that it says."""
    line = msgspec.json.encode(msgspec.structs.replace(entry, hash=""))
    return sha256(line.removesuffix(_HASH) + b"}").hexdigest()


def bounded(detail: Mapping[str, Json]) -> dict[str, Json]:
    """Return facts in the order of their names, cut to what a row has room for."""
    facts = {name: _cut(fact) if isinstance(fact, str) else fact for name, fact in sorted(detail.items())}
    if len(msgspec.json.encode(facts)) > MOST_DETAIL:
        return {"left_out": [_cut(name) for name in sorted(detail)][:20]}
    return facts


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"
