"""The door for routers: what they say is handed to whom it is for, and what has to be answered is, whatever happens."""

import asyncio
from asyncio import Future, Task
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from agentic_atlas.backend.engine import instances
from agentic_atlas.backend.engine.answering import Answering, Replies
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Changed, FaultLog
from agentic_atlas.backend.usecases import calls
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.inside.messages import (
    Absent,
    Arrived,
    Called,
    Closing,
    Congested,
    Credit,
    Departed,
    Failure,
    FromRouter,
    Heard,
    Lost,
    Receipt,
    Reported,
    TurnAway,
    Unleased,
    Waiting,
    Withdrawn,
)


class RouterDoor:
    """Takes what a router says (`router.ports.Backend`), from `run` to its end."""

    def __init__(self, engine: Engine, log: FaultLog) -> None:
        self._engine = engine
        self._application = Application(engine)
        self._log = log
        self._group: asyncio.TaskGroup | None = None
        self._arrivals: dict[int, Task[None]] = {}
        self._calls = Answering(engine.router, log, self._call, self._spawn)
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
            Heard: engine.credit.heard,
            Reported: partial(instances.report, engine),
            Lost: self._lost,
            Waiting: self._waits,
            Departed: self._departed,
            Absent: self._absent,
            Called: self._calls.begin,
            Unleased: self._unleased,
            Closing: self._closing,
        }

    def _arrived(self, said: Arrived) -> None:
        arrival = self._spawn(self._admit(said))
        if arrival is not None:
            self._arrivals[said.number] = arrival
            arrival.add_done_callback(lambda _: self._arrivals.pop(said.number))

    def _withdrawn(self, said: Withdrawn) -> None:
        arrival = self._arrivals.get(said.number)
        if arrival is not None:
            arrival.cancel()

    def _granted(self, said: Credit) -> None:
        agent_id, engine = said.instance.agent_id, self._engine
        freed = engine.credit.granted(said)
        if engine.credit.online(agent_id):
            # Not when it is admitted: until its first credit is here it is neither expected nor there.
            engine.absence.came(agent_id)
        if freed:
            engine.dispatcher.claims.freed(agent_id)

    def _lost(self, said: Lost) -> None:
        stored = instances.lost(self._engine, said.task, said.attempt, said.why)
        stored.add_done_callback(partial(self._noted, said))

    def _noted(self, said: Lost, stored: "Future[Changed]") -> None:
        error = asyncio.CancelledError() if stored.cancelled() else stored.exception()
        if error is not None and not isinstance(error, AtlasError):
            self._log.error("loss_failed", task=said.task, attempt=said.attempt, exc_info=error)
        failure = None if error is None else instances.failure(error)
        self._engine.router.say(Receipt(said.number, recorded=failure is None, failure=failure))

    def _waits(self, said: Waiting) -> None:
        for instance_id in said.instances:
            self._engine.credit.instances.waits(instance_id, said.seconds)

    def _departed(self, said: Departed) -> None:
        self._engine.credit.departed(said)
        self._calls.departed(said.instance)
        if not said.expected:
            self._spawn(self._depart(said))

    def _absent(self, said: Absent) -> None:
        self._engine.absence.absent(said.agent_id)

    def _unleased(self, said: Unleased) -> None:
        self._engine.monitor.unleased = said.attempts

    def _closing(self, _: Closing) -> None:
        self._engine.credit.close()

    async def _call(self, said: Called, replies: Replies) -> None:
        try:
            who = await self._engine.access.connected(said.instance.instance_id)
            await calls.call(who, self._application, said, replies)
        except AtlasError as error:
            replies(calls.refused(said.call, error))

    async def _admit(self, said: Arrived) -> None:
        try:
            self._engine.router.say(await instances.admit(self._engine, said))
        except AtlasError as error:
            self._engine.router.say(TurnAway(said.number, instances.failure(error)))
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            self._log.error("admission_failed", agent=said.identity.agent_id, exc_info=bug)
            self._engine.router.say(TurnAway(said.number, Failure(CloseCode.UNAVAILABLE, "internal")))

    async def _depart(self, said: Departed) -> None:
        try:
            await instances.departed(self._engine, said)
        except AtlasError as error:
            # It shows as connected until its token is used again or the backend starts again; no task depends on it.
            self._log.warning("departure_not_stored", instance=said.instance.instance_id, code=error.code)
        except Exception as bug:  # noqa: BLE001  # a fault of ours with one agent must not end the others
            self._log.error("departure_failed", instance=said.instance.instance_id, exc_info=bug)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> Task[None] | None:
        if self._group is None:
            work.close()
            return None
        return self._group.create_task(work)
