"""`atlas`, except that it ends with 137 when it comes to a point for the n-th time (`FAILPOINT="result stored 3"`).

A program of its own, started by `test_failpoints`. The product has no hooks for this: the ports between its parts are
wrapped here, where `compose` puts the parts together.
"""

import os
from asyncio import Future
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import Engine, event

from agentic_atlas.__main__ import main
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.backend.ports import Decide, Slot, Tasks
from agentic_atlas.compose import network
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router import ports as router_ports

KILLED = 137


class Failpoint:
    """Counts how often the one point that counts is passed."""

    def __init__(self, wanted: str) -> None:
        self._point, _, times = wanted.rpartition(" ")
        self._left = int(times or 0)

    def __call__(self, point: str) -> None:
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os._exit(KILLED)

    def settled(self, future: "Future[Any]", point: str) -> "Future[Any]":
        """Pass the point when the future is there, before anybody else is told."""
        future.add_done_callback(lambda _: self(point))
        return future


passed = Failpoint(os.environ.get("FAILPOINT", ""))


class FailingTasks:
    """`backend.ports.Tasks` with points before each write is queued, within its transaction, and after its commit."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tasks, name)

    def add(self, change: Change) -> "Future[Any]":
        passed("add asked")
        return passed.settled(self._tasks.add(change), "add stored")

    def change(self, task_id: str, decide: Decide) -> "Future[Any]":
        passed("change asked")
        return passed.settled(self._tasks.change(task_id, partial(_decide, decide)), "change stored")

    def claim(
        self, agent_id: str, slots: Sequence[Slot], now: float, skills: Collection[str] | None = None
    ) -> "Future[Any]":
        passed("claim asked")
        return passed.settled(self._tasks.claim(agent_id, slots, now, skills), "claim stored")


def _decide(decide: Decide, task: Task) -> Change | None:
    passed("change in transaction")
    return decide(task)


class FailingFleet(network.RouterFleet):
    """`backend.ports.Fleet` with points around what follows a commit."""

    def deliver(self, slot: Slot, task: Task) -> None:
        passed("deliver asked")
        super().deliver(slot, task)
        passed("deliver said")

    def cancel(self, task: Task) -> None:
        passed("cancel asked")
        super().cancel(task)
        passed("cancel said")


class FailingBackend(network.RouterBackend):
    """`router.ports.Backend` with points around what agents say."""

    async def admit(self, arrival: router_ports.Arrival) -> router_ports.Admission:
        passed("admit asked")
        admission = await super().admit(arrival)
        passed("admit stored")
        return admission

    def report(self, instance: router_ports.Instance, report: router_ports.Report) -> "Future[router_ports.Receipt]":
        name = type(report).__name__.lower()
        passed(f"{name} asked")
        return passed.settled(super().report(instance, report), f"{name} stored")

    async def lost(self, task: str, attempt: int, why: Loss) -> None:
        passed("lost asked")
        await super().lost(task, attempt, why)
        passed("lost stored")


def failing(open_store: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        async with open_store(*arguments, **options) as store:
            store.tasks = FailingTasks(store.tasks)
            yield store

    return opened


if __name__ == "__main__":
    event.listen(Engine, "commit", lambda _: passed("written, not committed"))
    network.open_store = failing(network.open_store)
    network.RouterFleet = FailingFleet
    network.RouterBackend = FailingBackend
    main()
