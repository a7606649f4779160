"""The one connection that writes, and how it makes many writes share one commit.

While a commit waits for the disk, new operations gather; the next commit takes all of them. So a single caller waits
for one commit, and many callers together wait for hardly more. A write is done after its commit, never before.

The operations of a group first read what they touch, then decide in memory, in their order, and are written together.

Commits wait on a thread. The statements before them take a fraction of a millisecond, which a thread beside a busy loop
makes ten of: it waits for the interpreter after each one. So they are carried out on the loop where that takes no
time, and on the thread where it might.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from math import inf
from operator import attrgetter
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.questions import TaskQuestion
from agentic_atlas.backend.domain.records import CallKey, Submitted, Task, TaskEvent, same_request
from agentic_atlas.backend.ports import Changed, Decide, Write
from agentic_atlas.backend.store.errors import AWAY, domain_error
from agentic_atlas.backend.store.rows import EVENTS, TASKS, Prepared, Row, TaskStatements
from agentic_atlas.backend.store.sqlite import BUSY_TIMEOUT
from agentic_atlas.errors import Busy, Conflict, Unavailable
from agentic_atlas.protocol.inside.messages import InstanceRef

T = TypeVar("T")
Recent: TypeAlias = Kept[str, Task]
"""Tasks exactly as they are in the database, by id: those that this process wrote last and that still change.

Only right where nobody else writes: a process that shares its database has no room for any.
"""

MOST_WAITING = 10_000
"""Operations that may wait for the writer; more are answered with Busy."""

MOST_IN_GROUP = 512
"""Operations that share a commit; bounds how long the first of them waits for the last."""

MOST_ON_LOOP = 128
"""Operations whose statements may be carried out on the loop at once: some 3 ms."""

LONGEST_ON_LOOP = 0.02
"""Seconds that the statements of a group may take there before the thread is given those that follow."""

_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
"""Seconds for which the thread is given all statements."""

MOST_TIMED = 10_000
"""Groups whose times are kept for whoever looks at them; of more, those of the oldest are lost."""

_RECORD = 1_024
"""Bytes counted for a task besides its payloads."""
_QUESTION = 256
"""Bytes counted for a question besides its text, schema and answer."""


class Operation(msgspec.Struct, Generic[T], frozen=True):
    """One write that is carried out whole or not at all, and whose `Write` then holds a `T`."""

    run: Callable[["WriteGroup"], T | Exception]
    """Carries it out, more than once when another of its group fails: all but that one are done again then. An error
    that is returned is of no account to the others; one that is raised undoes the group."""
    task_id: str = ""
    """The task that it changes."""
    key: CallKey | None = None
    """What the task that it adds may be there already by."""
    bare: bool = False
    """It works with the database itself: what was known of any task need not be true any more."""
    name: str = ""
    """What it does, for whoever looks at how long that takes: as many words as there are kinds of writes."""


AnyOperation: TypeAlias = Operation[Any]
"""An operation whose result is of no concern here."""
_Queued: TypeAlias = tuple[AnyOperation, Write[Any], float]
"""With the time at which it was submitted."""
WaitForLock: TypeAlias = Callable[[Connection, float], None]
_Told: TypeAlias = Callable[[Sequence[_Queued], Sequence[object]], None]


_name = attrgetter("name")


class GroupTimes(msgspec.Struct, frozen=True, gc=False):
    """When a group was written, by the writer's clock."""

    began: float
    ended: float
    commit: float
    """Seconds that its last commit took."""
    operations: Sequence[str]
    """What each of them does."""
    asked: Sequence[float]
    """When each was submitted."""


def named(query: Callable[..., object]) -> str:
    """Return what a read or a write does, by the module and the method that it stands in."""
    function = query.func if isinstance(query, partial) else query
    place = function.__qualname__.partition(".<locals>")[0].rpartition(".")[2]
    return f"{function.__module__.rpartition('.')[2]}.{place.lstrip('_')}"


def add_task(change: Change) -> Operation[Submitted]:
    """Store a new task, unless its caller's idempotency key is taken."""
    return Operation(lambda group: group.add(change), key=change.task.key, name="tasks.add")


def change_task(task_id: str, decide: Decide) -> Operation[Changed]:
    """Store what `decide` makes of a task."""
    return Operation(lambda group: group.change(task_id, decide), task_id, name="tasks.change")


def claim_slots(
    agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None = None
) -> Operation[list[Changed]]:
    """Give waiting tasks of an agent to free slots, those of all skills or of some."""
    return Operation(lambda group: group.claim(agent_id, slots, now, skills), name="tasks.claim")


def statement(run: Callable[[Connection], T]) -> Operation[T]:
    """Anything else that is written."""
    return Operation(lambda group: run(group.connection), bare=True, name=named(run))


class LoopTime:
    """Whether the statements of a group may be carried out on the loop: as long as that takes no time.

    They read pages of the file, and a disk may be slow. One group that takes too long is the last on the loop for
    a while; when the next is slow too, for twice as long.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since = 0.0
        self._until = -inf
        self._pause = _SHORTEST_PAUSE

    def allows(self, operations: int) -> bool:
        """Tell whether a group of so many may be carried out on the loop now."""
        return operations <= MOST_ON_LOOP and self._clock() >= self._until

    def __enter__(self) -> None:
        self._since = self._clock()

    def __exit__(self, *_: object) -> None:
        now = self._clock()
        if now - self._since <= LONGEST_ON_LOOP:
            return
        again = self._since - self._until < _LONGEST_PAUSE
        self._pause = min(2 * self._pause, _LONGEST_PAUSE) if again else _SHORTEST_PAUSE
        self._until = now + self._pause


class _Group(NamedTuple):
    """What shares a commit, as it is handed to the thread."""

    queued: Sequence[_Queued]
    begun: "WriteGroup | None" = None
    """With its transaction, when its statements have been carried out."""
    results: Sequence[object] = ()
    """Of a begun one: what each operation gives once it is committed."""


class Writer:
    """Carries out operations in the order of `submit`, in groups of one commit each.

    Its connection is used by the loop and the thread in turns: while a group is with the thread, the loop leaves it
    alone.

    When an operation of a group can't be stored, the group is rolled back and done again in halves, until that
    operation stands alone and fails alone. When the database itself can't be had, all that waits fails at once: each
    would wait for the same lock or disk in turn.

    Attributes:
        times: of the last groups, for whoever looks at them and takes them out.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        wait_for_lock: WaitForLock | None = None,
        remembered_bytes: int = 0,
        most_waiting: int = MOST_WAITING,
        most_in_group: int = MOST_IN_GROUP,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Take what is written to, on the loop on which operations will be submitted.

        Args:
            engine: of the one connection that writes.
            wait_for_lock: says how many seconds a connection waits for other programs. None: statements may take long
                in any case, and are the thread's.
            remembered_bytes: of `Recent`.
            most_waiting: operations that may wait.
            most_in_group: operations that share a commit.
            clock: monotonic seconds.
        """
        self._engine = engine
        self._wait_for_lock = wait_for_lock
        self._recent: Recent = Kept(remembered_bytes)
        self._statements = TaskStatements(engine.dialect)
        self._most_waiting = most_waiting
        self._most_in_group = most_in_group
        self._loop_time = LoopTime(clock)
        self._clock = clock
        self._began = self._commit = 0.0
        self.times: deque[GroupTimes] = deque(maxlen=MOST_TIMED)
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Queued] = deque()
        self._handed: SimpleQueue[_Group | None] = SimpleQueue()
        self._here = False
        self._called = False
        self._closed = False
        self._closing = Lock()
        self._thread = Thread(target=self._run, name="store-writer")

    def start(self) -> None:
        """Begin to write. Operations may be submitted before."""
        self._connection = self._engine.connect()
        if self._wait_for_lock is not None:
            self._wait_for_lock(self._connection, 0.0)
        self._here = True
        self._thread.start()
        self._call()

    def submit(self, operation: Operation[T]) -> Write[T]:
        """Queue an operation.

        It fails with Busy when too many wait, and with Unavailable when the writer is closed or the database
        can't be had.
        """
        write: Write[T] = Write()
        with self._closing:
            if self._closed:
                write.settle(Unavailable("the store is closed", code=AWAY))
            elif len(self._waiting) >= self._most_waiting:
                write.settle(Busy("too many writes are waiting; try again in a second", retry_after=1.0))
            else:
                self._waiting.append((operation, write, self._clock()))
        self._call()
        return write

    @property
    def waiting(self) -> int:
        """How many operations wait for the next group."""
        return len(self._waiting)

    def close(self) -> None:
        """Finish what waits, then stop. Blocks; anything submitted from now on fails."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._handed.put(None)
        self._thread.join()

    def _call(self) -> None:
        """Begin a group once everything that is due on the loop has been done, and has submitted what it submits."""
        if self._here and self._waiting and not self._called:
            self._called = True
            self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._called = False
        with self._closing:
            if not self._closed and self._waiting:
                self._here = False
                self._began = self._clock()
                queued = self._taken(self._most_in_group)
                self._handed.put(self._carried_out(queued) or _Group(queued))

    def _carried_out(self, queued: Sequence[_Queued]) -> _Group | None:
        """Do all but the commit, on the loop; None: nothing was done, for it might take long, or one of them fails."""
        operations = [operation for operation, *_ in queued]
        if self._wait_for_lock is None or not self._loop_time.allows(len(operations)):
            return None
        if any(operation.bare for operation in operations):
            return None
        with self._loop_time:
            group = WriteGroup(self._connection, self._statements, self._recent)
            try:
                self._connection.begin()
                return _Group(queued, group, group.carry_out(operations))
            except Exception:  # noqa: BLE001 - done again on the thread, which finds out whose fault it is
                _undo(self._connection)
                return None

    def _run(self) -> None:
        with self._connection:
            while (group := self._handed.get()) is not None:
                self._tell(self._over, group.queued, self._stored(group))
            while queued := self._taken(self._most_in_group):
                self._tell(_settle, queued, self._stored(_Group(queued)))

    def _over(self, queued: Sequence[_Queued], results: Sequence[object]) -> None:
        self._here = True
        operations, _, asked = zip(*queued, strict=True)
        names = tuple(map(_name, operations))
        self.times.append(GroupTimes(self._began, self._clock(), self._commit, names, asked))
        _settle(queued, results)
        self._call()

    def _stored(self, group: _Group) -> Sequence[object]:
        operations = [operation for operation, *_ in group.queued]
        if group.begun is not None:
            try:
                written = self._clock()
                self._connection.commit()
                self._commit = self._clock() - written
                group.begun.committed()
                return group.results
            except Exception:  # noqa: BLE001 - done again, and then it belongs to whose fault it is
                _undo(self._connection)
        with self._patience():
            return self._committed(self._connection, operations)

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Wait for other programs in this block, on the thread."""
        if self._wait_for_lock is None:
            yield
            return
        self._wait_for_lock(self._connection, BUSY_TIMEOUT)
        try:
            yield
        finally:
            self._wait_for_lock(self._connection, 0.0)

    def _committed(self, connection: Connection, operations: Sequence[AnyOperation]) -> list[object]:
        """Store the operations in as few commits as can be; return the result or the error of each."""
        group = WriteGroup(connection, self._statements, self._recent)
        try:
            with connection.begin():
                results = group.carry_out(operations)
                written = self._clock()
            self._commit = self._clock() - written
            group.committed()
            return results
        except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers, and the thread lives on
            failure = error
            _roll_back(connection)
        told = domain_error(failure)
        if isinstance(told, Unavailable) and told.code == AWAY:
            self._fail_waiting(failure)
        if len(operations) == 1 or isinstance(told, Unavailable):
            return [domain_error(failure) for _ in operations]
        half = len(operations) // 2
        return self._committed(connection, operations[:half]) + self._committed(connection, operations[half:])

    def _fail_waiting(self, failure: Exception) -> None:
        waiting = self._taken(self._most_waiting)
        self._tell(_settle, waiting, [domain_error(failure) for _ in waiting])

    def _taken(self, most: int) -> list[_Queued]:
        """Take what waits, without waiting for more."""
        return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _tell(self, then: _Told, queued: Sequence[_Queued], results: Sequence[object]) -> None:
        """Hand results to the loop, all by one call."""
        try:
            self._loop.call_soon_threadsafe(then, queued, results)
        except RuntimeError:
            pass  # the loop is closed: nobody waits there any more


class WriteGroup:
    """Carries out a group in one transaction, which the caller begins and ends.

    Attributes:
        connection: that of the transaction.
        afterwards: what is to be done once it was committed.
    """

    def __init__(self, connection: Connection, statements: TaskStatements, recent: Recent) -> None:
        self.connection = connection
        self.afterwards: list[Callable[[], None]] = []
        self._statements = statements
        self._recent = recent
        self._tasks: dict[str, Task] = {}
        self._keys: dict[CallKey, str] = {}
        self._added: dict[str, Task] = {}
        self._changed: dict[str, Task] = {}
        self._events: list[TaskEvent] = []
        self._written: dict[str, Task] = {}

    def carry_out(self, operations: Sequence[AnyOperation]) -> list[object]:
        """Carry out the operations in order; return the result of each, or the error with which its decision failed.

        Raises what the database or a `statement` raises; the transaction is then to be rolled back.
        """
        results: list[object] = []
        for bare, run in groupby(operations, attrgetter("bare")):
            these = list(run)
            if bare:
                self._forget()
            else:
                self._load(these)
            results += [operation.run(self) for operation in these]
            self._flush()
        return results

    def committed(self) -> None:
        """The transaction was committed: what it wrote is what the next group finds."""
        for task in self._written.values():
            if task.terminal:
                self._recent.forget(task.id)
            else:
                self._recent.keep(task.id, task, _size(task))
        for then in self.afterwards:
            then()

    def add(self, change: Change) -> Submitted | Conflict:
        """Add a task; see `add_task`."""
        task = change.task
        key = task.key
        older = self._keys.get(key) if key else None
        if older is not None:
            return Submitted(self._tasks[older], created=False)
        if task.id in self._tasks:
            return Conflict(f"it is there already: task {task.id}")
        if key:
            self._keys[key] = task.id
        self._tasks[task.id] = self._added[task.id] = task
        self._events += change.events
        return Submitted(task, created=True)

    def change(self, task_id: str, decide: Decide) -> Changed | Exception:
        """Change a task; see `change_task`."""
        task = self._tasks.get(task_id)
        if task is None:
            return Changed(None)
        try:
            change = decide(task)
            assert change is None or same_request(task, change.task), "a change leaves alone what was asked for"
        except Exception as error:  # noqa: BLE001 - a decision is anybody's code: what it raises is its caller's alone
            return error
        return Changed(task) if change is None else self._store(change)

    def claim(
        self, agent_id: str, slots: Sequence[InstanceRef], now: float, skills: Collection[str] | None
    ) -> list[Changed]:
        """Take the next tasks of an agent; what was decided before has to be in the table for that."""
        self._flush()
        found = self._read([self._statements.next(agent_id, now, skills, len(slots))])
        claims = [lifecycle.claim(task, slot.instance_id, now) for task, slot in zip(found, slots, strict=False)]
        return [self._store(claim) for claim in claims if claim is not None]

    def _load(self, operations: Sequence[AnyOperation]) -> None:
        """Get the tasks that these operations name, by id or by idempotency key."""
        unknown = set()
        for task_id in {operation.task_id for operation in operations if operation.task_id}:
            task = self._recent.get(task_id)
            if task is None:
                unknown.add(task_id)
            else:
                self._tasks[task_id] = task
        self._read(self._statements.with_ids(unknown))
        self._read(self._statements.with_keys({operation.key for operation in operations if operation.key is not None}))

    def _read(self, queries: Iterable[tuple[Prepared, Row]]) -> list[Task]:
        found = [TASKS.value(row) for query, row in queries for row in query.all(self.connection, row)]
        for task in found:
            self._tasks[task.id] = task
            key = task.key
            if key is not None:
                self._keys[key] = task.id
        return found

    def _store(self, change: Change) -> Changed:
        task = change.task
        self._tasks[task.id] = task
        (self._added if task.id in self._added else self._changed)[task.id] = task
        self._events += change.events
        return Changed(task, change.events, changed=True)

    def _flush(self) -> None:
        """Write what was decided so far: each task once, in its last state."""
        statements = self._statements
        statements.insert.many(self.connection, [TASKS.row(task) for task in self._added.values()])
        statements.update.many(self.connection, [TASKS.changed_row(task) for task in self._changed.values()])
        statements.insert_event.many(self.connection, [EVENTS.row(event) for event in self._events])
        self._written |= self._added | self._changed
        self._added, self._changed, self._events = {}, {}, []

    def _forget(self) -> None:
        for known in (self._recent, self._tasks, self._keys, self._written):
            known.clear()


def _undo(connection: Connection) -> None:
    try:
        connection.rollback()
    except SQLAlchemyError:
        pass  # it takes the transaction for ended, and the driver is told below
    _roll_back(connection)


def _roll_back(connection: Connection) -> None:
    """End the transaction for the driver too: when a commit fails, SQLAlchemy takes it for ended though it is not."""
    try:
        connection.connection.rollback()
    except connection.dialect.loaded_dbapi.Error:
        pass  # what hinders it hinders the next group too, which is told, and this is tried again


def _settle(queued: Sequence[_Queued], results: Sequence[object]) -> None:
    for (_, write, _), result in zip(queued, results, strict=True):
        write.settle(result)


def _size(task: Task) -> int:
    return _RECORD + len(task.input) + sum(map(_size_of, task.dialogue.questions))


def _size_of(question: TaskQuestion) -> int:
    return _QUESTION + sum(memoryview(part).nbytes for part in (question.schema, question.answer)) + len(question.text)
