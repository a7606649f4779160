"""`atlas`, except that it ends with 137 when it comes to a point for the n-th time (`FAILPOINT="result stored 3"`).

A program of its own, started by `test_failpoints`. The product has no hooks for this: the ports between its parts are
wrapped here, where `compose` puts the parts together.
"""

import os
import threading
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, ClassVar

from sqlalchemy import Engine, event

from agentic_atlas.__main__ import main
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Instance, Task
from agentic_atlas.backend.ports import Agents, Decide, Tasks, Write
from agentic_atlas.compose import network
from agentic_atlas.protocol.inside.messages import (
    Admit,
    Arrived,
    Deliver,
    FromRouter,
    InstanceRef,
    Lost,
    Receipt,
    Reported,
    ToRouter,
)
from agentic_atlas.protocol.messages import Cancel

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

    def settled(self, write: Write[Any], point: str) -> Write[Any]:
        """Pass the point when the write is done, before anybody else is told."""
        write.then(lambda _: self(point))
        return write


passed = Failpoint(os.environ.get("FAILPOINT", ""))


class FailingTasks:
    """`backend.ports.Tasks` with points before each write is queued, within its transaction, and after its commit."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks = tasks

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tasks, name)

    def add(self, change: Change) -> Write[Any]:
        passed("add asked")
        return passed.settled(self._tasks.add(change), "add stored")

    def change(self, task_id: str, decide: Decide) -> Write[Any]:
        passed("change asked")
        return passed.settled(self._tasks.change(task_id, partial(_decide, decide)), "change stored")

    def claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None = None
    ) -> Write[Any]:
        passed("claim asked")
        return passed.settled(self._tasks.claim(agent_id, slots, now, skills), "claim stored")


class HoldingAgents:
    """`backend.ports.Agents`; with `HOLD_RETURNS`, nothing is committed any more once an instance comes back."""

    returned: ClassVar[bool] = False

    def __init__(self, agents: Agents) -> None:
        self._agents = agents

    def __getattr__(self, name: str) -> Any:
        return getattr(self._agents, name)

    def come_back(self, instance: Instance) -> Write[None]:
        HoldingAgents.returned = "HOLD_RETURNS" in os.environ
        return self._agents.come_back(instance)


def _committing(_: object) -> None:
    passed("written, not committed")
    if HoldingAgents.returned:
        threading.Event().wait()


def _decide(decide: Decide, task: Task) -> Change | None:
    passed("change in transaction")
    return decide(task)


class FailingRouter(network.Router):
    """A router with points around what follows a commit, and before what answers a router."""

    asked: ClassVar[dict[int, str]] = {}
    """What each report of the router said, by its number."""

    def say(self, message: ToRouter) -> None:
        match message:
            case Deliver():
                self._passing("deliver", message)
            case Cancel():
                self._passing("cancel", message)
            case Admit():
                passed("admit stored")
                super().say(message)
            case Receipt():
                passed(f"{self.asked.pop(message.to)} stored")
                super().say(message)
            case _:
                super().say(message)

    def _passing(self, point: str, message: ToRouter) -> None:
        passed(f"{point} asked")
        super().say(message)
        passed(f"{point} said")


class FailingDoor(network.RouterDoor):
    """The door with points before what routers say."""

    def say(self, message: FromRouter) -> None:
        match message:
            case Arrived():
                passed("admit asked")
            case Reported():
                self._note(message.number, type(message.report).__name__.lower())
            case Lost():
                self._note(message.number, "lost")
        super().say(message)

    def _note(self, number: int, name: str) -> None:
        FailingRouter.asked[number] = name
        passed(f"{name} asked")


def failing(open_store: Callable[..., Any]) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(*arguments: Any, **options: Any) -> AsyncIterator[Any]:
        async with open_store(*arguments, **options) as store:
            store.tasks = FailingTasks(store.tasks)
            store.agents = HoldingAgents(store.agents)
            yield store

    return opened


if __name__ == "__main__":
    event.listen(Engine, "commit", _committing)
    network.open_store = failing(network.open_store)
    network.Router = FailingRouter
    network.RouterDoor = FailingDoor
    main()
