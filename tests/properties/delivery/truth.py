"""What must hold at any moment of what is stored, whatever has happened: guarantees 1, 2, 3, 9 and 11."""

from __future__ import annotations

import msgspec

from agentic_atlas.backend.domain.lifecycle import StateData
from agentic_atlas.backend.domain.records import Task, TaskEvent, TaskEventKind
from agentic_atlas.protocol.messages import Delivery
from agentic_atlas.protocol.tasks import TERMINAL, TRANSITIONS, TaskState
from tests.properties.delivery.disk import Disk
from tests.properties.delivery.process import Book


class Truth:
    """Follows the store from commit to commit.

    Attributes:
        acknowledged: ids of tasks whose caller was told that they are stored.
        tasks: all tasks, as they were found last.
    """

    def __init__(self, disk: Disk, book: Book) -> None:
        self.acknowledged: set[str] = set()
        self.tasks: dict[str, Task] = {}
        self._disk = disk
        self._book = book
        self._logs: dict[str, _Log] = {}
        self._losses: list[str] = []

    def losses_found(self) -> list[str]:
        """Return the instances with which attempts were lost, since the last time."""
        found, self._losses = self._losses, []
        return found

    def check(self) -> None:
        now = {task.id: task for task in self._disk.tasks()}
        assert not (self.acknowledged | self.tasks.keys()) - now.keys(), "a task is gone"
        keys = [task.idempotency_key for task in now.values() if task.idempotency_key is not None]
        assert len(keys) == len(set(keys)), "two tasks have the same idempotency key"
        for task in now.values():
            before = self.tasks.get(task.id)
            assert before is None or not before.terminal or before == task, "a task changed after its end"
            if before != task:
                self._check_task(task)
        for task_id, executions in self._book.started.items():
            attempts = [execution.key for execution in executions]
            assert len(attempts) == len(set(attempts)), "an attempt was started twice"
            if now[task_id].delivery is Delivery.AT_MOST_ONCE:
                assert len(attempts) <= 1, "a task started twice that must not"
        self.tasks = now

    def _check_task(self, task: Task) -> None:
        log = self._logs.setdefault(task.id, _Log())
        for event in self._disk.events(task.id, log.last_seq):
            log.add(event)
            if log.lost_with is not None:
                self._losses.append(log.lost_with)
        assert log.last_seq == task.last_seq
        assert log.state is task.state
        assert log.attempts == task.attempt
        assert log.outcomes == task.terminal
        assert task.losses == log.losses <= task.max_attempts
        assert task.failures <= task.retries
        assert (task.state is TaskState.COMPLETED) == (task.output is not None)
        assert (task.error is not None) == (task.terminal and task.output is None)
        if task.output is not None:
            self._check_output(task, msgspec.json.decode(task.output))

    def _check_output(self, task: Task, output: dict[str, object]) -> None:
        said = {"task": task.id, "attempt": task.attempt, "instance": task.instance_id}
        assert output == said, "the output is not that of the last attempt"
        assert task.attempt in [execution.key[1] for execution in self._book.started[task.id]]


class _Log:
    """A task's events, as they are appended."""

    def __init__(self) -> None:
        self.last_seq = 0
        self.state: TaskState | None = None
        self.attempts = 0
        self.losses = 0
        self.outcomes = 0
        self.lost_with: str | None = None
        """The instance, when the last event says that an attempt was lost with it."""
        self._said = 0

    def add(self, event: TaskEvent) -> None:
        assert event.seq == self.last_seq + 1, "a gap in the numbers of a task's events"
        self.last_seq = event.seq
        self.lost_with = None
        if event.kind is TaskEventKind.STATE:
            self._move(msgspec.json.decode(event.data, type=StateData))
            return
        assert event.attempt == self.attempts, "an event of an attempt that is over"
        if event.kind is not TaskEventKind.LOG:
            return
        self._said += 1
        number = msgspec.json.decode(event.data)["fields"]["number"]
        assert number == self._said, "an event of an attempt is missing or out of order"

    def _move(self, to: StateData) -> None:
        if to.accepted:
            assert to.state is self.state
            return
        if self.state is None:
            assert to.state is TaskState.SUBMITTED
        else:
            assert to.state in TRANSITIONS[self.state].values(), f"{self.state} does not become {to.state}"
        if to.code in ("agent_lost", "outcome_unknown"):
            self.lost_with = to.instance
            # While a person is waited for, it is none of those that count.
            self.losses += self.state is TaskState.WORKING
        begins = self.state is TaskState.SUBMITTED and to.state is TaskState.WORKING
        self.state = to.state
        self.outcomes += to.state in TERMINAL
        if begins:
            self.attempts += 1
            self._said = 0
            assert to.attempt == self.attempts
