"""The state of this process, put together: what the use cases work with."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from agentic_atlas.backend.accounts import Passwords, SignOn
from agentic_atlas.backend.domain.logs import LogLimits
from agentic_atlas.backend.engine.absence import Absence
from agentic_atlas.backend.engine.access import Access, Registry
from agentic_atlas.backend.engine.audit import AuditTrail
from agentic_atlas.backend.engine.census import Census, OpenLimits
from agentic_atlas.backend.engine.changes import Changes
from agentic_atlas.backend.engine.circles import Circles
from agentic_atlas.backend.engine.contention import Contention
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.cuts import Cuts
from agentic_atlas.backend.engine.dispatch import Dispatcher
from agentic_atlas.backend.engine.feed import Feed
from agentic_atlas.backend.engine.key_uses import KeyUses
from agentic_atlas.backend.engine.logged_in import SessionTimes
from agentic_atlas.backend.engine.logins import KEY_LIFETIME, Logins
from agentic_atlas.backend.engine.logs import LogBook
from agentic_atlas.backend.engine.monitor import Monitor
from agentic_atlas.backend.engine.outcomes import Outcomes
from agentic_atlas.backend.engine.people import People
from agentic_atlas.backend.engine.resources import ResourceKeeper
from agentic_atlas.backend.engine.rollups import RollUps
from agentic_atlas.backend.engine.sightings import Sightings
from agentic_atlas.backend.engine.signing import Signing
from agentic_atlas.backend.engine.verification import Verification
from agentic_atlas.backend.engine.watchers import Watchers
from agentic_atlas.backend.ports import (
    AuditHeads,
    Backups,
    Clock,
    FaultLog,
    Ids,
    KeyStore,
    LogStore,
    Pace,
    RouterPort,
    Schemas,
    ServerProcess,
    Store,
)
from agentic_atlas.bus.local import Bus
from agentic_atlas.protocol.inside.messages import Adopt
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.protocol.tasks import LEASED

if TYPE_CHECKING:
    from agentic_atlas.auth import KeyRing


_DAY = 86_400


class TokenTerms(msgspec.Struct, frozen=True):
    """What may be chosen of agents' tokens. Durations are seconds."""

    max_token_lifetime: float = 366 * _DAY
    """How long a token of an agent may be good for, at the most; 90 days or less unless its owner says otherwise."""
    max_token_age: float = 365 * _DAY
    """How long an agent may renew its token by itself, counted from when a person made or rotated it."""


class EngineSettings(msgspec.Struct, frozen=True):
    """What may be chosen of an engine. Durations are seconds."""

    messages: Limits = Limits()
    """Bounds of messages and payloads, which agents and callers are held to."""
    open: OpenLimits = OpenLimits()
    """How many tasks may be open."""
    watchers_per_task: int = 200
    """Most watchers of one task's events at the same time; more are answered 429 (`too_many_watchers`)."""
    watchers_per_key: int = 500
    """Most watchers with one API key at the same time; more are answered 429 (`too_many_watchers`)."""
    requests_per_second: int = 1_000
    """Most requests of one user in a second, with whatever keys and sessions, of which those of two seconds may come at
    once; a batch is as many as its tasks. More are answered 429 (`too_many_requests`). 0: no limit of its own."""
    login_lifetime: float = KEY_LIFETIME
    """How long the API key of a login by code (`atlas login --code`) or with a password is good for."""
    tokens: TokenTerms = TokenTerms()
    """How long agents' tokens are good for."""
    sessions: SessionTimes = SessionTimes()
    """How long people stay logged in."""
    logs: LogLimits = LogLimits()
    """How much is kept of agents' logs."""


@dataclass(frozen=True)
class World:
    """What an engine has of the world besides its store and its router."""

    keys: "KeyRing"
    clock: Clock
    monotonic: Callable[[], float]
    """Seconds that only ever pass."""
    ids: Ids
    entropy: Callable[[int], bytes]
    log: FaultLog
    bus: Bus
    schemas: Schemas
    backups: Backups
    passwords: Passwords
    key_store: KeyStore | None = None
    """None: the keys stay as they are."""
    heads: AuditHeads | None = None
    """None: what ends with its process needs none."""
    sign_on: SignOn | None = None
    server: ServerProcess | None = None
    """None: there is none of its own."""
    logs: LogStore | None = None
    """None: no lines of agents' logs are kept, and agents are told not to send any."""
    pacer: Callable[[int], Pace] | None = None
    """Makes what counts requests, of which there may be so many in a second. None: nobody's are counted."""


@dataclass(frozen=True)
class Engine:
    """The parts of a engine. Not for several event loops."""

    store: Store
    credit: Credits
    router: RouterPort
    signing: Signing
    network: str
    """Id of this network; in the issuer of every token."""
    clock: Clock
    ids: Ids
    entropy: Callable[[int], bytes]
    limits: Limits
    access: Access
    registry: Registry
    feed: Feed
    dispatcher: Dispatcher
    cuts: Cuts
    logins: Logins
    monitor: Monitor
    schemas: Schemas
    circles: Circles
    sightings: Sightings
    backups: Backups
    watchers: Watchers
    changes: Changes
    absence: Absence
    tokens: TokenTerms
    trail: AuditTrail
    verification: Verification
    contention: Contention
    rollups: RollUps
    outcomes: Outcomes
    resources: ResourceKeeper
    people: People
    server: ServerProcess | None
    logs: LogBook | None
    """None: nothing that agents say is kept."""
    pace: Pace | None
    """How often somebody may ask. None: as often as they like."""

    @staticmethod
    def over(
        store: Store, router: RouterPort, network: str, world: World, settings: EngineSettings | None = None
    ) -> "Engine":
        """Return the engine over a store and behind a router; `network` is the id of the network."""
        settings = settings or EngineSettings()
        clock, log = world.clock, world.log
        feed, registry = Feed(world.bus, store.tasks, world.clock), Registry(store.agents)
        credit, uses = Credits(world.monotonic), KeyUses(store.users, clock)
        people = People(store, world.passwords, clock, settings.sessions, feed, world.sign_on)
        changes = Changes(feed, store.agents)
        trail = AuditTrail(network, store.audit, world.heads, clock, log)
        credit.noticed, trail.noticed = changes.agent, changes.audited
        dispatcher = Dispatcher(store.tasks, credit, router, feed, clock, log, Census(settings.open))
        return Engine(
            store=store,
            credit=credit,
            router=router,
            signing=Signing(world.keys, world.key_store, store.tokens, router, clock),
            network=network,
            clock=clock,
            ids=world.ids,
            entropy=world.entropy,
            limits=settings.messages,
            access=Access(store, registry, clock, people.logged_in, uses),
            registry=registry,
            feed=feed,
            dispatcher=dispatcher,
            cuts=Cuts(dispatcher, credit, clock, log),
            logins=Logins(settings.login_lifetime),
            monitor=Monitor(dispatcher, credit, router, clock, log),
            schemas=world.schemas,
            circles=Circles(dispatcher, credit, clock),
            sightings=Sightings(store.agents, credit, uses, clock),
            backups=world.backups,
            watchers=Watchers(settings.watchers_per_task, settings.watchers_per_key),
            changes=changes,
            absence=Absence(dispatcher, credit, clock),
            contention=Contention(clock),
            rollups=RollUps(store.statistics, clock),
            outcomes=Outcomes(feed),
            resources=ResourceKeeper(store.resources, credit.beats, clock),
            tokens=settings.tokens,
            trail=trail,
            verification=Verification(trail, clock),
            people=people,
            server=world.server,
            logs=LogBook(world.logs, store, changes, clock, log, settings.logs) if world.logs is not None else None,
            pace=world.pacer(settings.requests_per_second) if world.pacer and settings.requests_per_second else None,
        )

    async def take_up(self) -> None:
        """Take up what the last process left, before anything else: nobody is connected, and who was is expected back.

        What is held stays held for one grace period.
        """
        self.signing.tell()
        await self.store.tokens.withdraw_others(self.signing.ring.verification.keys(), self.clock())
        await self.trail.take_up()
        self.absence.expect(await self.store.agents.depart_all(self.clock()))
        open_tasks = await self.store.tasks.open()
        self.dispatcher.resume(open_tasks)
        held = [task for task in open_tasks if task.state in LEASED]
        known = [await self.store.agents.instances(agent_id) for agent_id in {task.agent_id for task in held}]
        there = [instance for instances in known for instance in instances]
        tokens = {instance.id: instance.root for instance in there}
        for task in held:
            instance_id = task.instance_id or ""
            self.router.say(Adopt(task.id, task.attempt, instance_id, tokens.get(instance_id, "")))
        self.cuts.restarted(held, {one.id: one.disconnected_at for one in there if one.disconnected_at is not None})

    async def run(self, grace: float) -> None:
        """Do what is done by itself, until cancelled; agents are expected back for `grace` seconds."""
        async with asyncio.TaskGroup() as group:
            own = (
                self.monitor,
                self.circles,
                self.sightings,
                self.trail,
                self.verification,
                self.rollups,
                self.resources,
            )
            for life in (self.dispatcher.deadlines, self.outcomes, *own):
                group.create_task(life.run())
            if self.logs is not None:
                group.create_task(self.logs.run())
            await asyncio.sleep(grace)
            self.absence.nobody_came()

    def forgive(self, seconds: float) -> None:
        """The wall clock was set by so many seconds, or the machine slept for them."""
        self.dispatcher.deadlines.forgive(seconds)
