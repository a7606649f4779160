"""A whole network in one process and on one event loop: store, backend, API and router."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from structlog.typing import FilteringBoundLogger

from agentic_atlas.auth import KeyRing, load_or_create_ring, read_bearer, verify
from agentic_atlas.backend.api.app import create_app
from agentic_atlas.backend.domain.logins import Logins
from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.services import instances
from agentic_atlas.backend.services.access import Access
from agentic_atlas.backend.services.backend import Backend
from agentic_atlas.backend.services.dispatch import Dispatcher
from agentic_atlas.backend.services.feed import Feed
from agentic_atlas.backend.services.registry import Registry
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.bus.local import LocalBus
from agentic_atlas.compose import http
from agentic_atlas.compose.bridge import RouterBackend, RouterFleet
from agentic_atlas.compose.sources import SortableIds, entropy, monotonic, wall
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.versions import PATH
from agentic_atlas.router.endpoint import serve
from agentic_atlas.router.ports import Identity
from agentic_atlas.router.router import Router, RouterSettings
from agentic_atlas.settings import Settings

DATABASE = "atlas.sqlite3"
KEYS = "keys"
EVENT_BYTES = 256 * 1024


@dataclass(frozen=True)
class Network:
    """A network that is up.

    Attributes:
        api_url: address of the API on this machine.
        router_url: address of the router on this machine.
    """

    backend: Backend
    api_url: str
    router_url: str


@asynccontextmanager
async def network(settings: Settings, log: FilteringBoundLogger) -> AsyncIterator[Network]:
    """Bring a network up; at the end of the block it is brought down in order, and nothing is left running.

    Raises:
        ConfigurationError: a port is taken, the data folder is in use or can't be used.
    """
    api_socket = http.listen(settings.host, settings.http_port, "--http-port or ATLAS_HTTP_PORT")
    with api_socket:
        ids = SortableIds()
        _make_private(settings.data_dir)
        ring = load_or_create_ring(settings.data_dir / KEYS, wall())
        async with open_store(settings.data_dir / DATABASE, clock=wall, ids=ids) as store:
            for warning in store.warnings:
                log.warning(warning)
            async with _running(settings, log, store, ring, ids, api_socket) as up:
                yield up


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the data folder {folder} can't be made ({os.strerror(error.errno or 0)}): set ATLAS_DATA_DIR to another"
        ) from None


@asynccontextmanager
async def _running(
    settings: Settings,
    log: FilteringBoundLogger,
    store: Store,
    ring: KeyRing,
    ids: SortableIds,
    api_socket: socket.socket,
) -> AsyncIterator[Network]:
    fleet = RouterFleet()
    limits = _limits(settings)
    backend = await _backend(store, fleet, ring, ids, limits)
    router = fleet.router = Router(
        RouterBackend(backend),
        clock=monotonic,
        wall=wall,
        limits=limits,
        settings=RouterSettings(beat_every=settings.beat_every, grace=settings.grace),
        log=log,
    )
    await _take_up(backend, router, settings.grace)
    # Before the tasks are there: a port that is taken is one plain error.
    endpoint = await serve(
        router,
        _identify(ring, backend.network),
        host=settings.host,
        port=settings.router_port,
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
        log=log,
    )
    stop = asyncio.Event()
    router_url = f"ws://{_address(settings.host, endpoint.port)}{PATH}"
    app = create_app(backend, settings.public_router_url or router_url)
    try:
        async with asyncio.TaskGroup() as group:
            dispatching = group.create_task(backend.dispatcher.run())
            routing = group.create_task(router.run())
            serving = group.create_task(http.until(stop, http.HttpServer(app, api_socket, drain=settings.drain)))
            try:
                api_url = f"http://{_address(settings.host, api_socket.getsockname()[1])}"
                yield Network(backend, api_url, router_url)
            finally:
                # Callers first: what is being answered is finished while agents still answer.
                backend.feed.close()
                stop.set()
                await serving
                router.drain()
                await endpoint.close()
                routing.cancel()
                dispatching.cancel()
    finally:
        await endpoint.close()


def _limits(settings: Settings) -> Limits:
    payload = settings.message_bytes * 3 // 4
    # An event is a message too: one that is allowed has to fit into one.
    return Limits(message_bytes=settings.message_bytes, payload_bytes=payload, event_bytes=min(EVENT_BYTES, payload))


async def _backend(store: Store, fleet: RouterFleet, ring: KeyRing, ids: SortableIds, limits: Limits) -> Backend:
    feed = Feed(LocalBus())
    registry = Registry(store.agents)
    return Backend(
        store=store,
        fleet=fleet,
        keys=ring,
        network=await store.network_id(),
        clock=wall,
        ids=ids,
        entropy=entropy,
        limits=limits,
        access=Access(store.users, registry, wall),
        registry=registry,
        feed=feed,
        dispatcher=Dispatcher(store.tasks, fleet, feed, wall),
        logins=Logins(),
    )


async def _take_up(backend: Backend, router: Router, grace: float) -> None:
    """Take up what the last process left: nobody is connected, and what was held stays held for one grace period."""
    await backend.store.agents.depart_all(backend.clock())
    open_tasks = await backend.store.tasks.open()
    backend.dispatcher.resume(open_tasks)
    router.adopt(instances.unanswered(open_tasks), monotonic() + grace)


def _identify(ring: KeyRing, network_id: str) -> Callable[[Sequence[str]], Identity]:
    def identify(headers: Sequence[str]) -> Identity:
        now = wall()
        claims = verify(read_bearer(headers), ring, network=network_id, now=now)
        return Identity(claims.jti, claims.agent_id, float(claims.exp), now)

    return identify


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
