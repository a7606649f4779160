"""Brings waiting tasks and free slots together. The queues are in the store; here is which agents have one."""

from asyncio import Future
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from agentic_atlas.backend.domain.records import Task, TaskEvent
from agentic_atlas.backend.engine.census import Census
from agentic_atlas.backend.engine.credit import Credits
from agentic_atlas.backend.engine.offers import Offers
from agentic_atlas.backend.engine.unawaited import again_after, outcome
from agentic_atlas.backend.ports import Changed, FaultLog, Tasks
from agentic_atlas.protocol.inside.messages import InstanceRef

MOST_AT_ONCE = 64
"""Slots filled by one claim."""


class Claims:
    """Owns the backlog: which agents have waiting tasks, as far as is known."""

    def __init__(
        self,
        tasks: Tasks,
        credit: Credits,
        census: Census,
        offers: Offers,
        clock: Callable[[], float],
        claimed: Callable[[InstanceRef, Task, Sequence[TaskEvent]], None],
        log: FaultLog,
    ) -> None:
        """Take whom to tell of each task that was claimed for a slot, and its new events, after the commit."""
        self._tasks = tasks
        self._credit = credit
        self._census = census
        self._offers = offers
        self._clock = clock
        self._tell = claimed
        self._log = log
        self._backlog: dict[str, int] = {}
        self._open: Counter[str] = Counter()
        self._version = 0

    def waits(self, agent_id: str) -> None:
        """A task waits for the agent."""
        self._version += 1
        self._backlog[agent_id] = self._version

    def slot_for(self, agent_id: str, skill: str) -> InstanceRef | None:
        """Take a free slot for a new task of this skill, unless older ones wait for the agent."""
        if agent_id in self._backlog:
            return None
        return self._credit.reserve(agent_id, self._offers.able(agent_id, skill))

    def stalls(self, agent_id: str) -> bool:
        """Tell whether a task waits for the agent that could begin, and nothing is on its way to bring that about."""
        if self.open(agent_id) or not self._credit.free(agent_id):
            return False
        ready = self._census.ready(agent_id, self._clock())
        return any(self._credit.free(agent_id, self._offers.able(agent_id, skill)) for skill in ready)

    def open(self, agent_id: str) -> bool:
        """Tell whether a claim for the agent is on its way, or will be tried again."""
        return agent_id in self._open

    def freed(self, agent_id: str) -> None:
        """The agent may have free slots."""
        if agent_id in self._backlog:
            self.make(agent_id)

    def make(self, agent_id: str) -> None:
        """Claim waiting tasks for the agent's free slots."""
        slots: list[InstanceRef] = []
        while len(slots) < MOST_AT_ONCE and (slot := self._credit.reserve(agent_id)) is not None:
            slots.append(slot)
        wanted = self._census.skills_waited_for(agent_id)
        groups: dict[frozenset[str], list[InstanceRef]] = {}
        for slot in slots:
            takes = frozenset(self._offers.takes(agent_id, slot.instance_id, wanted))
            groups.setdefault(takes, []).append(slot)
        for takes, group in groups.items():
            self._claim(agent_id, group, None if takes >= wanted else takes)

    def forget(self, agent_id: str) -> None:
        """The agent was deleted: nothing waits for it."""
        self._backlog.pop(agent_id, None)

    def _claim(self, agent_id: str, slots: Sequence[InstanceRef], skills: frozenset[str] | None) -> None:
        """Claim tasks of these skills, or of all; when nothing waits that these slots could take, give them back."""
        if skills is not None and not skills:
            for slot in slots:
                self._credit.release(slot)
            return
        self._open[agent_id] += 1
        future = self._tasks.claim(agent_id, slots, self._clock(), skills)
        version = self._backlog.get(agent_id) if skills is None else None
        future.add_done_callback(partial(self._made, agent_id, slots, version))

    def _made(
        self, agent_id: str, slots: Sequence[InstanceRef], version: int | None, future: "Future[list[Changed]]"
    ) -> None:
        claimed = outcome(future, self._log, "claim_failed", agent=agent_id)
        tasks = [(change.task, change.events) for change in claimed or () if change.task is not None]
        for slot, (task, events) in zip(slots, tasks, strict=False):
            self._tell(slot, task, events)
        for slot in slots[len(tasks) :]:
            self._credit.release(slot)
        if claimed is None:
            future.get_loop().call_later(again_after(future), self._again, agent_id)
            return
        self._ended(agent_id)
        if len(tasks) == len(slots):
            self.freed(agent_id)
        elif version is not None and self._backlog.get(agent_id) == version:
            # Nothing more waits, of whatever skill, and nothing was added meanwhile.
            del self._backlog[agent_id]

    def _again(self, agent_id: str) -> None:
        self._ended(agent_id)
        self.freed(agent_id)

    def _ended(self, agent_id: str) -> None:
        self._open[agent_id] -= 1
        if not self._open[agent_id]:
            del self._open[agent_id]
