"""The router: connections, the seats of their tokens, and the leases of what they run.

It decides nothing about tasks, nor about who gets them. The backend delivers into what was granted to it, and is told
what agents report, what may be delivered, and which attempts are lost. What the backend says is carried out by
`Commands`.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from agentic_atlas.alarms import Alarms
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import (
    Abandon,
    Absent,
    Admit,
    Adopt,
    Audit,
    Closing,
    Deliver,
    Departed,
    Dismiss,
    Forget,
    FromRouter,
    Identity,
    LogsKept,
    Readmit,
    Receipt,
    Renewed,
    Replied,
    Retire,
    Revoke,
    ShutOut,
    ToRouter,
    TurnAway,
    Unleased,
    VerifyWith,
    Waiting,
)
from agentic_atlas.protocol.messages import Answer, Cancel, Drain, Hello, Limits, Refuse, Report, Result, RunningAttempt
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.entrance import Entrance
from agentic_atlas.router.flow import Pause
from agentic_atlas.router.hub import ExpiredLeases, Hub, Leases
from agentic_atlas.router.ports import RouterContext, Transport
from agentic_atlas.router.registration import Registration
from agentic_atlas.router.renewals import Renewals
from agentic_atlas.router.settings import RouterSettings

if TYPE_CHECKING:
    from agentic_atlas.observe.logs import Log

_STOOD_STILL = 1.0
"""Seconds by which a tick has to be late to count as a stop of this process, which is no agent's fault."""

_RETURNS_PER_SECOND = 25
"""Agents that are asked to come back in the same second after a stop, as long as that keeps the grace period."""


class Router:
    """All that goes on between the agents' connections and the backend. Runs on one event loop.

    `run` is its life; nobody is let in before it has begun or after it has ended. All that the backend says comes by
    `say`, and all that it is told goes to whom `join` was given.

    Attributes:
        entrance: what tokens are verified with, and who may not come in.
        hub: who is connected.
        leases: which attempt is held by whom.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        limits: Limits,
        settings: RouterSettings,
        log: "Log",
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Prepare; see `RouterContext` for what is passed in. `sleep` waits between two ticks."""
        self.context = RouterContext(limits, settings, clock, wall, log, self._spawn)
        self._sleep = sleep
        self.hub: Hub = Hub()
        self._connections: dict[int, Connection] = {}
        self._looks: Alarms[int] = Alarms()
        self._wall_ahead = wall() - clock()
        self.leases = Leases()
        self._expired = ExpiredLeases(self.context, self.leases)
        self.entrance = Entrance()
        self._registration = Registration(self.context, self.hub, self.leases, self._expired)
        commands = Commands(
            self.context, self._connections, self.hub, self.leases, self._expired, self._registration, self.entrance
        )
        renewals = Renewals(self.context, self.hub)
        self.context.renew = renewals.ask
        self._told = _table(self._registration, self._receive, renewals, commands)
        self._group: asyncio.TaskGroup | None = None
        self._serial = 0
        self._closing = False
        self._closed = False
        self._retry_after: float | None = None
        self._stored = asyncio.Event()
        # Agents whose last instance has left, and until when one may come.
        self._absent: dict[str, float] = {}

    async def run(self) -> None:
        """Live until cancelled: let agents in, and look at leases and deadlines."""
        settings = self.context.settings
        try:
            async with asyncio.TaskGroup() as self._group:
                before = self.context.clock()
                while True:
                    await self._sleep(settings.tick)
                    now = self.context.clock()
                    self._tick(now, now - before - settings.tick)
                    before = now
        finally:
            self._group = None
            self.drain()

    def join(self, tell: Callable[[FromRouter], None]) -> None:
        """Take what tells the backend, which is made over its router; once, before either says anything."""
        self.context.tell = tell

    def connect(self, identity: Identity, transport: Transport) -> Connection:
        """Take a connection whose handshake is done; `hello` is due."""
        self._serial += 1
        connection = Connection(self._serial, identity, transport, self.context, self)
        self._connections[connection.serial] = connection
        self.hub.arrive(connection)
        if self._closed:
            connection.close(CloseCode.RESTART, "router_is_stopping", self._retry_after)
        return connection

    def check(self, identity: Identity) -> None:
        """Let somebody pass who connects with this token; see `Entrance.check` for who may not, or not now."""
        self.entrance.check(identity, self.hub.silent(identity.token_id), self.context.clock())

    def say(self, message: ToRouter) -> None:
        """Take what the backend says; see `protocol.inside`. Returns at once and never fails."""
        self._told[type(message)](message)

    def announce(self, retry_after: float = 1.0) -> None:
        """Say to all agents that this router is about to stop; from now on no task is given out."""
        self._close_up()
        for connection, later in self._one_by_one():
            if connection.agent is not None:
                connection.send(Drain(retry_after + later))

    async def settle(self, within: float) -> None:
        """Take nothing more from agents, and return when all they reported is acknowledged, or after `within` s."""
        for connection in self.hub.everyone():
            connection.incoming.pause(Pause.STOPPING)
        try:
            async with asyncio.timeout(within):
                while any(one.agent is not None and len(one.agent.reports) for one in self.hub.everyone()):
                    self._stored.clear()
                    await self._stored.wait()
        except TimeoutError:
            self.context.log.warning("reports_not_stored")  # Nothing is lost: agents say it all again.

    def drain(self, retry_after: float | None = 1.0) -> None:
        """Close all connections, and each that comes from now on; their attempts go on at the agents.

        Each agent is asked to come back a little later than the one before, so that they do not come all at once.
        """
        self._close_up()
        self._closed, self._retry_after = True, retry_after
        for connection, later in self._one_by_one():
            spread = None if retry_after is None else retry_after + later
            connection.close(CloseCode.RESTART, "router_is_stopping", spread)

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
        return self.entrance.pause(connection.identity.token_id, self.context.clock())

    def recorded(self, connection: Connection, report: Report, receipt: Receipt) -> None:
        """See `Host.recorded`. What is not recorded says nothing of an attempt that another connection holds."""
        self._stored.set()
        if isinstance(report, Result | Refuse):
            attempt = RunningAttempt(report.task, report.attempt)
            if receipt.recorded or self.leases.holder(attempt) == connection.serial:
                self.leases.drop(attempt)

    def ended(self, connection: Connection) -> None:
        """See `Host.ended`."""
        self._stored.set()
        del self._connections[connection.serial]
        self._looks.set(connection.serial, None)
        self.hub.leave(connection)
        now, grace = self.context.clock(), self.context.settings.grace
        self.leases.departed(connection.serial, now + grace, connection.loss)
        if connection.agent is None:
            return
        instance = connection.agent.instance
        if not any(self.hub.ready(instance.agent_id)):
            self._absent[instance.agent_id] = now + grace
        self.context.tell(Departed(instance, connection.patience.quiet(now), grace, self._closed, connection.loss))

    # -- inside

    def _receive(self, said: Receipt) -> None:
        told = self.context.receipts.pop(said.to, None)
        if told is not None:
            told(said)

    def _close_up(self) -> None:
        if not self._closing:
            self._closing = True
            self.context.tell(Closing())

    def _find_absent(self, now: float) -> None:
        for agent_id in [agent_id for agent_id, until in self._absent.items() if now >= until]:
            del self._absent[agent_id]
            if not any(self.hub.ready(agent_id)):
                self.context.tell(Absent(agent_id))

    def _one_by_one(self) -> list[tuple[Connection, float]]:
        """Return all connections, and the seconds by which each is to come back later than the first."""
        connections = self.hub.everyone()
        spread = min(len(connections) / _RETURNS_PER_SECOND, self.context.settings.grace / 6)
        return [(one, round(spread * number / len(connections), 2)) for number, one in enumerate(connections)]

    def _spawn(self, work: Coroutine[object, object, None]) -> "asyncio.Task[None] | None":
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work)

    def _tick(self, now: float, late: float) -> None:
        if late >= _STOOD_STILL:
            # Since when is not known: at the earliest, since right after the last tick. That is what counts for agents.
            stood = late + self.context.settings.tick
            self.leases.forgive(stood)
            self._absent = {agent_id: until + stood for agent_id, until in self._absent.items()}
            for connection in self.hub.everyone():
                connection.patience.forgive(stood)
        heard, self.context.heard = self.context.heard, []
        for said in heard:
            self.context.tell(said)
        wall = self.context.wall()
        # A wall clock that was set may be past the end of any token.
        was_set = wall - now > self._wall_ahead + _STOOD_STILL
        self._wall_ahead = wall - now
        for serial in self._looks.due(math.inf if was_set else now, most=len(self._connections)):
            self._connections[serial].tick(now, wall)
        self._find_absent(now)
        if self.leases.running_out:
            patience = self.context.settings.ping_old + self.context.settings.admit_within
            for lost in self.leases.expired(now, self._registration.returning(), patience):
                self._expired.report(lost)


class Commands:
    """What the backend says of attempts, tokens and agents, carried out: one method for each message."""

    def __init__(
        self,
        context: RouterContext,
        connections: Mapping[int, Connection],
        hub: Hub,
        leases: Leases,
        expired: ExpiredLeases,
        registration: Registration,
        entrance: Entrance,
    ) -> None:
        """Take what the router knows; `connections` are the open ones by their serial number."""
        self._context = context
        self._connections = connections
        self._hub = hub
        self._leases = leases
        self._expired = expired
        self._registration = registration
        self._entrance = entrance

    def deliver(self, said: Deliver) -> None:
        """Send an attempt, now or when its instance comes back."""
        task, instance = said.task, said.instance
        attempt = RunningAttempt(task.task, task.attempt)
        coming = self._hub.coming(instance.agent_id, instance.instance_id)
        if coming is not None:
            self._registration.meanwhile(coming, task)
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        if connection is None or connection.agent is None:
            self._leases.keep(attempt, instance.instance_id, self._context.clock() + self._context.settings.grace)
        else:
            self._leases.hold(attempt, instance.instance_id, connection.serial, connection.identity.root)
            # What was granted to an older connection uses up nothing of this one's.
            connection.agent.deliver(task, granted=instance == connection.agent.instance)

    def dismiss(self, said: Dismiss) -> None:
        """Close the connection, be it that its admission is still on its way to it."""
        instance, failure = said.instance, said.failure
        connection = self._hub.find(instance.agent_id, instance.instance_id)
        if connection is None or _generation(connection) < instance.generation:
            connection = self._hub.coming(instance.agent_id, instance.instance_id)
        if connection is not None and _generation(connection) in (0, instance.generation):
            self._context.log.warning(
                "registration_not_stored", agent=instance.agent_id, instance=instance.instance_id, code=failure.code
            )
            connection.close(failure.close_code, failure.code, failure.retry_after)

    def tell_holder(self, message: Cancel | Answer) -> None:
        """Say this to whoever holds the attempt, and to whoever is on its way to hold it.

        One that is away learns it from the backend when it comes back.
        """
        attempt = RunningAttempt(message.task, message.attempt)
        holder = self._connections.get(self._leases.holder(attempt) or 0)
        if holder is not None:
            holder.send(message)
        instance_id = self._leases.instance(attempt)
        for connection in self._hub.on_their_way():
            if connection.instance_id == instance_id:
                self._registration.meanwhile(connection, message)

    def forget(self, said: Forget) -> None:
        """Give up the lease."""
        self._leases.drop(RunningAttempt(said.task, said.attempt))

    def abandon(self, said: Abandon) -> None:
        """Give up slot and lease; should the instance have the attempt all the same, it is to stop it."""
        attempt = RunningAttempt(said.task, said.attempt)
        for connection in self._hub.everyone():
            if connection.agent is not None and connection.agent.abandon(attempt):
                if self._leases.holder(attempt) == connection.serial:
                    self._leases.drop(attempt)
                connection.send(Cancel(said.task, said.attempt, "the agent's beats do not name it"))

    def adopt(self, said: Adopt) -> None:
        """Keep the attempt for an instance that is not connected."""
        grace = self._context.settings.grace
        attempt = RunningAttempt(said.task, said.attempt)
        self._leases.keep(attempt, said.instance_id, self._context.clock() + grace, Loss.ABSENT, said.lineage)
        self._context.tell(Waiting((said.instance_id,), grace))

    def revoke(self, said: Revoke) -> None:
        """Close the connections of these tokens."""
        for token_id in said.token_ids:
            self._entrance.revoke(token_id, said.reason)
        for connection in self._hub.with_tokens(said.token_ids):
            connection.close(CloseCode.TOKEN_REVOKED, said.reason)

    def verify_with(self, said: VerifyWith) -> None:
        """Close the connections of tokens that are signed with another key."""
        self._entrance.verify_with(said.keys)
        for connection in self._hub.everyone():
            if connection.identity.key_id and connection.identity.key_id not in self._entrance.keys:
                connection.close(CloseCode.TOKEN_REVOKED, "key_withdrawn")

    def shut_out(self, said: ShutOut) -> None:
        """Close the agent's connections."""
        self._entrance.shut_out(said.agent_id, said.reason, self._context.clock())
        for connection in self._hub.of_agent(said.agent_id):
            connection.close(CloseCode.AGENT_DISABLED, said.reason)

    def readmit(self, said: Readmit) -> None:
        """Let the agent in again."""
        self._entrance.readmit(said.agent_id)

    def reply(self, said: Replied) -> None:
        """Answer a call on the connection on which it was made."""
        connection = self._hub.find(said.instance.agent_id, said.instance.instance_id)
        if connection is not None and connection.agent is not None and connection.agent.instance == said.instance:
            connection.agent.reply(said.reply)

    def logs_kept(self, said: LogsKept) -> None:
        """Tell the agent on the connection on which it said them."""
        connection = self._hub.find(said.instance.agent_id, said.instance.instance_id)
        if connection is None or connection.agent is None or connection.agent.instance != said.instance:
            return
        if connection.agent.logs is not None:
            connection.agent.logs.kept(said.up_to)

    def audit(self, said: Audit) -> None:
        """Say which of these attempts nobody would miss."""
        self._context.tell(Unleased(tuple(one for one in said.attempts if not self._leased(one))))

    def _leased(self, attempt: RunningAttempt) -> bool:
        return self._leases.instance(attempt) is not None or attempt in self._expired


def _generation(connection: Connection) -> int:
    """Return its number among the connections of its instance; 0 before `welcome`."""
    return 0 if connection.agent is None else connection.agent.instance.generation


def _table(
    registration: Registration, receive: Callable[[Receipt], None], renewals: Renewals, commands: Commands
) -> Mapping[type[ToRouter], Callable[[Any], object]]:
    """Return what becomes of each message."""
    return {
        Admit: registration.answered,
        TurnAway: registration.answered,
        Dismiss: commands.dismiss,
        Receipt: receive,
        Renewed: renewals.answered,
        Deliver: commands.deliver,
        Cancel: commands.tell_holder,
        Answer: commands.tell_holder,
        Forget: commands.forget,
        Abandon: commands.abandon,
        Adopt: commands.adopt,
        Revoke: commands.revoke,
        Retire: renewals.retire,
        VerifyWith: commands.verify_with,
        ShutOut: commands.shut_out,
        Readmit: commands.readmit,
        Replied: commands.reply,
        LogsKept: commands.logs_kept,
        Audit: commands.audit,
    }
