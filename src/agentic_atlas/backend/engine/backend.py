"""Everything the use cases work with, in one value; `compose` builds it, and each use case takes it first."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agentic_atlas.auth import KeyRing
from agentic_atlas.backend.engine.access import Access
from agentic_atlas.backend.engine.circles import Circles
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.engine.logins import Logins
from agentic_atlas.backend.engine.monitor import Monitor
from agentic_atlas.backend.engine.registry import Registry
from agentic_atlas.backend.engine.returning import Returning
from agentic_atlas.backend.engine.schemas import Schemas
from agentic_atlas.backend.engine.sightings import Sightings
from agentic_atlas.backend.engine.watchers import Watchers
from agentic_atlas.backend.ports import Backups, Fleet, Ids, Store
from agentic_atlas.protocol.messages import Limits


@dataclass(frozen=True)
class Backend:
    """The backend's parts. Not for several event loops."""

    store: Store
    fleet: Fleet
    keys: KeyRing
    network: str
    """Id of this network; in the issuer of every token."""
    clock: Callable[[], float]
    ids: Ids
    entropy: Callable[[int], bytes]
    limits: Limits
    access: Access
    registry: Registry
    feed: Feed
    dispatcher: Dispatcher
    logins: Logins
    monitor: Monitor
    schemas: Schemas
    circles: Circles
    sightings: Sightings
    backups: Backups
    watchers: Watchers
    returning: Returning = field(default_factory=Returning)
