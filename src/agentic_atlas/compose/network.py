"""A whole network in one process and on one event loop: store, engine, API and router."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from agentic_atlas.api.app import create_app
from agentic_atlas.auth import (
    KeyRing,
    Scope,
    Seal,
    allows,
    key_id,
    load_or_create_ring,
    load_or_create_sealing_key,
    read_bearer,
    verify,
)
from agentic_atlas.auth.hosts import Hosts
from agentic_atlas.auth.proxies import Proxies
from agentic_atlas.backend.archive.manifest import DATABASE, KEYS
from agentic_atlas.backend.checker.process import checking
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.inside import RouterDoor
from agentic_atlas.backend.rights import insufficient
from agentic_atlas.backend.store.database import SqlStore, open_store
from agentic_atlas.backend.store.lock import owner
from agentic_atlas.backend.store.logs import open_logs
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.compose import figures, http, reachable
from agentic_atlas.compose.addresses import Addresses, addresses, check_exposure
from agentic_atlas.compose.backend import Neighbours, build, sign_on
from agentic_atlas.compose.certificate import Certificate
from agentic_atlas.compose.hashing import hashing
from agentic_atlas.compose.restore import finish_restore, make_private
from agentic_atlas.compose.sources import Entropy, SortableIds, machine_names, monotonic, python_environ, wall
from agentic_atlas.compose.tracing import traced
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.observe.frames import Frames
from agentic_atlas.observe.logs import Log
from agentic_atlas.platform import app as platform
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.router.door import AgentDoor, serve
from agentic_atlas.router.figures import samples as of_router
from agentic_atlas.router.router import Router
from agentic_atlas.router.tracing import ToldRouter, told
from agentic_atlas.settings import Settings
from agentic_atlas.transport.crowd import Crowd, raise_limit
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.server import Listener

LOGS: Final = "logs.sqlite3"
"""File with the lines of agents' logs, in the data folder. Backups leave it out."""


@dataclass(frozen=True)
class Network:
    """A network that is up.

    Attributes:
        engine: its rules and its store.
        addresses: where it is.
    """

    engine: Engine
    addresses: Addresses


@asynccontextmanager
async def network(settings: Settings, log: Log) -> AsyncIterator[Network]:
    """Bring a network up; at the end of the block it is brought down in order, and nothing is left running.

    Raises:
        ConfigurationError: a port is taken, the data folder is in use or can't be used, the certificate is none, or
            others could read what is sent here (`plaintext_refused`).
    """
    certificate = _certificate(settings)
    check_exposure(settings, tls=certificate is not None)
    provider = sign_on(settings)
    with _listening(settings) as api_socket:
        ids = SortableIds()
        make_private(settings.data_dir)
        finish_restore(settings.data_dir)
        ring = load_or_create_ring(settings.data_dir / KEYS, wall())
        seal = Seal(load_or_create_sealing_key(settings.data_dir / KEYS, Entropy()), Entropy())
        async with open_store(settings.data_dir / DATABASE, clock=wall, ids=ids, seal=seal) as store:
            for note in store.notes:
                log.debug("store_noted", message=note)
            with hashing() as passwords:
                async with checking(python_environ()) as checker, open_logs(settings.data_dir / LOGS) as logs:
                    incoming, beside = (
                        Listening(api_socket, certificate),
                        Neighbours(checker, passwords, logs, provider, certificate),
                    )
                    async with _running(settings, log, store, ring, ids, incoming, beside) as up:
                        yield up


class Listening(NamedTuple):
    """What callers' requests come in by."""

    socket: socket.socket
    certificate: Certificate | None
    """Of both listeners; None: without TLS."""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """What listeners speak TLS with."""
        return self.certificate.context if self.certificate else None


def _certificate(settings: Settings) -> Certificate | None:
    given = {"ATLAS_TLS_CERT": settings.tls_cert, "ATLAS_TLS_KEY": settings.tls_key}
    if settings.tls_cert is not None and settings.tls_key is not None:
        return Certificate(settings.tls_cert, settings.tls_key)
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == 1:
        option = missing[0].removeprefix("ATLAS_").lower().replace("_", "-")
        raise ConfigurationError(
            f"a certificate and its key are given together: name the other one with --{option} or {missing[0]}",
            code="bad_certificate",
        )
    return None


def _listening(settings: Settings) -> socket.socket:
    try:
        return http.listen(settings.host, settings.http_port, "--http-port or ATLAS_HTTP_PORT")
    except ConfigurationError as error:
        process = owner(settings.data_dir / DATABASE) if error.code == "address_in_use" else None
        if process is None:
            raise
        up = f"the network of {settings.data_dir} is up already, in process {process}: use it, or stop it first"
        raise ConfigurationError(up, code="store_in_use") from None


@asynccontextmanager
async def _running(
    settings: Settings,
    log: Log,
    store: SqlStore,
    ring: KeyRing,
    ids: SortableIds,
    listening: Listening,
    beside: Neighbours,
) -> AsyncIterator[Network]:
    engine, door, router = await _joined(settings, log, store, ring, ids, beside)
    hosts = Hosts([*settings.names, *machine_names()])
    proxies = Proxies(settings.trusted_proxies.split(","))
    crowd = Crowd(raise_limit(), log, monotonic)
    # Before anything lives: a port that is taken is one plain error.
    agents = AgentDoor(router, _identify(router, engine.network), hosts, proxies)
    listener = await serve(
        agents,
        host=settings.host,
        port=settings.router_port,
        limiter=ConnectionLimiter(settings.router.max_connections, settings.router.max_connections_per_address),
        crowd=crowd,
        ssl=listening.tls,
    )
    host, api_port = listening.socket.getsockname()[:2]
    certified = listening.certificate.names if listening.certificate else None
    where = addresses(settings, host, api_port, listener.port, certified)
    app = create_app(Application(engine), where.told, hosts, platform.ROUTES, platform.refusal)
    try:
        believed = proxies if proxies else None
        server = http.HttpServer(
            traced(app, monotonic, log),
            listening.socket,
            drain=settings.drain,
            crowd=crowd,
            log=log,
            tls=listening.tls,
            proxies=believed,
        )
        server.refusal = platform.refusal
        loop = figures.LoopWatch(store.figures.gather)
        parts = (partial(of_router, agents), partial(figures.of_http, server), store.figures.samples)
        beside.told.extend((*parts, loop.samples, figures.of_process))
        looks = [reachable.watch(settings, log), loop.run()]
        if listening.certificate is not None:
            looks.append(listening.certificate.watch(wall, log))
        async with _alive(settings, engine, door, router, listener, server), _looking(*looks):
            yield Network(engine, where)
    finally:
        await listener.close()


@asynccontextmanager
async def _looking(*looks: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have these go on in this block; nobody waits for them, and what they find is in the log."""
    going = [asyncio.create_task(look) for look in looks]
    try:
        yield
    finally:
        for one in going:
            one.cancel()
        await asyncio.gather(*going, return_exceptions=True)


async def _joined(
    settings: Settings, log: Log, store: SqlStore, ring: KeyRing, ids: SortableIds, beside: Neighbours
) -> tuple[Engine, RouterDoor, Router]:
    """Return the engine with its door for routers, and the router, with what the last process left."""
    router = Router(
        clock=monotonic,
        wall=wall,
        limits=settings.engine.messages,
        settings=settings.router,
        log=log,
    )
    frames = Frames(log)
    told_router = ToldRouter(told(router.say, "to_router", frames))
    engine = await build(settings, log, store, told_router, ring, ids, beside)
    door = RouterDoor(engine, log)
    router.join(told(door.say, "to_backend", frames))
    await engine.take_up()
    return engine, door, router


@asynccontextmanager
async def _alive(
    settings: Settings,
    engine: Engine,
    door: RouterDoor,
    router: Router,
    listener: Listener,
    server: http.HttpServer,
) -> AsyncIterator[None]:
    """Have everything live in this block, and end in an order in which nobody is left without an answer."""
    stop = asyncio.Event()
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        lives = (engine.run(settings.router.grace), door.run(), router.run())
        living = [group.create_task(life) for life in lives]
        serving = group.create_task(http.until(stop, server))
        try:
            yield
        except Exception as error:  # noqa: BLE001  # raised below, as it is and not as one of the group's
            failure = error
        finally:
            # Callers first: what is being answered is finished while agents still answer.
            ends = monotonic() + settings.drain
            router.announce()
            engine.feed.close()
            stop.set()
            await serving
            await router.settle(ends - monotonic())
            await engine.sightings.store()
            await engine.trail.settle(last=True)
            router.drain()
            await listener.close()
            for task in living:
                task.cancel()
    if failure is not None:
        raise failure


def _identify(router: Router, network_id: str) -> Callable[[Sequence[str]], Identity]:
    def identify(headers: Sequence[str]) -> Identity:
        now, token = wall(), read_bearer(headers)
        claims = verify(token, router.entrance.keys, network=network_id, now=now)
        if not allows(claims.scopes, Scope.AGENT_CONNECT):
            raise insufficient(Scope.AGENT_CONNECT)
        return Identity(
            token_id=claims.jti,
            agent_id=claims.agent_id,
            expires_at=float(claims.exp),
            presented_at=now,
            lineage=claims.lineage,
            key_id=key_id(token),
        )

    return identify
