"""Order of a queue that is fair between callers: one caller's flood does not starve another's single task.

Start-time fair queueing (Goyal, Vin, Cheng 1996) with equal weights and unit cost: each task gets a virtual start time
when it is added, one more than its caller's last one but never behind the task served last. Serving the queue by this
number takes turns between callers, and within a caller keeps the order of submission.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from agentic_atlas.backend.domain.records import Task
from agentic_atlas.protocol.tasks import TaskState


class FairOrder:
    """Virtual clocks of one queue: an agent's tasks of one priority, for those of a higher one are served out of turn.

    Not kept: a restart takes them from the open tasks (`resume`).
    """

    def __init__(self, *, callers: int = 10_000) -> None:
        self._now = 0.0
        self._last: dict[str, float] = {}
        self._most_callers = callers

    def next(self, caller: str) -> float:
        """Return the position of this caller's next task."""
        position = max(self._last.get(caller, float("-inf")) + 1.0, self._now)
        self._last[caller] = position
        if len(self._last) > self._most_callers:
            # Callers whose clock is behind the queue's have no claim to remember.
            self._last = {name: at for name, at in self._last.items() if at > self._now}
        return position

    def give_back(self, caller: str, position: float) -> None:
        """There is no task at the caller's last position after all."""
        if self._last.get(caller) == position:
            self._last[caller] = position - 1.0

    def served(self, position: float) -> None:
        """The task at this position was claimed: the queue's clock moves up to it."""
        self._now = max(self._now, position)

    def resume(self, waiting: Iterable[tuple[str, float]], held: Iterable[float]) -> None:
        """Take up (caller, position) of the tasks that wait, and the positions of those that are held, after a restart.

        Each caller goes on behind its own last task, and the clock where it was: at the task that was served last, or,
        when none is held any more, at the first that waits. Were it at the last one, a flood that waits would come
        before whoever is new.
        """
        first: float | None = None
        for caller, position in waiting:
            self._last[caller] = max(self._last.get(caller, position), position)
            first = position if first is None else min(first, position)
        self._now = max(held, default=self._now if first is None else first)


class FairQueues:
    """The virtual clocks of all agents' queues: one for each agent and priority that had tasks in this process."""

    def __init__(self) -> None:
        self._orders: defaultdict[str, defaultdict[int, FairOrder]] = defaultdict(lambda: defaultdict(FairOrder))

    def next(self, agent_id: str, priority: int, caller: str) -> float:
        """Return the place of this caller's next task among the agent's tasks of this priority."""
        return self._orders[agent_id][priority].next(caller)

    def give_back(self, task: Task) -> None:
        """The task was not stored: it was there already, or could not be."""
        if task.agent_id in self._orders:
            self._orders[task.agent_id][task.priority].give_back(task.caller.id, task.position)

    def served(self, task: Task) -> None:
        """The task was claimed."""
        if task.agent_id in self._orders:
            self._orders[task.agent_id][task.priority].served(task.position)

    def resume(self, open_tasks: Sequence[Task]) -> None:
        """Take up what was open when the process started."""
        queues: defaultdict[tuple[str, int], list[Task]] = defaultdict(list)
        for task in open_tasks:
            queues[task.agent_id, task.priority].append(task)
        for (agent_id, priority), tasks in queues.items():
            waiting = [(task.caller.id, task.position) for task in tasks if task.state is TaskState.SUBMITTED]
            held = [task.position for task in tasks if task.state is not TaskState.SUBMITTED]
            self._orders[agent_id][priority].resume(waiting, held)

    def forget(self, agent_id: str) -> None:
        """The agent was deleted: it has no queues any more."""
        self._orders.pop(agent_id, None)
