"""From `hello` to `welcome`: the seat of the token, the backend's word, and what the instance still holds."""

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from agentic_atlas.errors import AtlasError, Busy, Unavailable
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.messages import Answer, Cancel, Hello, Limits, Task, Welcome
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.delivery import to_send
from agentic_atlas.router.hub import Hub, Standing
from agentic_atlas.router.losses import Losses
from agentic_atlas.router.office import Office
from agentic_atlas.router.ports import Admission, Arrival, Instance, Refused
from agentic_atlas.router.presence import Attempt, Leases

_MOST_GRACES = 10
"""Grace periods for which attempts wait at the most for an instance that the backend does not let in."""


class Registration:
    """Lets connections in, one by one.

    While an instance is on its way in, what is delivered to it, canceled or answered may have been decided after the
    backend looked at what it holds: `meanwhile` keeps that until the instance is there.
    """

    def __init__(
        self,
        office: Office,
        hub: Hub[Connection],
        leases: Leases,
        losses: Losses,
        freed: Callable[[Connection], None],
    ) -> None:
        """Take what the router knows; `freed` is told of each connection that may take tasks from now on."""
        self._office = office
        self._hub = hub
        self._leases = leases
        self._losses = losses
        self._freed = freed
        self._meanwhile: dict[int, list[Task | Cancel | Answer]] = {}
        self._returning: dict[int, set[str]] = {}
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, connection: Connection, hello: Hello) -> None:
        """Welcome a connection that said `hello`, or close it."""
        if connection.over:
            return
        fault = _fault(hello, self._office.limits)
        if fault is not None:
            connection.close(*fault)
            return
        self._returning[connection.serial] = {hello.instance.id, *(ended.instance for ended in hello.predecessors)}
        try:
            if await self._seated(connection):
                await self._let_in(connection, hello)
        finally:
            del self._returning[connection.serial]

    def returning(self) -> set[str]:
        """Return the instances that are on their way in, and those whose attempts they may bring with them."""
        return set().union(*self._returning.values())

    def meanwhile(self, connection: Connection, message: Task | Cancel | Answer) -> None:
        """Say this to a connection that is on its way in, as soon as it is there."""
        waiting = self._meanwhile.get(connection.serial)
        if waiting is not None:
            waiting.append(message)

    async def _let_in(self, connection: Connection, hello: Hello) -> None:
        self._meanwhile[connection.serial] = []
        try:
            admission = await self._admitted(connection, hello)
            if admission is not None:
                self._begin(connection, hello, admission)
        finally:
            del self._meanwhile[connection.serial]

    async def _seated(self, connection: Connection) -> bool:
        """One token, one instance: find out whether this one may have the seat (design: Generations)."""
        claim = self._hub.greet(connection)
        if claim.superseded is not None:
            claim.superseded.close(CloseCode.GOING_AWAY, "superseded")
        free = claim.standing is Standing.FREE or (claim.holder is not None and await self._silent(claim.holder))
        if not free and not connection.over:
            self._office.log.warning(
                "token_in_use", agent=connection.identity.agent_id, instance=connection.instance_id
            )
            connection.close(CloseCode.TOKEN_IN_USE, "token_in_use", self._office.settings.token_in_use_again)
        return free and not connection.over

    async def _silent(self, holder: Connection) -> bool:
        """Ping the older connection; True when it is gone, at the latest after this."""
        sign_of_life = holder.ping()
        try:
            async with asyncio.timeout(self._office.settings.ping_old):
                await sign_of_life.wait()
        except TimeoutError:
            holder.close(CloseCode.REPLACED, "replaced")
        return holder.over

    async def _admitted(self, connection: Connection, hello: Hello) -> Admission | None:
        try:
            # One of a token after the other: one whose connection ended on its way in must not overtake the next.
            door = self._doors.setdefault(connection.identity.token_id, asyncio.Lock())
            async with asyncio.timeout(self._office.settings.admit_within), door:
                await self._losses.settled()
                if connection.over:
                    return None
                return await self._office.backend.admit(Arrival(connection.identity, hello))
        except Refused as refused:
            connection.close(refused.close_code, refused.code, message=refused.message)
        except (AtlasError, TimeoutError) as error:
            code = error.code if isinstance(error, AtlasError) else "no_answer"
            retry_after = error.retry_after if isinstance(error, Busy | Unavailable) else None
            self._turn_away(connection)
            connection.close(CloseCode.UNAVAILABLE, code, retry_after)
        except Exception as bug:  # a fault of ours with one agent must not end the router
            self._office.log.error("admission_failed", agent=connection.identity.agent_id, exc_info=bug)
            self._turn_away(connection)
            connection.close(CloseCode.UNAVAILABLE, "internal")
        return None

    def _turn_away(self, connection: Connection) -> None:
        """The backend does not answer, which is not the instance's doing: it is there, and keeps what it holds."""
        grace = self._office.settings.grace
        until = self._office.clock() + grace
        self._leases.prolong(self._returning[connection.serial], until, _MOST_GRACES * grace)

    def _begin(self, connection: Connection, hello: Hello, admission: Admission) -> None:
        for lost in admission.lost:
            self._leases.drop(Attempt(lost.task, lost.attempt))
        if connection.over:
            self._keep(connection, admission)
            gone = Instance(connection.identity.agent_id, connection.instance_id, admission.generation)
            self._office.spawn(departed(self._office, gone, connection.quiet))
            return
        older = self._hub.admitted(connection)
        kept = self._settle(connection, hello, admission)
        connection.welcome(_welcome(self._office, connection, admission), hello.concurrency)
        # Only now that its successor holds the leases: the end of the older one is of no consequence any more.
        for one in older:
            one.close(CloseCode.GOING_AWAY, "superseded")
        self._office.log.info(
            "agent_connected",
            agent=connection.identity.agent_id,
            instance=connection.instance_id,
            generation=admission.generation,
            kept=len(kept),
            sent_again=len(admission.held),
        )
        self._catch_up(connection, admission, kept)
        self._freed(connection)

    def _catch_up(self, connection: Connection, admission: Admission, kept: set[Attempt]) -> None:
        """Say what the instance does not know yet."""
        meanwhile = self._meanwhile[connection.serial]
        claimed = [message for message in meanwhile if isinstance(message, Task)]
        for task in to_send((*admission.held, *claimed), kept):
            attempt = Attempt(task.task, task.attempt)
            if connection.over:
                self._leases.keep(attempt, connection.instance_id, self._office.clock() + self._office.settings.grace)
            else:
                self._leases.hold(attempt, connection.instance_id, connection.serial)
                connection.deliver(task)
        asked = [Cancel(attempt.task, attempt.attempt, reason) for attempt, reason in admission.cancels]
        told = (message for message in meanwhile if not isinstance(message, Task))
        for message in (*admission.answers, *asked, *told):
            connection.tell(message)

    def _keep(self, connection: Connection, admission: Admission) -> None:
        """The connection ended on its way in: what it was given of ended processes waits for its next one."""
        until = self._office.clock() + self._office.settings.grace
        for verdict in admission.attempts:
            attempt = Attempt(verdict.task, verdict.attempt)
            if verdict.keep and self._leases.instance(attempt) != connection.instance_id:
                self._leases.keep(attempt, connection.instance_id, until)

    def _settle(self, connection: Connection, hello: Hello, admission: Admission) -> set[Attempt]:
        """Move the leases to this connection; return the attempts that the agent goes on with."""
        running = {Attempt(one.task, one.attempt) for one in hello.running}
        kept = set()
        for verdict in admission.attempts:
            attempt = Attempt(verdict.task, verdict.attempt)
            if verdict.keep:
                kept.add(attempt)
                self._leases.hold(attempt, connection.instance_id, connection.serial)
                if attempt in running:
                    connection.deliveries.begin(attempt)
            elif self._leases.instance(attempt) == connection.instance_id:
                self._leases.drop(attempt)
        return kept


async def departed(office: Office, instance: Instance, silent: float) -> None:
    """Tell the backend that a connection ended."""
    try:
        await office.backend.departed(instance, silent)
    except AtlasError as error:
        # It shows as connected until its token is used again or the backend starts again; no task depends on it.
        office.log.warning("departure_not_stored", instance=instance.instance_id, code=error.code)
    except Exception as bug:  # a fault of ours with one agent must not end the router
        office.log.error("departure_failed", instance=instance.instance_id, exc_info=bug)


def _welcome(office: Office, connection: Connection, admission: Admission) -> Welcome:
    return Welcome(
        agent=admission.agent,
        owner=admission.owner,
        instance=connection.instance_id,
        generation=admission.generation,
        limits=office.limits,
        beat_every=office.settings.beat_every,
        grace=office.settings.grace,
        now=office.wall(),
        token_expires_at=connection.identity.expires_at,
        attempts=list(admission.attempts),
    )


def _fault(hello: Hello, limits: Limits) -> tuple[CloseCode, str] | None:
    if hello.protocol != PROTOCOL_VERSION:
        return CloseCode.PROTOCOL_VERSION, "protocol_version"
    if len(hello.skills) > limits.skills:
        return CloseCode.INVALID_REGISTRATION, "too_many_skills"
    if hello.concurrency > limits.open_tasks:
        return CloseCode.INVALID_REGISTRATION, "concurrency_too_high"
    left = sum(len(predecessor.results) for predecessor in hello.predecessors)
    if len(hello.running) + len(hello.results) + left > 2 * limits.open_tasks:
        return CloseCode.INVALID_REGISTRATION, "too_many_attempts"
    return None
