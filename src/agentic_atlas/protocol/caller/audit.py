"""The audit log: who did what to what, as it is shown, exported, and chained."""

from datetime import datetime
from typing import Literal, TypeAlias

from agentic_atlas.protocol.caller.values import Json, Shown

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
    """Network address that it was asked from; a proxy's, when there is one in between. Empty: from inside."""
    detail: dict[str, Json]
    """Facts, cut to a bounded length; no secret and no payload is among them."""
    previous: str
    """Hash of the row before, in hexadecimal digits; that of the first row is made of the network's id."""
    hash: str
