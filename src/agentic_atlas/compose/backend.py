"""The backend, put together: its engine over the store, the router and the world of this machine."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from agentic_atlas.auth import KeyRing, audit_files, load_or_create_audit_key, ring_files
from agentic_atlas.backend.accounts import Passwords, SignOn
from agentic_atlas.backend.archive.folder import BackupFolder
from agentic_atlas.backend.archive.manifest import KEYS
from agentic_atlas.backend.checker.schemas import JsonSchemas
from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.engine.engine import Engine, World
from agentic_atlas.backend.ports import Checker, LogStore, RouterPort
from agentic_atlas.backend.store.database import SqlStore
from agentic_atlas.bus.local import Bus
from agentic_atlas.compose.audit import ARCHIVES, HeadFile
from agentic_atlas.compose.certificate import Certificate
from agentic_atlas.compose.keys import KeyFolder
from agentic_atlas.compose.server import RunningServer
from agentic_atlas.compose.sources import Entropy, SortableIds, WallClock, monotonic, pacer, wall
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe.logs import Log
from agentic_atlas.observe.series import SeriesSample
from agentic_atlas.settings import Settings


@dataclass(frozen=True)
class Neighbours:
    """What works beside the engine, and lives as long as the network is up."""

    checker: Checker
    passwords: Passwords
    logs: LogStore
    sign_on: SignOn | None = None
    certificate: Certificate | None = None
    told: list[Callable[[], Iterable[SeriesSample]]] = field(default_factory=list)
    """What is scraped of all of them; each that comes up adds its own."""


async def build(
    settings: Settings,
    log: Log,
    store: SqlStore,
    router: RouterPort,
    ring: KeyRing,
    ids: SortableIds,
    neighbours: Neighbours,
) -> Engine:
    """Return the engine over a store and a router."""
    network = await store.network_id()
    clock, keys = WallClock(), settings.data_dir / KEYS
    world = World(
        keys=ring,
        clock=clock,
        monotonic=monotonic,
        ids=ids,
        entropy=Entropy(),
        log=log,
        bus=Bus(),
        schemas=JsonSchemas(neighbours.checker),
        backups=_backups(settings, store, network),
        passwords=neighbours.passwords,
        key_store=KeyFolder(keys),
        heads=HeadFile(keys, settings.data_dir / ARCHIVES, load_or_create_audit_key(keys, wall()), network, log),
        sign_on=neighbours.sign_on,
        logs=neighbours.logs,
        server=RunningServer(settings, neighbours.certificate, clock, neighbours.told),
        pacer=pacer,
    )
    engine = Engine.over(store, router, network, world, settings.engine)
    clock.jumped = partial(_clock_jumped, engine, log)
    return engine


def sign_on(settings: Settings) -> SignOn | None:
    """Return what people log in with who have an account at the identity provider that is set, if one is.

    Raises:
        ConfigurationError: it can't be one, or there is no client's id.
    """
    if settings.oidc_issuer is None:
        return None
    # Loaded where it is used: it takes long, and few networks have one.
    from agentic_atlas.compose.oidc import OpenIdProvider, sender
    from agentic_atlas.compose.outgoing import Outgoing

    if not settings.oidc_client_id or not settings.oidc_client_secret:
        raise ConfigurationError(
            "an identity provider gives its clients an id and a secret: set ATLAS_OIDC_CLIENT_ID and "
            "ATLAS_OIDC_CLIENT_SECRET"
        )
    client = settings.oidc_client_id, settings.oidc_client_secret
    domains = (domain.strip().lower() for domain in settings.oidc_domains.split(","))
    outgoing = Outgoing([settings.oidc_issuer, *settings.outgoing_hosts.split(",")])
    return SignOn(
        provider=OpenIdProvider(settings.oidc_issuer, client, wall, sender(outgoing)),
        create=settings.oidc_create,
        role=Role(settings.oidc_role),
        domains=tuple(filter(None, domains)),
    )


def _backups(settings: Settings, store: SqlStore, network: str) -> BackupFolder:
    folder = BackupFolder(
        settings.backups,
        network=network,
        copy=store.copy,
        keys=lambda: ring_files(settings.data_dir / KEYS),
        head=lambda: audit_files(settings.data_dir / KEYS),
        clock=wall,
    )
    folder.clean()
    return folder


def _clock_jumped(engine: Engine, log: Log, seconds: float) -> None:
    log.warning("clock_jumped", seconds=round(seconds, 1))
    engine.forgive(seconds)
