"""What a network's server is, and which limits it keeps to, as it is shown."""

from datetime import datetime
from typing import Literal, TypeAlias

from agentic_atlas.protocol.caller.values import Listing, Shown

LimitUnit: TypeAlias = Literal["seconds", "bytes", "a second", ""]


class LimitInfo(Shown, frozen=True, kw_only=True):
    """A limit that is in force."""

    part: str
    """Of the server, as the documentation calls it: `OpenLimits`, for instance."""
    name: str
    value: float
    unit: LimitUnit
    """Of the value; empty: it counts something."""
    default: float
    variable: str
    """What sets it, in the environment of `atlas up`; empty: nothing does."""
    meaning: str
    used: int | None = None
    """How much of it is used now; null where nobody counts. By callers and users: by who asks."""


LimitList: TypeAlias = Listing[LimitInfo]
"""Limits that are in force, part by part."""


class ServerInfo(Shown, frozen=True, kw_only=True):
    """What a network's server is."""

    version: str
    python: str
    system: str
    """Of its machine."""
    started_at: datetime
    now: datetime
    """By its clock."""
    api_url: str = ""
    """Where whoever asks finds the API."""
    router_url: str = ""
    """Where their agents connect."""
    certificate_until: datetime | None = None
    """When the certificate ends that it shows; null: it has none, and a proxy in front of it may."""
    certificate_names: tuple[str, ...] = ()
    """Names and addresses that the certificate is for."""
    data_dir: str = ""
    """Folder of its data; empty unless an administrator asks."""
    store_bytes: int = 0
    """Bytes of the database and what was written to it last."""
    rows: dict[str, int]
    """How many there are of what is stored: `tasks`, `agents`, `tokens`, `users`, `api_keys`, `audit`."""
