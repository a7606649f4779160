"""Every task that has not ended, as this process last saw it: counted, limited, found by what it is of, and its turn.

The store has the tasks; here is what would otherwise be asked of it again and again. Pure, and bounded by its own
limits. A task counts from the moment its insert is on its way, so that many submits at once cannot overrun a limit.

Queues are fair between callers: one caller's flood does not starve another's single task. That is start-time fair
queueing (Goyal, Vin, Cheng 1996) with equal weights and unit cost: each task gets a virtual start time when it is
added, one more than its caller's last one but never behind the task served last. Serving the queue by this number takes
turns between callers, and within a caller keeps the order of submission.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set

import msgspec

from agentic_atlas.backend.domain.records import CallerRef, Task
from agentic_atlas.errors import Busy
from agentic_atlas.protocol.tasks import LEASED, TaskState

RETRY_AFTER = 5.0
"""Seconds after which a submit that met a limit makes sense again."""


class OpenLimits(msgspec.Struct, frozen=True):
    """Most tasks that may be open; a submit over one is answered `Busy` (429) and stores nothing."""

    queue_per_agent: int = 20_000
    """Most tasks that wait for one agent; more are answered 429 (`agent_queue_full`)."""
    open_per_caller: int = 10_000
    """Most tasks of one caller that have not ended; more are answered 429 (`too_many_open_tasks`). Fewer than an
    agent's queue holds, so that no caller fills it alone."""
    open_per_user: int = 50_000
    """Most tasks of one user, by whichever key or agent, that have not ended; more are answered 429
    (`too_many_open_tasks`). Half of what the network may have."""
    open_tasks: int = 100_000
    """Most tasks of everybody that have not ended; more are answered 429 (`network_full`)."""


class OpenTask(msgspec.Struct, frozen=True):
    """What is remembered of a task: all but what was asked."""

    id: str
    agent_id: str
    agent: str
    skill: str
    caller: str
    caller_id: str
    user: str
    owner_id: str
    parent_id: str | None
    state: TaskState
    attempt: int
    instance_id: str | None
    not_before: float | None
    created_at: float
    impatient: bool
    """It does not wait for an agent that is away."""
    stopping: bool
    """Its attempt was asked to stop, and has not answered yet."""
    stored: bool
    """False while its insert is on its way: it counts, and nothing is to be done about it yet."""


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


class Queues:
    """The tasks that wait for each agent, with their turns: one order for each agent and priority."""

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, OpenTask]] = {}
        self._skills: dict[str, Counter[str]] = {}
        self._orders: defaultdict[str, defaultdict[int, FairOrder]] = defaultdict(lambda: defaultdict(FairOrder))

    def position(self, agent_id: str, caller: str, priority: int) -> float:
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
        """Take up the turns of what was open when the process started."""
        queues: defaultdict[tuple[str, int], list[Task]] = defaultdict(list)
        for task in open_tasks:
            queues[task.agent_id, task.priority].append(task)
        for (agent_id, priority), tasks in queues.items():
            waiting = [(task.caller.id, task.position) for task in tasks if task.state is TaskState.SUBMITTED]
            held = [task.position for task in tasks if task.state is not TaskState.SUBMITTED]
            self._orders[agent_id][priority].resume(waiting, held)

    def forget(self, agent_id: str) -> None:
        """The agent was deleted: nobody has a turn with it any more."""
        self._orders.pop(agent_id, None)

    def enter(self, task: OpenTask) -> None:
        """The task waits for its agent."""
        self._waiting.setdefault(task.agent_id, {})[task.id] = task
        self._skills.setdefault(task.agent_id, Counter())[task.skill] += 1

    def leave(self, task: OpenTask) -> None:
        """It does not any more."""
        waiting, skills = self._waiting[task.agent_id], self._skills[task.agent_id]
        del waiting[task.id]
        _less(skills, task.skill)
        if not waiting:
            del self._waiting[task.agent_id], self._skills[task.agent_id]

    def length(self, agent_id: str) -> int:
        """Return how many tasks wait for this agent."""
        return len(self._waiting.get(agent_id, ()))

    def longest(self) -> int:
        """Return how many tasks wait for the agent that most wait for."""
        return max(map(len, self._waiting.values()), default=0)

    def oldest(self) -> float | None:
        """Return when the oldest of all that wait was submitted; None when none does."""
        waiting = (task.created_at for tasks in self._waiting.values() for task in tasks.values())
        return min(waiting, default=None)

    def agents(self) -> tuple[str, ...]:
        """Return the ids of the agents that tasks wait for."""
        return tuple(self._waiting)

    def next_of_each_skill(self, agent_id: str, now: float) -> list[OpenTask]:
        """Return of each skill one task that waits for this agent and could begin now."""
        found: dict[str, OpenTask] = {}
        for task in self._waiting.get(agent_id, {}).values():
            if len(found) == len(self._skills[agent_id]):
                break
            if task.stored and (task.not_before is None or task.not_before <= now):
                found.setdefault(task.skill, task)
        return list(found.values())

    def impatient(self, agent_id: str) -> list[OpenTask]:
        """Return those that wait for this agent only while it is there."""
        return [task for task in self._waiting.get(agent_id, {}).values() if task.impatient]

    def skills(self, agent_id: str) -> Set[str]:
        """Return the skills of the tasks that wait for this agent."""
        return self._skills.get(agent_id, Counter()).keys()

    def ready(self, agent_id: str, now: float) -> set[str]:
        """Return the skills of those of them that could begin now."""
        waiting = self._waiting.get(agent_id, {}).values()
        return {task.skill for task in waiting if task.stored and (task.not_before is None or task.not_before <= now)}


class Census:
    """The open tasks of this process's store.

    Attributes:
        queues: those that wait for their agents.
    """

    def __init__(self, limits: OpenLimits | None = None) -> None:
        self.queues = Queues()
        self._limits = limits or OpenLimits()
        self._tasks: dict[str, OpenTask] = {}
        self._held: dict[str, dict[str, OpenTask]] = {}
        self._by_caller: Counter[str] = Counter()
        self._by_user: Counter[str] = Counter()
        self._children: dict[str, set[str]] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[OpenTask]:
        return iter(tuple(self._tasks.values()))

    def check(self, agent_id: str, agent: str, caller: CallerRef) -> Busy | None:
        """Return why another task of this caller for this agent is one too many, or None."""
        limits = self._limits
        if self.queues.length(agent_id) >= limits.queue_per_agent:
            message = f"{limits.queue_per_agent} tasks wait for {agent} already: wait until some have ended"
            return Busy(message, code="agent_queue_full", retry_after=RETRY_AFTER)
        if self._by_caller[_key(caller)] >= limits.open_per_caller:
            message = f"{limits.open_per_caller} of your tasks have not ended yet: wait until some have ended"
            return Busy(message, code="too_many_open_tasks", retry_after=RETRY_AFTER)
        if self._by_user[caller.user_id] >= limits.open_per_user:
            message = f"{limits.open_per_user} tasks of your user have not ended yet: wait until some have ended"
            return Busy(message, code="too_many_open_tasks", retry_after=RETRY_AFTER)
        if len(self._tasks) >= limits.open_tasks:
            message = f"{limits.open_tasks} tasks of this network have not ended yet: wait until some have ended"
            return Busy(message, code="network_full", retry_after=RETRY_AFTER)
        return None

    def expect(self, task: Task) -> None:
        """The task's insert is on its way; `see` or `forget` follows."""
        self._put(_seen(task, stored=False))

    def see(self, task: Task) -> None:
        """The task is so now; one that has ended is forgotten."""
        if task.terminal:
            self.forget(task.id)
            return
        seen, before = _seen(task, stored=True), self._tasks.get(task.id)
        if before is None:
            self._put(seen)
        elif seen != before:
            # Whose it is never changes, so what is counted by that stays.
            self._leave(before)
            self._enter(seen)

    def forget(self, task_id: str) -> None:
        """The task has ended, or was not stored after all."""
        seen = self._tasks.pop(task_id, None)
        if seen is None:
            return
        self._leave(seen)
        _less(self._by_caller, seen.caller)
        _less(self._by_user, seen.user)
        if seen.parent_id is not None:
            self._children[seen.parent_id].discard(task_id)
            if not self._children[seen.parent_id]:
                del self._children[seen.parent_id]

    def get(self, task_id: str) -> OpenTask | None:
        """Return the task; None when it has ended or never was."""
        return self._tasks.get(task_id)

    def children(self, task_id: str) -> tuple[str, ...]:
        """Return the ids of the open tasks that this one called and that nobody has asked to stop."""
        called = self._children.get(task_id, ())
        return tuple(child for child in called if not self._tasks[child].stopping)

    def called(self, task_id: str) -> list[OpenTask]:
        """Return the open tasks that this one called."""
        return [self._tasks[child] for child in self._children.get(task_id, ())]

    def of_agent(self, agent_id: str) -> tuple[str, ...]:
        """Return the ids of the agent's open tasks."""
        return tuple(task.id for task in self._tasks.values() if task.agent_id == agent_id)

    def shift(self, seconds: float) -> None:
        """The clock was set: what rests before a retry rests as long as before."""
        for task in self:
            if task.not_before is not None:
                self.forget(task.id)
                self._put(msgspec.structs.replace(task, not_before=task.not_before + seconds))

    def held(self) -> tuple[OpenTask, ...]:
        """Return the tasks that an instance holds an attempt of."""
        return tuple(task for of_agent in self._held.values() for task in of_agent.values())

    def held_by(self, agent_id: str) -> list[OpenTask]:
        """Return those of them that instances of this agent hold."""
        return list(self._held.get(agent_id, {}).values())

    def states(self) -> dict[TaskState, int]:
        """Return how many tasks are in each state that is not an end."""
        held = Counter(task.state for task in self.held())
        return {state: held[state] for state in sorted(LEASED)} | {TaskState.SUBMITTED: len(self) - held.total()}

    def usage(self, caller: CallerRef) -> dict[str, int]:
        """Return how much is used of each limit by its name, of what is a caller's or user's by this one."""
        return {
            "queue_per_agent": self.queues.longest(),
            "open_per_caller": self._by_caller[_key(caller)],
            "open_per_user": self._by_user[caller.user_id],
            "open_tasks": len(self._tasks),
        }

    def _put(self, seen: OpenTask) -> None:
        self._by_caller[seen.caller] += 1
        self._by_user[seen.user] += 1
        if seen.parent_id is not None:
            self._children.setdefault(seen.parent_id, set()).add(seen.id)
        self._enter(seen)

    def _enter(self, seen: OpenTask) -> None:
        """The task is so now: it waits, or is held."""
        self._tasks[seen.id] = seen
        if seen.state is TaskState.SUBMITTED:
            self.queues.enter(seen)
        elif seen.stored:
            self._held.setdefault(seen.agent_id, {})[seen.id] = seen

    def _leave(self, seen: OpenTask) -> None:
        """It is so no more."""
        if seen.state is TaskState.SUBMITTED:
            self.queues.leave(seen)
        elif seen.stored:
            held = self._held[seen.agent_id]
            del held[seen.id]
            if not held:
                del self._held[seen.agent_id]


def _seen(task: Task, *, stored: bool) -> OpenTask:
    return OpenTask(
        task.id,
        task.agent_id,
        task.agent,
        task.skill,
        _key(task.caller),
        task.caller.id,
        task.caller.user_id,
        task.owner_id,
        task.parent_id,
        task.state,
        task.attempt,
        task.instance_id,
        task.not_before,
        task.created_at,
        task.impatient,
        task.cancel_reason is not None,
        stored,
    )


def _key(caller: CallerRef) -> str:
    return f"{caller.kind}:{caller.id}"


def _less(counts: Counter[str], key: str) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
