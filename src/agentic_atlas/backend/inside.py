"""The door for routers: what they say is handed to whom it is for, and what has to be answered is, whatever happens."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.audit import NOBODY
from agentic_atlas.backend.domain.lifecycle import may_report, on_report
from agentic_atlas.backend.domain.questions import read_question
from agentic_atlas.backend.domain.records import Task, TaskFailure
from agentic_atlas.backend.engine.access import NotAdmitted, failure
from agentic_atlas.backend.engine.answering import Answering, Replies
from agentic_atlas.backend.engine.contention import TurnedDown
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Changed, FaultLog, Write
from agentic_atlas.backend.usecases import calls, instances
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError, InvalidInput
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.inside.messages import (
    Absent,
    Arrived,
    Barred,
    Called,
    Closing,
    Congested,
    Contested,
    Credit,
    Departed,
    Failure,
    FromRouter,
    Heard,
    InstanceRef,
    Logged,
    LogsKept,
    Lost,
    Receipt,
    Renew,
    Renewed,
    Reported,
    TurnAway,
    Unleased,
    Waiting,
    Withdrawn,
)
from agentic_atlas.protocol.messages import Report, RunningAttempt
from agentic_atlas.protocol.tasks import LEASED


class RouterDoor:
    """Takes what a router says (`protocol.inside`), from `run` to its end."""

    def __init__(self, engine: Engine, log: FaultLog) -> None:
        self._engine = engine
        self._log = log
        self._asked = RouterRequests(engine, log)
        self._group: asyncio.TaskGroup | None = None
        self._arrivals: dict[int, asyncio.Task[None]] = {}
        self._calls = Answering(engine.router, log, self._asked.call, self._spawn)
        self._said = self._table()

    def say(self, message: FromRouter) -> None:
        """Take what a router says; see `protocol.inside`. Returns at once and never fails."""
        self._said[type(message)](message)

    async def run(self) -> None:
        """Do what takes its time, until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._group:
                await asyncio.Event().wait()
        finally:
            self._group = None

    def _table(self) -> Mapping[type[FromRouter], Callable[[Any], object]]:
        """Return what becomes of each message."""
        engine = self._engine
        return {
            Arrived: self._arrived,
            Withdrawn: self._withdrawn,
            Credit: self._granted,
            Congested: self._calls.congested,
            Heard: engine.credit.beats.heard,
            Reported: self._report,
            Lost: self._lost,
            Waiting: self._waits,
            Departed: self._departed,
            Absent: self._absent,
            Barred: lambda said: self._spawn(self._asked.bar(said)),
            Logged: lambda said: self._spawn(self._asked.keep(said)),
            Called: self._calls.begin,
            Contested: lambda said: self._spawn(self._asked.contested(said)),
            Renew: lambda said: self._spawn(self._asked.renew(said)),
            Unleased: self._unleased,
            Closing: self._closing,
        }

    def _arrived(self, said: Arrived) -> None:
        arrival = self._spawn(self._asked.admit(said))
        if arrival is not None:
            self._arrivals[said.number] = arrival
            arrival.add_done_callback(lambda _: self._arrivals.pop(said.number))

    def _withdrawn(self, said: Withdrawn) -> None:
        arrival = self._arrivals.get(said.number)
        if arrival is not None:
            arrival.cancel()

    def _granted(self, said: Credit) -> None:
        if self._engine.credit.granted(said):
            self._engine.dispatcher.claims.freed(said.instance.agent_id)

    def _report(self, said: Reported) -> None:
        """Store what an instance says of an attempt, in the order of these calls.

        Reports of an attempt that is not this instance's current one change nothing, and are answered all the same; so
        are those of a connection that is not its latest.
        """
        engine, instance, report = self._engine, said.instance, said.report
        latest = engine.credit.instances.latest(instance.instance_id)
        if isinstance(report, messages.Result | messages.Refuse):
            engine.credit.beats.ended(instance, RunningAttempt(report.task, report.attempt))
        asked = None
        if isinstance(report, messages.Event) and report.kind is messages.EventKind.QUESTION:
            asked = _asked(engine, instance, report)
        change = partial(on_report, by=instance, latest=latest, said=report, now=engine.clock(), asked=asked)
        engine.dispatcher.change(report.task, change).then(partial(self._stored, said, latest))

    def _stored(self, said: Reported, latest: int, write: Write[Changed]) -> None:
        if write.error is not None:
            self._engine.router.say(Receipt(said.number, failure=failure(write.error)))
            return
        changed, report = write.result(), said.report
        if isinstance(report, messages.Event) and changed.changed and changed.task and changed.task.terminal:
            # It asked what can't be asked, and waits for an answer to it.
            self._engine.dispatcher.part(changed.task)
        self._engine.router.say(_receipt(said, report, latest, changed))

    def _lost(self, said: Lost) -> None:
        lose = partial(lifecycle.lose, attempt=said.attempt, now=self._engine.clock(), why=said.why)
        self._engine.dispatcher.change(said.task, lose).then(partial(self._noted, said))

    def _noted(self, said: Lost, write: Write[Changed]) -> None:
        error = write.error
        if error is not None and not isinstance(error, AtlasError):
            self._log.error("loss_failed", task=said.task, attempt=said.attempt, exc_info=error)
        why = None if error is None else failure(error)
        self._engine.router.say(Receipt(said.number, recorded=why is None, failure=why))

    def _waits(self, said: Waiting) -> None:
        for instance_id in said.instances:
            self._engine.credit.instances.waits(instance_id, said.seconds)

    def _departed(self, said: Departed) -> None:
        if self._engine.credit.departed(said) and not said.expected:
            self._engine.cuts.lost(said)
        self._calls.departed(said.instance)
        if not said.expected:
            self._spawn(self._asked.depart(said))

    def _absent(self, said: Absent) -> None:
        self._engine.absence.absent(said.agent_id)

    def _unleased(self, said: Unleased) -> None:
        self._engine.monitor.unleased = said.attempts

    def _closing(self, _: Closing) -> None:
        self._engine.credit.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work)


class RouterRequests:
    """What a router says that takes its time: each is answered, whatever happens."""

    def __init__(self, engine: Engine, log: FaultLog) -> None:
        self._engine = engine
        self._application = Application(engine)
        self._log = log

    async def call(self, said: Called, replies: Replies) -> None:
        """Make a call of an agent's."""
        try:
            who = await self._engine.access.connected(said.instance.instance_id)
            await calls.call(who, self._application, said, replies)
        except AtlasError as error:
            replies(calls.refused(said.call, error))

    async def admit(self, said: Arrived) -> None:
        """Let an instance in, or turn it away."""
        ADDRESS.set(said.identity.address)
        try:
            who = await self._engine.access.bearer(said.identity.token_id, said.identity.agent_id)
            self._engine.router.say(await instances.admit(who, self._application, said))
        except AtlasError as error:
            if isinstance(error, NotAdmitted):
                shown = said.identity
                barred = Barred(error.code, shown.address, shown.token_id, shown.agent_id)
                await self.bar(barred, error.message, said.hello.instance.host)
            self._engine.router.say(TurnAway(said.number, failure(error)))
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            self._log.error(
                "admission_failed", agent=said.identity.agent_id, instance=said.hello.instance.id, exc_info=bug
            )
            self._engine.router.say(TurnAway(said.number, Failure(CloseCode.UNAVAILABLE, "internal")))

    async def bar(self, said: Barred, message: str = "", host: str = "") -> None:
        """Have it known that somebody was kept out, and the audit log tell of it."""
        ADDRESS.set(said.address)
        who = NOBODY
        if said.agent_id:
            kept_out = TurnedDown(said.agent_id, said.token_id, said.code, message, said.address, host)
            self._engine.contention.keep_out(kept_out)
            self._engine.changes.agent(said.agent_id)
            who = await self._agent(said.agent_id)
        self._engine.trail.refuse(who, "instances.admit", AuditObject(kind="token", id=said.token_id), said.code)

    async def _agent(self, agent_id: str) -> AuditActor:
        """Return how the audit log calls an agent, which may be gone."""
        try:
            agent = await self._engine.store.agents.get(agent_id)
        except AtlasError:  # a store that can't be had: the row is written when it is back
            agent = None
        if agent is None:
            return AuditActor(kind="agent", id=agent_id)
        return AuditActor(kind="agent", id=agent_id, user_id=agent.owner_id, name=agent.full_name)

    async def contested(self, said: Contested) -> None:
        """Have it known that two instances came with one token."""
        ADDRESS.set(said.identity.address)
        engine, came = self._engine, said.newcomer
        engine.contention.note(said)
        engine.changes.agent(said.identity.agent_id)
        try:
            who = await engine.access.bearer(said.identity.token_id, said.identity.agent_id)
        except AtlasError:
            return  # Neither of them is let in.
        what = AuditObject(kind="agent", id=said.identity.agent_id, name=who.caller.name)
        if said.replaced:
            facts = {"token": said.identity.token_id, "instance": came.id, "host": came.host, "replaced": said.holder}
            engine.trail.note(who, "instances.take_over", what, facts)
        else:
            engine.trail.refuse(who, "instances.admit", what, "token_in_use")

    async def keep(self, said: Logged) -> None:
        """Keep lines of an agent's log, or say that there is no room for them now."""
        instance, up_to = said.instance, said.first - 1
        try:
            if self._engine.logs is not None:
                up_to = await self._engine.logs.keep(
                    instance.agent_id, instance.instance_id, said.first, said.lines, said.dropped
                )
        except AtlasError:
            pass  # which the one who keeps them has told of, once: the agent says them again
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            self._log.error("agent_logs_failed", agent=instance.agent_id, instance=instance.instance_id, exc_info=bug)
        self._engine.router.say(LogsKept(instance, up_to))

    async def renew(self, said: Renew) -> None:
        """Make another token for a connection, or say why there is none."""
        from agentic_atlas.backend.usecases import tokens  # it signs, which the network of users' tests does not

        ADDRESS.set(said.address)
        try:
            who = await self._engine.access.connected(said.instance.instance_id)
            self._engine.router.say(await tokens.renew(who, self._application, said))
        except AtlasError as error:
            self._engine.router.say(Renewed(said.number, failure=failure(error)))
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            self._log.error(
                "renewal_failed", agent=said.instance.agent_id, instance=said.instance.instance_id, exc_info=bug
            )
            self._engine.router.say(Renewed(said.number, failure=Failure(CloseCode.UNAVAILABLE, "internal")))

    async def depart(self, said: Departed) -> None:
        """Store that an instance has left."""
        try:
            await _depart(self._engine, said)
        except AtlasError as error:
            # It shows as connected until its token is used again or the backend starts again; no task depends on it.
            whose = said.instance
            self._log.warning("departure_not_stored", agent=whose.agent_id, instance=whose.instance_id, code=error.code)
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            whose = said.instance
            self._log.error("departure_failed", agent=whose.agent_id, instance=whose.instance_id, exc_info=bug)


def _asked(engine: Engine, by: InstanceRef, report: messages.Event) -> messages.Question | TaskFailure | None:
    """Return what a `question` event asks, or the error with which its task is to end: it can't be asked."""
    held = engine.dispatcher.census.get(report.task)
    if held is None or (held.instance_id, held.attempt) != (by.instance_id, report.attempt):
        return None
    try:
        question = read_question(bytes(report.data))
        engine.schemas.check_question(bytes(question.schema), f"question {question.number}")
    except InvalidInput as error:
        return TaskFailure("invalid_question", error.message)
    return question


async def _depart(engine: Engine, said: Departed) -> None:
    """Store that a connection ended: its agent offers what the other instances have, or without another what it did."""
    agent_id, instance_id, generation = said.instance.agent_id, said.instance.instance_id, said.instance.generation
    engine.access.left(instance_id, generation)
    gone = engine.dispatcher.offers.left(agent_id, instance_id, generation)
    now = engine.clock()
    await engine.store.agents.depart(instance_id, generation, now, now - said.silent)
    offered = engine.dispatcher.offers.offered(agent_id)
    if gone and offered:
        engine.registry.declares(agent_id)
        await engine.store.agents.declare(agent_id, offered)
        engine.registry.offers(agent_id, offered)
    engine.changes.agent(agent_id)


def _receipt(said: Reported, report: Report, latest: int, changed: Changed) -> Receipt:
    task = changed.task
    if not isinstance(report, messages.Event):
        return Receipt(said.number, changed.changed)
    if task is not None and not changed.changed and _out_of_turn(task, said.instance, latest, report):
        fault = ProtocolError("the events of an attempt are numbered without gaps", code="event_out_of_turn")
        return Receipt(said.number, failure=failure(fault))
    current = task is not None and task.attempt == report.attempt and task.state in LEASED
    # An attempt that does not count any more needs its events acknowledged too, or it would keep them.
    return Receipt(said.number, changed.changed, task.last_n if task is not None and current else report.n)


def _out_of_turn(task: Task, by: InstanceRef, latest: int, said: messages.Event) -> bool:
    """Tell whether the attempt is this connection's, and its last event is not the one before this."""
    current = task.state in LEASED and task.attempt == said.attempt and may_report(task, by, latest)
    return current and said.n > task.last_n
