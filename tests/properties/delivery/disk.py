"""What outlives the server: the real store over SQLite in memory, whose commits happen when the test says so.

The writer's thread is taken out, and nothing else: operations wait in the order in which they were submitted, and are
carried out by the store's own `WriteGroup` in one commit. Reads see what is committed and overtake what waits, as they
do when they have connections of their own. A model runs a loop of its own by hand.
"""

from __future__ import annotations

import asyncio
import sqlite3
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Connection, select

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.records import AgentRecord, ApiKey, Role, Task, TaskEvent, Token, User
from agentic_atlas.backend.ports import Write
from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.accounts import UNSEALED
from agentic_atlas.backend.store.audit import last_row
from agentic_atlas.backend.store.database import REMEMBERED_BYTES, SqlStore
from agentic_atlas.backend.store.errors import AWAY
from agentic_atlas.backend.store.figures import StoreFigures
from agentic_atlas.backend.store.migrations import migrate
from agentic_atlas.backend.store.rows import EVENTS, TASKS, TaskStatements
from agentic_atlas.backend.store.tables import events, tasks
from agentic_atlas.backend.store.writer import AnyOperation, Operation, WriteGroup
from agentic_atlas.errors import AtlasError, Unavailable
from tests.still_loop import EPOCH, StillLoop

T = TypeVar("T")

FOR_EVER = EPOCH + 1e9
ADA = User("user_ada", "ada", Role.ADMIN, EPOCH)
KEY = ApiKey("key_ada", ADA.id, "laptop", b"digest", EPOCH)
AGENTS = {name: AgentRecord(f"agent_{name}", ADA.id, ADA.name, name, EPOCH) for name in ("one", "two")}
TOKENS = {"tok_1": "one", "tok_2": "one", "tok_3": "two"}
"""Each token's agent."""


class Disk:
    """The database, and the writer of the server that runs now.

    Attributes:
        holding: commits wait for `commit`; else each happens as soon as the loop turns.
        commits: how many there were.
    """

    def __init__(self, loop: AbstractEventLoop, image: bytes | None = None) -> None:
        """Take a database from `furnished`; None: make an empty one, which takes its time."""
        self.holding = False
        self.commits = 0
        self._loop = loop
        self._engine = sqlite.writing_engine(None)
        if image is None:
            migrate(self._engine)
        self._connection = self._engine.connect()
        self._driver = self._connection.connection.driver_connection
        assert isinstance(self._driver, sqlite3.Connection)
        if image is not None:
            self._driver.deserialize(image)
        self._writer = _Writer(self)
        self._waiting: deque[tuple[AnyOperation, Write[Any]]] = deque()
        self._due = False

    def open(self) -> SqlStore:
        """Return the store for a server that starts; the writes of the last one that still wait are lost."""
        self._waiting.clear()
        self._writer = _Writer(self)
        self._recent = Kept(REMEMBERED_BYTES)
        self._statements = TaskStatements(self._engine.dialect)
        readers = _Readers(self._connection)
        with self._connection.begin():
            audited = last_row(self._connection)
        figures = StoreFigures(self._writer)  # type: ignore[arg-type]
        return SqlStore(self._writer, readers, readers, readers, "net_1", UNSEALED, audited, figures)  # type: ignore[arg-type]

    def image(self) -> bytes:
        """Return the whole database."""
        return self._driver.serialize()

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()

    @property
    def waiting(self) -> int:
        """How many writes wait."""
        return len(self._waiting)

    def take(self, writer: _Writer, operation: AnyOperation, write: Write[Any]) -> None:
        """Queue a write; one of a server that was killed comes to nothing."""
        if writer is not self._writer:
            return
        self._waiting.append((operation, write))
        if not self.holding and not self._due:
            self._due = True
            self._loop.call_soon(self._commit_due)

    def hold(self) -> None:
        self.holding = True

    def release(self) -> None:
        self.holding = False
        self.commit()

    def commit(self, most: int | None = None, *, tell: bool = True) -> None:
        """Carry out what waits, or the first few of it; with `tell=False` nobody learns of it."""
        group = [
            self._waiting.popleft()
            for _ in range(min(len(self._waiting) if most is None else most, len(self._waiting)))
        ]
        if not group:
            return
        self.commits += 1
        operations = [operation for operation, _ in group]
        try:
            results = self._carried_out(operations)
        except AtlasError:
            # As the writer does: what can't be stored fails alone.
            results = [self._alone(operation) for operation in operations]
        if tell:
            for (_, write), result in zip(group, results, strict=True):
                # In a turn of the loop, where what follows may ask for a write in its turn.
                write.loop.call_soon(write.settle, result)

    def _carried_out(self, operations: Sequence[AnyOperation]) -> list[Any]:
        group = WriteGroup(self._connection, self._statements, self._recent)
        with self._connection.begin():
            results = group.carry_out(operations)
        group.committed()
        return results

    def _alone(self, operation: AnyOperation) -> Any:
        try:
            return self._carried_out([operation])[0]
        except AtlasError as error:
            return error

    def fail(self, most: int | None = None) -> None:
        """What waits, or the first few of it, can't be stored."""
        for _ in range(len(self._waiting) if most is None else min(most, len(self._waiting))):
            _, write = self._waiting.popleft()
            write.loop.call_soon(write.settle, Unavailable("the disk does not answer", code=AWAY))

    def tasks(self) -> list[Task]:
        """Return all tasks, as committed."""
        with self._connection.begin():
            return [TASKS.value(row) for row in self._connection.execute(select(*TASKS.read).order_by(tasks.c.id))]

    def events(self, task_id: str, after: int) -> list[TaskEvent]:
        """Return the task's events with a `seq` above `after`."""
        query = select(*EVENTS.read).where(events.c.task_id == task_id, events.c.seq > after).order_by(events.c.seq)
        with self._connection.begin():
            return [EVENTS.value(row) for row in self._connection.execute(query)]

    def _commit_due(self) -> None:
        self._due = False
        if not self.holding:
            self.commit()


class _Writer:
    """The store's writer, as its parts see it; of one server."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def submit(self, operation: Operation[T]) -> Write[T]:
        write: Write[T] = Write()
        self._disk.take(self, operation, write)
        return write


class _Readers:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(self, query: Callable[[Connection], T]) -> T:
        await asyncio.sleep(0)
        with self._connection.begin():
            return query(self._connection)

    def close(self) -> None:
        """Nothing of its own to stop."""


@cache
def furnished() -> bytes:
    """Return a database with a user, agents and tokens."""
    loop = StillLoop()
    disk = Disk(loop)
    loop.run_until_complete(_furnish(disk.open()))
    image = disk.image()
    disk.close()
    loop.close()
    return image


async def _furnish(store: SqlStore) -> None:
    await store.users.add(ADA)
    await store.users.add_key(KEY)
    for agent in AGENTS.values():
        await store.agents.add(agent)
    for token, name in TOKENS.items():
        await store.tokens.add(Token(token, AGENTS[name].id, token, EPOCH, FOR_EVER))
