"""From `hello` to `welcome`: the seat of the token, the backend's word, and what the instance still holds."""

import asyncio
from asyncio import Future
from functools import cache
from weakref import WeakValueDictionary

from msgspec.structs import replace

from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import Admit, Arrived, Contested, Departed, TurnAway, Waiting, Withdrawn
from agentic_atlas.protocol.messages import (
    Answer,
    Cancel,
    Hello,
    InstanceInfo,
    Limits,
    LogTerms,
    RunningAttempt,
    Task,
    Welcome,
)
from agentic_atlas.protocol.versions import PROTOCOL_VERSION
from agentic_atlas.router.agent import to_send
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.hub import ExpiredLeases, Hub, InstanceLineage, Leases
from agentic_atlas.router.ports import RouterContext
from agentic_atlas.router.renewals import retire
from agentic_atlas.router.settings import RouterSettings

_MOST_GRACES = 10
"""Grace periods for which attempts wait at the most for an instance that the backend does not let in."""


class Registration:
    """Lets connections in, one by one.

    While an instance is on its way in, what is delivered to it, canceled or answered may have been decided after the
    backend looked at what it holds: `meanwhile` keeps that until the instance is there.
    """

    def __init__(
        self,
        context: RouterContext,
        hub: Hub,
        leases: Leases,
        expired: ExpiredLeases,
    ) -> None:
        """Take what the router knows."""
        self._context = context
        self._hub = hub
        self._leases = leases
        self._expired = expired
        self._answers: dict[int, Future[Admit | TurnAway]] = {}
        self._meanwhile: dict[int, list[Task | Cancel | Answer]] = {}
        self._returning: dict[int, set[InstanceLineage]] = {}
        self._doors: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def register(self, connection: Connection, hello: Hello) -> None:
        """Welcome a connection that said `hello`, or close it."""
        if connection.over:
            return
        fault = _fault(hello, self._context.limits)
        if fault is not None:
            connection.close(*fault)
            return
        self._returning[connection.serial] = _whose(hello, connection.identity.root)
        try:
            if await self._seated(connection, hello.instance):
                await self._let_in(connection, hello)
        finally:
            del self._returning[connection.serial]

    def returning(self) -> set[InstanceLineage]:
        """Return the instances that are on their way in, and those whose attempts they may bring with them."""
        return set().union(*self._returning.values())

    def meanwhile(self, connection: Connection, message: Task | Cancel | Answer) -> None:
        """Say this to a connection that is on its way in, as soon as it is there."""
        waiting = self._meanwhile.get(connection.serial)
        if waiting is not None:
            waiting.append(message)

    def answered(self, answer: Admit | TurnAway) -> None:
        """The backend answers an arrival. One that nobody waits for any more is over, as its connection is."""
        waiting = self._answers.pop(answer.to, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
        elif isinstance(answer, Admit):
            self._gone(answer, 0.0, "")

    async def _let_in(self, connection: Connection, hello: Hello) -> None:
        self._meanwhile[connection.serial] = []
        try:
            admission = await self._admitted(connection, hello)
            if admission is not None:
                self._begin(connection, hello, admission)
        finally:
            del self._meanwhile[connection.serial]

    async def _seated(self, connection: Connection, newcomer: InstanceInfo) -> bool:
        """One lineage of tokens, one instance: find out whether this one may have the seat (design: Generations)."""
        claim = self._hub.greet(connection)
        if claim.superseded is not None:
            claim.superseded.close(CloseCode.GOING_AWAY, "superseded")
        holder = claim.holder
        contested = Contested(connection.identity, newcomer, "" if holder is None else holder.instance_id)
        free = not claim.taken and (holder is None or await self._silent(holder, contested))
        if not free and not connection.over:
            self._context.tell(contested)
            self._context.log.warning(
                "token_in_use", agent=connection.identity.agent_id, instance=connection.instance_id
            )
            connection.close(CloseCode.TOKEN_IN_USE, "token_in_use", self._context.settings.token_in_use_again)
        return free and not connection.over

    async def _silent(self, holder: Connection, contested: Contested) -> bool:
        """Ping the older connection; True when it is gone, at the latest after this."""
        sign_of_life = holder.ping()
        try:
            async with asyncio.timeout(self._context.settings.ping_old):
                await sign_of_life.wait()
        except TimeoutError:
            self._context.tell(replace(contested, replaced=True))
            holder.close(CloseCode.REPLACED, "replaced")
        return holder.over

    async def _admitted(self, connection: Connection, hello: Hello) -> Admit | None:
        try:
            # One of a lineage after the other: one whose connection ended on its way in must not overtake the next.
            door = self._doors.setdefault(connection.identity.root, asyncio.Lock())
            async with asyncio.timeout(self._context.settings.admit_within), door:
                await self._expired.settled()
                if connection.over:
                    return None
                answer = await self._answer(connection, hello)
        except TimeoutError:
            self._turn_away(connection)
            connection.close(CloseCode.UNAVAILABLE, "no_answer")
            return None
        if isinstance(answer, Admit):
            return answer
        refused = answer.failure
        if refused.close_code == CloseCode.UNAVAILABLE:
            self._turn_away(connection)
        connection.close(refused.close_code, refused.code, refused.retry_after, refused.message)
        return None

    async def _answer(self, connection: Connection, hello: Hello) -> Admit | TurnAway:
        """Ask the backend to let the connection in."""
        answer: Future[Admit | TurnAway] = asyncio.get_running_loop().create_future()
        number = next(self._context.numbers)
        self._answers[number] = answer
        self._context.tell(Arrived(number, connection.identity, hello))
        try:
            return await answer
        except asyncio.CancelledError:
            self._answers.pop(number, None)
            self._context.tell(Withdrawn(number))
            if answer.done() and not answer.cancelled():
                self.answered(answer.result())
            raise

    def _turn_away(self, connection: Connection) -> None:
        """The backend does not answer, which is not the instance's doing: it is there, and keeps what it holds."""
        grace = self._context.settings.grace
        until = self._context.clock() + grace
        prolonged = self._leases.prolong(self._returning[connection.serial], until, _MOST_GRACES * grace)
        if prolonged:
            self._context.tell(Waiting(tuple(sorted(prolonged)), grace))

    def _begin(self, connection: Connection, hello: Hello, admission: Admit) -> None:
        if connection.over:
            self._gone(admission, connection.patience.quiet(self._context.clock()), connection.identity.root)
            return
        for lost in admission.lost:
            self._leases.drop(lost)
        if admission.retires_at is not None:
            retire(connection, admission.retires_at)
        older = self._hub.admitted(connection)
        kept = self._settle(connection, admission)
        running = kept & set(hello.running)
        connection.welcome(_welcome(self._context, connection, admission), hello.concurrency, running)
        # Only now that its successor holds the leases: the end of the older one is of no consequence any more.
        for one in older:
            one.close(CloseCode.GOING_AWAY, "superseded")
        self._context.log.info(
            "agent_connected",
            agent=connection.identity.agent_id,
            instance=connection.instance_id,
            generation=admission.instance.generation,
            kept=len(kept),
            sent_again=len(admission.held),
        )
        self._catch_up(connection, admission, kept)
        if connection.agent is not None and not connection.over:
            connection.agent.readiness.pause = hello.pause
            connection.agent.begin(congested=connection.outgoing.congested)

    def _catch_up(self, connection: Connection, admission: Admit, kept: set[RunningAttempt]) -> None:
        """Say what the instance does not know yet."""
        meanwhile = self._meanwhile[connection.serial]
        claimed = [message for message in meanwhile if isinstance(message, Task)]
        instance_id, lineage = connection.instance_id, connection.identity.root
        until = self._context.clock() + self._context.settings.grace
        for task in to_send((*admission.held, *claimed), kept):
            attempt = RunningAttempt(task.task, task.attempt)
            if connection.over or connection.agent is None:
                self._leases.keep(attempt, instance_id, until, lineage=lineage)
            else:
                self._leases.hold(attempt, instance_id, connection.serial, lineage)
                connection.agent.deliver(task, granted=False)
        told = (message for message in meanwhile if not isinstance(message, Task))
        for message in (*admission.answers, *admission.cancels, *told):
            connection.send(message)

    def _gone(self, admission: Admit, silent: float, lineage: str) -> None:
        """The connection ended on its way in: what it was given of ended processes waits for its next one."""
        for lost in admission.lost:
            self._leases.drop(lost)
        instance_id, generation = admission.instance.instance_id, admission.instance.generation
        until = self._context.clock() + self._context.settings.grace
        for verdict in admission.attempts:
            attempt = RunningAttempt(verdict.task, verdict.attempt)
            if verdict.keep and self._leases.instance(attempt) != instance_id:
                self._leases.keep(attempt, instance_id, until, lineage=lineage)
        self._context.tell(Departed(admission.instance, silent, self._context.settings.grace))
        older = self._hub.find(admission.instance.agent_id, instance_id)
        if older is not None and older.agent is not None and older.agent.instance.generation < generation:
            # Nothing that it says counts any more.
            older.close(CloseCode.GOING_AWAY, "superseded")

    def _settle(self, connection: Connection, admission: Admit) -> set[RunningAttempt]:
        """Move the leases to this connection; return the attempts that the agent goes on with."""
        kept = set()
        for verdict in admission.attempts:
            attempt = RunningAttempt(verdict.task, verdict.attempt)
            if verdict.keep:
                kept.add(attempt)
                self._leases.hold(attempt, connection.instance_id, connection.serial, connection.identity.root)
            elif self._leases.instance(attempt) == connection.instance_id:
                self._leases.drop(attempt)
        return kept


def _whose(hello: Hello, lineage: str) -> set[InstanceLineage]:
    """Return whose attempts an arrival may bring with it: its own, and those of ended processes of its lineage."""
    ended = {(predecessor.instance, lineage) for predecessor in hello.predecessors}
    return {(hello.instance.id, lineage), (hello.instance.id, ""), *ended}


def _welcome(context: RouterContext, connection: Connection, admission: Admit) -> Welcome:
    return Welcome(
        agent=admission.agent,
        owner=admission.owner,
        instance=connection.instance_id,
        generation=admission.instance.generation,
        limits=context.limits,
        beat_every=context.settings.beat_every,
        grace=context.settings.grace,
        now=context.wall(),
        token_expires_at=connection.identity.ends_at,
        token_renewable=admission.renewable and connection.identity.retires_at is None,
        attempts=list(admission.attempts),
        logs=_log_terms(context.settings) if admission.keeps_logs else None,
    )


@cache
def _log_terms(settings: RouterSettings) -> LogTerms | None:
    """Return what is offered: the same for all, so one of it is enough."""
    if not settings.log_lines_per_second:
        return None
    return LogTerms(settings.log_lines_per_second, max(1, settings.log_bytes_per_second))


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
