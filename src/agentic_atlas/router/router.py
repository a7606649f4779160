"""The router: connections, the seats of their tokens, the leases of what they run, and who gets the next task.

It decides nothing about tasks. The backend reserves a slot, delivers into it, and is told what agents report, which
slots are free again, and which attempts are lost.
"""

import asyncio
import math
from asyncio import Future
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from functools import partial
from typing import Any

from agentic_atlas.alarms import Alarms
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import (
    Answer,
    Cancel,
    Drain,
    Hello,
    Limits,
    Reaction,
    Refuse,
    RefuseReason,
    Report,
    Result,
    Task,
)
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.entrance import Entrance
from agentic_atlas.router.hub import Hub
from agentic_atlas.router.losses import Losses
from agentic_atlas.router.office import Office
from agentic_atlas.router.placement import Placement, free
from agentic_atlas.router.ports import Backend, Identity, Instance, Occupied, Receipt, RouterLog, Transport
from agentic_atlas.router.presence import Attempt, Leases
from agentic_atlas.router.registration import Registration, departed
from agentic_atlas.router.settings import RouterSettings

_LINE = 1024
"""Longest reason of a cancel (`messages.Line`)."""

_STOOD_STILL = 1.0
"""Seconds by which a tick has to be late to count as a stop of this process, which is no agent's fault."""

_RETURNS_PER_SECOND = 25
"""Agents that are asked to come back in the same second after a stop, as long as that keeps the grace period."""


class Router:
    """All that goes on between the agents' connections and the backend. Runs on one event loop.

    `run` is its life; nobody is let in before it has begun or after it has ended. The methods in the middle are what
    the backend may ask; they return at once and never fail.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        limits: Limits,
        settings: RouterSettings,
        log: RouterLog,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Prepare; see `Office` for what is passed in. `sleep` waits between two ticks."""
        self.office = Office(backend, limits, settings, clock, wall, log, self._spawn)
        self._sleep = sleep
        self._hub: Hub[Connection] = Hub()
        self._connections: dict[int, Connection] = {}
        self._looks: Alarms[int] = Alarms()
        self._wall_ahead = wall() - clock()
        self._leases = Leases()
        self._losses = Losses(self.office, self._leases)
        self._placement = Placement()
        self._entrance = Entrance()
        self._registration = Registration(self.office, self._hub, self._leases, self._losses, self.freed)
        self._group: asyncio.TaskGroup | None = None
        self._serial = 0
        self._announced = False
        self._closed = False
        self._retry_after: float | None = None
        self._stored = asyncio.Event()
        # Slots reserved on connections that drained and have ended since: what is claimed for them is given back.
        self._drained: dict[Instance, int] = {}
        # Agents whose last instance has left, and until when one may come.
        self._absent: dict[str, float] = {}

    async def run(self) -> None:
        """Live until cancelled: let agents in, and look at leases and deadlines."""
        settings = self.office.settings
        try:
            async with asyncio.TaskGroup() as self._group:
                before = self.office.clock()
                while True:
                    await self._sleep(settings.tick)
                    now = self.office.clock()
                    self._tick(now, now - before - settings.tick)
                    before = now
        finally:
            self._group = None
            self.drain()

    def connect(self, identity: Identity, transport: Transport) -> Connection:
        """Take a connection whose handshake is done; `hello` is due."""
        self._serial += 1
        connection = Connection(self._serial, identity, transport, self.office, self)
        self._connections[connection.serial] = connection
        self._hub.arrive(connection)
        if self._closed:
            connection.close(CloseCode.RESTART, "router_is_stopping", self._retry_after)
        return connection

    def check(self, identity: Identity) -> None:
        """Let somebody pass who connects with this token; see `Entrance.check` for who may not, or not now."""
        self._entrance.check(identity, self._hub.silent(identity.token_id), self.office.clock())

    def announce(self, retry_after: float = 1.0) -> None:
        """Say to all agents that this router is about to stop; from now on no task is given out."""
        self._announced = True
        for connection, later in self._one_by_one():
            if connection.ready:
                connection.send(Drain(retry_after + later))

    async def settle(self, within: float) -> None:
        """Take nothing more from agents, and return when all they reported is acknowledged, or after `within` s."""
        for connection in self._hub.everyone():
            connection.hold()
        try:
            async with asyncio.timeout(within):
                while any(connection.reporting for connection in self._hub.everyone()):
                    self._stored.clear()
                    await self._stored.wait()
        except TimeoutError:
            self.office.log.warning("reports_not_stored")  # Nothing is lost: agents say it all again.

    def drain(self, retry_after: float | None = 1.0) -> None:
        """Close all connections, and each that comes from now on; their attempts go on at the agents.

        Each agent is asked to come back a little later than the one before, so that they do not come all at once.
        """
        self._closed, self._retry_after = True, retry_after
        for connection, later in self._one_by_one():
            spread = None if retry_after is None else retry_after + later
            connection.close(CloseCode.RESTART, "router_is_stopping", spread)

    # -- for the backend

    def reserve(self, agent_id: str, among: Collection[str] | None = None) -> Instance | None:
        """Take a free slot of the agent's least loaded instance, of all or of these; None when there is none."""
        chosen = None if self._announced else self._placement.choose(self._ready(agent_id, among))
        if chosen is None:
            return None
        chosen.deliveries.reserve()
        return chosen.instance

    def release(self, instance: Instance) -> None:
        """Give a slot back that was not used."""
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        if connection is not None and connection.instance == instance:
            connection.deliveries.release()
        elif instance in self._drained:
            self._drained[instance] -= 1
            if not self._drained[instance]:
                del self._drained[instance]

    def deliver(self, instance: Instance, task: Task) -> None:
        """Send an attempt that was claimed for a reserved slot.

        When that connection has ended meanwhile, the attempt goes to the instance's next one, or waits for it through
        the grace period. When it drained before it ended, it does not come back: the attempt is given back for it.
        """
        attempt = Attempt(task.task, task.attempt)
        drained = instance in self._drained
        self.release(instance)
        coming = self._hub.coming(instance.agent_id, instance.instance_id)
        if coming is not None:
            self._registration.meanwhile(coming, task)
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        if connection is None:
            until = self.office.clock() + self.office.settings.grace
            self._leases.keep(attempt, instance.instance_id, until)
            if drained:
                given_back = Refuse(task.task, task.attempt, RefuseReason.DRAINING)
                self.office.backend.report(instance, given_back).add_done_callback(partial(self._given_back, attempt))
        else:
            self._leases.hold(attempt, instance.instance_id, connection.serial)
            connection.deliver(task)

    def cancel(self, task: str, attempt: int, reason: str) -> None:
        """Ask the instance that holds the attempt to stop it; one that is away is told when it comes back."""
        self._tell_holder(Cancel(task, attempt, reason[:_LINE]))

    def answer(self, task: str, attempt: int, reaction: Reaction) -> None:
        """Tell the instance that holds the attempt what became of a question, now or when it comes back."""
        self._tell_holder(Answer(task, attempt, reaction))

    def forget(self, task: str, attempt: int) -> None:
        """The attempt has ended without its agent: it needs no lease any more."""
        self._leases.drop(Attempt(task, attempt))

    def disconnect_tokens(self, token_ids: Sequence[str], reason: str) -> None:
        """Close the connections that were made with these tokens with 4103, and let nobody in with them any more."""
        for token_id in token_ids:
            self._entrance.revoke(token_id, reason)
        for connection in self._hub.with_tokens(token_ids):
            connection.close(CloseCode.TOKEN_REVOKED, reason)

    def disconnect_agent(self, agent_id: str, reason: str) -> None:
        """Close all connections of this agent with 4104, and let none in until `readmit_agent`."""
        self._entrance.shut_out(agent_id, reason, self.office.clock())
        for connection in self._hub.of_agent(agent_id):
            connection.close(CloseCode.AGENT_DISABLED, reason)

    def readmit_agent(self, agent_id: str) -> None:
        """The agent is enabled again."""
        self._entrance.readmit(agent_id)

    def online(self, agent_id: str) -> int:
        """Return how many instances of the agent are registered and not about to end."""
        return sum(not connection.draining for connection in self._hub.ready(agent_id))

    def free(self, agent_id: str, among: Collection[str] | None = None) -> int:
        """Return how many tasks the agent's instances could take now, all or these."""
        return sum(map(free, self._ready(agent_id, among)))

    def usage(self, agent_id: str) -> list[Occupied]:
        """Return the agent's registered instances, with the slots of each that are taken."""
        return [
            Occupied(one.instance_id, one.in_flight, one.concurrency, one.draining, one.quiet, one.holdup)
            for one in self._hub.ready(agent_id)
        ]

    def holds(self, task: str, attempt: int) -> bool:
        """Tell whether the attempt has a lease, or its loss is being stored."""
        one = Attempt(task, attempt)
        return self._leases.instance(one) is not None or one in self._losses

    def awaits(self, task: str, attempt: int) -> float | None:
        """Return for how many seconds more the attempt waits for its instance; None while that is connected."""
        until = self._leases.until(Attempt(task, attempt))
        return None if until is None else max(0.0, until - self.office.clock())

    def oldest_results(self) -> list[tuple[str, float]]:
        """Return (instance, seconds) for each registered one that waits for an acknowledgement: since when."""
        ages = ((connection.instance_id, connection.oldest_result) for connection in self._connections.values())
        return [(instance_id, seconds) for instance_id, seconds in ages if seconds]

    def reservations(self) -> list[tuple[Instance, int]]:
        """Return for each registered instance how many slots are reserved for tasks that are being claimed."""
        ready = [one for one in self._hub.everyone() if one.ready and one.instance is not None]
        return [(one.instance, one.deliveries.reserved) for one in ready if one.instance and one.deliveries.reserved]

    def heard(self) -> dict[str, float]:
        """Return for each agent with a registered connection the seconds since one of it was heard last."""
        quiet: dict[str, float] = {}
        for connection in self._hub.everyone():
            if connection.ready:
                agent_id = connection.identity.agent_id
                quiet[agent_id] = min(connection.quiet, quiet.get(agent_id, connection.quiet))
        return quiet

    def unheard(self) -> list[tuple[str, int]]:
        """Return (task, attempt) of what takes a slot of an instance whose beats do not name it."""
        found = [attempt for connection in self._hub.everyone() for attempt in connection.deliveries.unheard]
        return [(attempt.task, attempt.number) for attempt in found]

    def abandon(self, task: str, attempt: int) -> None:
        """Count an attempt no more that its instance does not have: it needs no slot and no lease."""
        one = Attempt(task, attempt)
        for connection in self._hub.everyone():
            if connection.deliveries.end(one):
                if self._leases.holder(one) == connection.serial:
                    self._leases.drop(one)
                connection.tell(Cancel(task, attempt, "the agent's beats do not name it"))
                self.freed(connection)

    def adopt(self, attempts: Iterable[tuple[str, int, str]]) -> None:
        """Keep (task, attempt, instance) without a connection through one grace period."""
        until = self.office.clock() + self.office.settings.grace
        for task, attempt, instance_id in attempts:
            self._leases.keep(Attempt(task, attempt), instance_id, until, Loss.ABSENT)

    # -- for connections (`connection.Host`)

    def greeted(self, connection: Connection, hello: Hello) -> None:
        """See `Host.greeted`."""
        if self._spawn(self._registration.register(connection, hello)) is None:
            connection.close(CloseCode.RESTART, "router_is_not_running")

    def look_at(self, connection: Connection, at: float) -> None:
        """See `Host.look_at`."""
        self._looks.set(connection.serial, at)

    def misbehaved(self, connection: Connection) -> float:
        """See `Host.misbehaved`."""
        return self._entrance.pause(connection.identity.token_id, self.office.clock())

    def freed(self, connection: Connection) -> None:
        """See `Host.freed`."""
        agent_id = connection.identity.agent_id
        if self.free(agent_id):
            self.office.backend.freed(agent_id)

    def recorded(self, connection: Connection, report: Report, receipt: Receipt) -> None:
        """See `Host.recorded`. What is not recorded says nothing of an attempt that another connection holds."""
        self._stored.set()
        if isinstance(report, Result | Refuse):
            attempt = Attempt(report.task, report.attempt)
            if receipt.recorded or self._leases.holder(attempt) == connection.serial:
                self._leases.drop(attempt)

    def ended(self, connection: Connection) -> None:
        """See `Host.ended`."""
        self._stored.set()
        del self._connections[connection.serial]
        self._looks.set(connection.serial, None)
        self._hub.leave(connection)
        self._leases.departed(connection.serial, self.office.clock() + self.office.settings.grace, connection.loss)
        if connection.instance is None:
            return
        agent_id = connection.identity.agent_id
        if not any(self._hub.ready(agent_id)):
            self._absent[agent_id] = self.office.clock() + self.office.settings.grace
        if connection.draining and connection.deliveries.reserved:
            self._drained[connection.instance] = connection.deliveries.reserved
        if not self._closed:
            # Else it is this router that goes: its successor knows by this who is to be expected.
            self._spawn(departed(self.office, connection.instance, connection.quiet))

    # -- inside

    def _ready(self, agent_id: str, among: Collection[str] | None) -> Iterable[Connection]:
        ready = self._hub.ready(agent_id)
        return ready if among is None else (one for one in ready if one.instance_id in among)

    def _find_absent(self, now: float) -> None:
        for agent_id in [agent_id for agent_id, until in self._absent.items() if now >= until]:
            del self._absent[agent_id]
            if not any(self._hub.ready(agent_id)):
                self.office.backend.absent(agent_id)

    def _one_by_one(self) -> list[tuple[Connection, float]]:
        """Return all connections, and the seconds by which each is to come back later than the first."""
        connections = self._hub.everyone()
        spread = min(len(connections) / _RETURNS_PER_SECOND, self.office.settings.grace / 6)
        return [(one, round(spread * number / len(connections), 2)) for number, one in enumerate(connections)]

    def _given_back(self, attempt: Attempt, receipt: "Future[Receipt]") -> None:
        # What could not be stored keeps its lease, and is lost with it.
        if not receipt.cancelled() and receipt.exception() is None:
            self._leases.drop(attempt)

    def _tell_holder(self, message: Cancel | Answer) -> None:
        """Say this to whoever holds the attempt, and to whoever is on its way to hold it.

        One that is away learns it from the backend when it comes back.
        """
        attempt = Attempt(message.task, message.attempt)
        holder = self._connections.get(self._leases.holder(attempt) or 0)
        if holder is not None:
            holder.tell(message)
        instance_id = self._leases.instance(attempt)
        for connection in self._hub.on_their_way():
            if connection.instance_id == instance_id:
                self._registration.meanwhile(connection, message)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work)

    def _tick(self, now: float, late: float) -> None:
        if late > _STOOD_STILL:
            self._leases.forgive(late)
            self._absent = {agent_id: until + late for agent_id, until in self._absent.items()}
            for connection in self._hub.everyone():
                connection.forgive(late)
        wall = self.office.wall()
        # A wall clock that was set may be past the end of any token.
        was_set = wall - now > self._wall_ahead + _STOOD_STILL
        self._wall_ahead = wall - now
        for serial in self._looks.due(math.inf if was_set else now, most=len(self._connections)):
            self._connections[serial].tick(now, wall)
        self._find_absent(now)
        settings = self.office.settings
        patience = settings.ping_old + settings.admit_within
        for lost in self._leases.expired(now, self._registration.returning(), patience):
            self._losses.report(lost)
