"""The one thread that writes, and how it makes many writes share one commit.

While a commit waits for the disk, new operations gather; the next commit takes all of them. So a single caller waits
for one commit, and many callers together wait for hardly more. Futures are resolved after the commit, never before.
"""

import asyncio
from asyncio import AbstractEventLoop, Future
from collections import defaultdict
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeAlias, TypeVar

from sqlalchemy import Connection, Engine

from agentic_atlas.backend.store.errors import AWAY, domain_error
from agentic_atlas.backend.store.group import WriteGroup
from agentic_atlas.backend.store.operations import AnyOperation, Operation
from agentic_atlas.backend.store.recent import Recent
from agentic_atlas.backend.store.statements import TaskStatements
from agentic_atlas.errors import Busy, Unavailable

T = TypeVar("T")
AnyFuture: TypeAlias = "Future[Any]"

MOST_WAITING = 10_000
"""Operations that may wait for the writer; more are answered with Busy."""

MOST_IN_GROUP = 512
"""Operations that share a commit; bounds how long the first of them waits for the last."""


class _Write(NamedTuple):
    operation: AnyOperation
    future: "AnyFuture"


class Writer:
    """Carries out operations in the order of `submit`, in groups of one commit each.

    When an operation of a group can't be stored, the group is rolled back and done again in halves, until that
    operation stands alone and fails alone. When the database itself can't be had, all that waits fails at once: each
    would wait for the same lock or disk in turn.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        remembered_bytes: int = 0,
        most_waiting: int = MOST_WAITING,
        most_in_group: int = MOST_IN_GROUP,
    ) -> None:
        """Take an engine for the one connection that writes; `remembered_bytes`: see `recent.Recent`."""
        self._engine = engine
        self._recent = Recent(remembered_bytes)
        self._statements = TaskStatements(engine.dialect)
        self._waiting: SimpleQueue[_Write | None] = SimpleQueue()
        self._most_waiting = most_waiting
        self._most_in_group = most_in_group
        self._closed = False
        self._thread = Thread(target=self._run, name="store-writer")

    def start(self) -> None:
        """Begin to write. Operations may be submitted before."""
        self._thread.start()

    def submit(self, operation: Operation[T]) -> "Future[T]":
        """Queue an operation; called on an event loop, to which the future belongs.

        The future fails with Busy when too many wait, and with Unavailable when the writer is closed or the database
        can't be had.
        """
        future: Future[T] = asyncio.get_running_loop().create_future()
        if self._closed:
            future.set_exception(Unavailable("the store is closed", code=AWAY))
        elif self._waiting.qsize() >= self._most_waiting:
            future.set_exception(Busy("too many writes are waiting; try again in a second", retry_after=1.0))
        else:
            self._waiting.put(_Write(operation, future))
        return future

    def close(self) -> None:
        """Finish what waits, then stop. Blocks; anything submitted from now on fails."""
        if not self._closed:
            self._closed = True
            self._waiting.put(None)
            self._thread.join()

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (first := self._waiting.get()) is not None:
                group = [first, *self._taken(self._most_in_group - 1)]
                _resolve(group, self._committed(connection, [write.operation for write in group]))

    def _taken(self, most: int) -> list[_Write]:
        """Take what waits without waiting for more; the mark of the end stays."""
        taken: list[_Write] = []
        try:
            while len(taken) < most:
                write = self._waiting.get_nowait()
                if write is None:
                    self._waiting.put(None)
                    break
                taken.append(write)
        except Empty:
            pass
        return taken

    def _committed(self, connection: Connection, operations: Sequence[AnyOperation]) -> list[object]:
        """Store the operations in as few commits as can be; return the result or the error of each."""
        group = WriteGroup(connection, self._statements, self._recent)
        try:
            with connection.begin():
                results = group.carry_out(operations)
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
        _resolve(waiting, [domain_error(failure) for _ in waiting])


def _roll_back(connection: Connection) -> None:
    """End the transaction for the driver too: when a commit fails, SQLAlchemy takes it for ended though it is not."""
    try:
        connection.connection.rollback()
    except connection.dialect.loaded_dbapi.Error:
        pass  # what hinders it hinders the next group too, which is told, and this is tried again


def _resolve(group: Sequence[_Write], results: Sequence[object]) -> None:
    """Hand the results to the loops that wait for them, one call a loop."""
    by_loop: dict[AbstractEventLoop, list[tuple[AnyFuture, object]]] = defaultdict(list)
    for write, result in zip(group, results, strict=True):
        by_loop[write.future.get_loop()].append((write.future, result))
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:
            pass  # that loop is closed: nobody waits there any more


def _settle(settled: Sequence[tuple[AnyFuture, object]]) -> None:
    for future, result in settled:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
