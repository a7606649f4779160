"""A whole network in one process and on one event loop: store, backend, API and router."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from agentic_atlas.auth import KeyRing, load_or_create_ring, read_bearer, verify
from agentic_atlas.backend.api.app import create_app
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.services import instances, tasks
from agentic_atlas.backend.services.backend import Backend
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.compose import http
from agentic_atlas.compose.backend import build
from agentic_atlas.compose.bridge import RouterBackend, RouterFleet
from agentic_atlas.compose.restore import finish_restore, make_private
from agentic_atlas.compose.sources import SortableIds, monotonic, wall
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.versions import PATH
from agentic_atlas.router.endpoint import serve
from agentic_atlas.router.ports import Identity
from agentic_atlas.router.router import Router, RouterSettings
from agentic_atlas.settings import Settings


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
        make_private(settings.data_dir)
        finish_restore(settings.data_dir)
        ring = load_or_create_ring(settings.data_dir / KEYS, wall())
        async with open_store(settings.data_dir / DATABASE, clock=wall, ids=ids) as store:
            for warning in store.warnings:
                log.warning(warning)
            async with _running(settings, log, store, ring, ids, api_socket) as up:
                yield up


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
    limits = Limits(message_bytes=settings.message_bytes, payload_bytes=settings.message_bytes * 3 // 4)
    backend = await build(settings, log, store, fleet, ring, ids, limits)
    router = fleet.router = Router(
        RouterBackend(backend),
        clock=monotonic,
        wall=wall,
        limits=limits,
        settings=RouterSettings(beat_every=settings.beat_every, grace=settings.grace),
        log=log,
    )
    await _take_up(backend, router)
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
            watching = group.create_task(backend.monitor.run())
            serving = group.create_task(http.until(stop, http.HttpServer(app, api_socket, drain=settings.drain)))
            waiting = group.create_task(_wait_for_agents(backend, settings.grace))
            try:
                api_url = f"http://{_address(settings.host, api_socket.getsockname()[1])}"
                yield Network(backend, api_url, router_url)
            finally:
                # Callers first: what is being answered is finished while agents still answer.
                ends = monotonic() + settings.drain
                router.announce()
                backend.feed.close()
                stop.set()
                await serving
                await router.settle(ends - monotonic())
                router.drain()
                await endpoint.close()
                for task in (watching, waiting, routing, dispatching):
                    task.cancel()
    finally:
        await endpoint.close()


async def _take_up(backend: Backend, router: Router) -> None:
    """Take up what the last process left: nobody is connected, and what was held stays held for one grace period."""
    backend.returning.expect(await backend.store.agents.depart_all(backend.clock()))
    open_tasks = await backend.store.tasks.open()
    backend.dispatcher.resume(open_tasks)
    router.adopt(instances.unanswered(open_tasks))


async def _wait_for_agents(backend: Backend, grace: float) -> None:
    await asyncio.sleep(grace)
    await tasks.nobody_came(backend)


def _identify(ring: KeyRing, network_id: str) -> Callable[[Sequence[str]], Identity]:
    def identify(headers: Sequence[str]) -> Identity:
        now = wall()
        claims = verify(read_bearer(headers), ring, network=network_id, now=now)
        return Identity(claims.jti, claims.agent_id, float(claims.exp), now)

    return identify


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
