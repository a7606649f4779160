"""Joins router and backend in one process: each behind the ports that the other declares."""

import asyncio
from asyncio import Future
from collections.abc import Collection, Mapping, Sequence
from functools import partial

from agentic_atlas.backend.domain.assignment import assignment
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.engine import instances
from agentic_atlas.backend.engine.engine import Engine
from agentic_atlas.backend.ports import Slot, Usage
from agentic_atlas.backend.usecases import calls
from agentic_atlas.protocol.messages import Call, Reaction, Report
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router import ports as router_ports
from agentic_atlas.router.router import Router


class RouterFleet:
    """The router, as the backend sees it (`backend.ports.Fleet`)."""

    router: Router
    """Set once, before the first call."""

    def reserve(self, agent_id: str, among: Collection[str] | None = None) -> Slot | None:
        """See `Fleet.reserve`."""
        instance = self.router.reserve(agent_id, among)
        if instance is None:
            return None
        return Slot(instance.agent_id, instance.instance_id, instance.generation)

    def release(self, slot: Slot) -> None:
        """See `Fleet.release`."""
        self.router.release(_instance(slot))

    def deliver(self, slot: Slot, task: Task) -> None:
        """See `Fleet.deliver`."""
        self.router.deliver(_instance(slot), assignment(task))

    def cancel(self, task: Task) -> None:
        """See `Fleet.cancel`."""
        self.router.cancel(task.id, task.attempt, task.cancel_reason or (task.error.message if task.error else ""))

    def answer(self, task: Task, reaction: Reaction) -> None:
        """See `Fleet.answer`."""
        self.router.answer(task.id, task.attempt, reaction)

    def forget(self, task: Task) -> None:
        """See `Fleet.forget`."""
        self.router.forget(task.id, task.attempt)

    def disconnect_tokens(self, token_ids: Sequence[str], reason: str) -> None:
        """See `Fleet.disconnect_tokens`."""
        self.router.disconnect_tokens(token_ids, reason)

    def disconnect_agent(self, agent_id: str, reason: str) -> None:
        """See `Fleet.disconnect_agent`."""
        self.router.disconnect_agent(agent_id, reason)

    def readmit_agent(self, agent_id: str) -> None:
        """See `Fleet.readmit_agent`."""
        self.router.readmit_agent(agent_id)

    def online(self, agent_id: str) -> int:
        """See `Fleet.online`."""
        return self.router.online(agent_id)

    def free(self, agent_id: str, among: Collection[str] | None = None) -> int:
        """See `Fleet.free`."""
        return self.router.free(agent_id, among)

    def usage(self, agent_id: str) -> Sequence[Usage]:
        """See `Fleet.usage`."""
        return [
            Usage(one.instance_id, one.used, one.slots, one.draining, one.silent, one.holdup)
            for one in self.router.usage(agent_id)
        ]

    def holds(self, task_id: str, attempt: int) -> bool:
        """See `Fleet.holds`."""
        return self.router.holds(task_id, attempt)

    def awaits(self, task_id: str, attempt: int) -> float | None:
        """See `Fleet.awaits`."""
        return self.router.awaits(task_id, attempt)

    def adopt(self, task_id: str, attempt: int, instance_id: str) -> None:
        """See `Fleet.adopt`."""
        self.router.adopt([(task_id, attempt, instance_id)])

    def reservations(self) -> Sequence[tuple[Slot, int]]:
        """See `Fleet.reservations`."""
        return [
            (Slot(one.agent_id, one.instance_id, one.generation), number) for one, number in self.router.reservations()
        ]

    def heard(self) -> Mapping[str, float]:
        """See `Fleet.heard`."""
        return self.router.heard()

    def unheard(self) -> Sequence[tuple[str, int]]:
        """See `Fleet.unheard`."""
        return self.router.unheard()

    def abandon(self, task_id: str, attempt: int) -> None:
        """See `Fleet.abandon`."""
        self.router.abandon(task_id, attempt)

    def oldest_results(self) -> Sequence[tuple[str, float]]:
        """See `Fleet.oldest_results`."""
        return self.router.oldest_results()


class RouterBackend:
    """The engine, as the router sees it (`router.ports.Engine`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def admit(self, arrival: router_ports.Arrival) -> router_ports.Admission:
        """See `Backend.admit`."""
        identity = arrival.identity
        try:
            admitted = await instances.admit(
                self._engine, identity.token_id, identity.agent_id, arrival.hello, identity.presented_at
            )
        except instances.NotAdmitted as error:
            raise router_ports.Refused(error.close_code, error.code, error.message) from None
        return router_ports.Admission(
            agent=admitted.agent.name,
            owner=admitted.agent.owner,
            generation=admitted.generation,
            attempts=admitted.attempts,
            held=admitted.held,
            cancels=admitted.cancels,
            lost=admitted.lost,
            answers=admitted.answers,
        )

    async def departed(self, instance: router_ports.Instance, silent: float) -> None:
        """See `Backend.departed`."""
        await instances.departed(self._engine, instance.agent_id, instance.instance_id, instance.generation, silent)

    def report(self, instance: router_ports.Instance, report: Report) -> "Future[router_ports.Receipt]":
        """See `Backend.report`."""
        receipt: Future[router_ports.Receipt] = asyncio.get_running_loop().create_future()
        stored = instances.report(self._engine, instance.instance_id, report)
        stored.add_done_callback(partial(_hand_on, receipt))
        return receipt

    async def lost(self, task: str, attempt: int, why: Loss) -> None:
        """See `Backend.lost`."""
        await instances.lost(self._engine, task, attempt, why)

    def absent(self, agent_id: str) -> None:
        """See `Backend.absent`."""
        self._engine.absence.absent(agent_id)

    def freed(self, agent_id: str) -> None:
        """See `Backend.freed`."""
        self._engine.dispatcher.claims.freed(agent_id)

    async def call(self, instance: router_ports.Instance, call: Call, replies: router_ports.Replies) -> None:
        """See `Backend.call`."""
        await calls.call(self._engine, instance.agent_id, instance.instance_id, call, replies)


def _instance(slot: Slot) -> router_ports.Instance:
    return router_ports.Instance(slot.agent_id, slot.instance_id, slot.generation)


def _hand_on(receipt: "Future[router_ports.Receipt]", stored: "Future[instances.Stored]") -> None:
    if receipt.cancelled():
        return
    error = stored.exception()
    if error is not None:
        receipt.set_exception(error)
    else:
        receipt.set_result(router_ports.Receipt(stored.result().recorded, stored.result().n))
