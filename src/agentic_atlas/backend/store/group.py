"""A group of operations within one transaction: read what they touch, decide in memory in their order, write.

Nothing here begins or commits; `writer` does, and repeats a group in parts when one of its operations can't be stored.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlalchemy import Connection

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.idempotency import Key, key_of
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task, TaskEvent, same_request
from agentic_atlas.backend.ports import Added, Changed
from agentic_atlas.backend.store.operations import Add, AnyOperation, ChangeTask, ClaimSlots, Statement
from agentic_atlas.backend.store.prepared import Prepared
from agentic_atlas.backend.store.recent import Recent
from agentic_atlas.backend.store.rows import EVENTS, TASKS, Row
from agentic_atlas.backend.store.statements import TaskStatements
from agentic_atlas.errors import Conflict


class WriteGroup:
    """Carries out a group in one transaction, which the caller begins and ends."""

    def __init__(self, connection: Connection, statements: TaskStatements, recent: Recent) -> None:
        self._connection = connection
        self._statements = statements
        self._recent = recent
        self._written: dict[str, Task] = {}

    def carry_out(self, operations: Sequence[AnyOperation]) -> list[object]:
        """Carry out the operations in order; return the result of each, or the error with which its decision failed.

        Raises what the database or a `Statement` raises; the transaction is then to be rolled back.
        """
        results: list[object] = []
        for other, run in groupby(operations, lambda operation: isinstance(operation, Statement)):
            these = list(run)
            results += self._others(these) if other else self._on_tasks(these)
        return results

    def committed(self) -> None:
        """The transaction was committed: what it wrote is what the next group finds."""
        for task in self._written.values():
            self._recent.keep(task)

    def _on_tasks(self, operations: Sequence[AnyOperation]) -> list[object]:
        run = _TaskRun(self._connection, self._statements, self._recent)
        results = run.carry_out(operations)
        self._written |= run.written
        return results

    def _others(self, operations: Sequence[AnyOperation]) -> list[object]:
        # They may write to tasks, and it can't be told which.
        self._recent.clear()
        self._written.clear()
        return [operation.run(self._connection) for operation in operations if isinstance(operation, Statement)]


class _TaskRun:
    """Operations on tasks that follow each other: the tasks they touch, as they are so far."""

    def __init__(self, connection: Connection, statements: TaskStatements, recent: Recent) -> None:
        self._connection = connection
        self._statements = statements
        self._recent = recent
        self._tasks: dict[str, Task] = {}
        self._keys: dict[Key, str] = {}
        self._added: dict[str, Task] = {}
        self._changed: dict[str, Task] = {}
        self._events: list[TaskEvent] = []
        self.written: dict[str, Task] = {}
        """The tasks that were written, each as it was last."""

    def carry_out(self, operations: Sequence[AnyOperation]) -> list[object]:
        """Return the result of each operation, or the error with which its decision failed."""
        self._load(operations)
        results = [self._decided(operation) for operation in operations]
        self._flush()
        return results

    def _load(self, operations: Sequence[AnyOperation]) -> None:
        """Get the tasks that these operations name, by id or by idempotency key."""
        unknown = set()
        for task_id in {operation.task_id for operation in operations if isinstance(operation, ChangeTask)}:
            task = self._recent.get(task_id)
            if task is None:
                unknown.add(task_id)
            else:
                self._tasks[task_id] = task
        self._read(self._statements.with_ids(unknown))
        keys = {_key(operation.change.task) for operation in operations if isinstance(operation, Add)}
        self._read(self._statements.with_keys([key for key in keys if key is not None]))

    def _read(self, queries: Iterable[tuple[Prepared, Row]]) -> list[Task]:
        found = [TASKS.value(row) for query, row in queries for row in query.all(self._connection, row)]
        for task in found:
            self._tasks[task.id] = task
            key = _key(task)
            if key is not None:
                self._keys[key] = task.id
        return found

    def _decided(self, operation: AnyOperation) -> object:
        match operation:
            case ChangeTask():
                return self._change(operation)
            case Add():
                return self._add(operation.change)
            case ClaimSlots():
                return self._claim(operation)
        raise TypeError(f"{type(operation).__name__} is no operation on tasks")

    def _add(self, change: Change) -> Added | Conflict:
        task = change.task
        key = _key(task)
        older = self._keys.get(key) if key else None
        if older is not None:
            return Added(self._tasks[older], created=False)
        if task.id in self._tasks:
            return Conflict(f"it is there already: task {task.id}")
        if key:
            self._keys[key] = task.id
        self._tasks[task.id] = self._added[task.id] = task
        self._events += change.events
        return Added(task, created=True)

    def _change(self, operation: ChangeTask) -> Changed | Exception:
        task = self._tasks.get(operation.task_id)
        if task is None:
            return Changed(None)
        try:
            change = operation.decide(task)
            assert change is None or same_request(task, change.task), "a change leaves alone what was asked for"
        except Exception as error:  # noqa: BLE001 - a decision is anybody's code: what it raises is its caller's alone
            return error
        return Changed(task) if change is None else self._store(change)

    def _claim(self, operation: ClaimSlots) -> list[Changed]:
        """Take the next tasks; what was decided before has to be in the table for that."""
        self._flush()
        next_ones = self._statements.next(operation.agent_id, operation.now, operation.skills, len(operation.slots))
        found = self._read([next_ones])
        claimed = []
        for task, slot in zip(found, operation.slots, strict=False):
            change = lifecycle.claim(task, slot.instance_id, operation.now)
            if change is not None:
                claimed.append(self._store(change))
        return claimed

    def _store(self, change: Change) -> Changed:
        task = change.task
        self._tasks[task.id] = task
        (self._added if task.id in self._added else self._changed)[task.id] = task
        self._events += change.events
        return Changed(task, change.events, changed=True)

    def _flush(self) -> None:
        """Write what was decided so far: each task once, in its last state."""
        statements = self._statements
        statements.insert.many(self._connection, [TASKS.row(task) for task in self._added.values()])
        statements.update.many(self._connection, [TASKS.changed_row(task) for task in self._changed.values()])
        statements.insert_event.many(self._connection, [EVENTS.row(event) for event in self._events])
        self.written |= self._added | self._changed
        self._added, self._changed, self._events = {}, {}, []


def _key(task: Task) -> Key | None:
    return None if task.idempotency_key is None else key_of(task.caller, task.idempotency_key)
