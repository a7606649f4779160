"""The backend, put together: its services over the store, the router and the clock of this machine."""

from functools import partial

from structlog.typing import FilteringBoundLogger

from agentic_atlas.auth import KeyRing, ring_files
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.archive.manifest import KEYS
from agentic_atlas.backend.engine.access import Access
from agentic_atlas.backend.engine.backend import Backend
from agentic_atlas.backend.engine.census import Census, OpenLimits
from agentic_atlas.backend.engine.circles import Circles
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.engine.logins import Logins
from agentic_atlas.backend.engine.monitor import Monitor
from agentic_atlas.backend.engine.registry import Registry
from agentic_atlas.backend.engine.schemas import Schemas
from agentic_atlas.backend.engine.sightings import Sightings
from agentic_atlas.backend.engine.watchers import Watchers
from agentic_atlas.backend.ports import Checker, Store
from agentic_atlas.bus.local import LocalBus
from agentic_atlas.compose.bridge import RouterFleet
from agentic_atlas.compose.sources import SortableIds, WallClock, entropy, wall
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.settings import Settings


async def build(
    settings: Settings,
    log: FilteringBoundLogger,
    store: Store,
    fleet: RouterFleet,
    ring: KeyRing,
    ids: SortableIds,
    limits: Limits,
    checker: Checker,
) -> Backend:
    """Return the backend over a store and a fleet."""
    feed = Feed(LocalBus())
    network = await store.network_id()
    clock = WallClock()
    census = Census(_open_limits(settings))
    registry = Registry(store.agents)
    dispatcher = Dispatcher(store.tasks, fleet, feed, clock, log, census)
    clock.jumped = partial(_clock_jumped, dispatcher, log)
    return Backend(
        store=store,
        fleet=fleet,
        keys=ring,
        network=network,
        clock=clock,
        ids=ids,
        entropy=entropy,
        limits=limits,
        access=Access(store.users, registry, clock),
        registry=registry,
        feed=feed,
        dispatcher=dispatcher,
        logins=Logins(settings.login_lifetime),
        schemas=Schemas(checker),
        monitor=Monitor(dispatcher, fleet, clock, log),
        circles=Circles(dispatcher, fleet, clock),
        sightings=Sightings(store.agents, fleet, clock),
        backups=_backups(settings, store, network),
        watchers=Watchers(settings.watchers_per_task, settings.watchers_per_key),
    )


def _backups(settings: Settings, store: Store, network: str) -> BackupFolder:
    folder = BackupFolder(
        settings.backups,
        network=network,
        copy=store.copy,
        keys=lambda: ring_files(settings.data_dir / KEYS),
        clock=wall,
    )
    folder.clean()
    return folder


def _clock_jumped(dispatcher: Dispatcher, log: FilteringBoundLogger, seconds: float) -> None:
    log.warning("clock_jumped", seconds=round(seconds, 1))
    dispatcher.forgive(seconds)


def _open_limits(settings: Settings) -> OpenLimits:
    return OpenLimits(
        queue_per_agent=settings.queue_per_agent,
        open_per_caller=settings.open_per_caller,
        open_per_user=settings.open_per_user,
        open_tasks=settings.open_tasks,
    )
