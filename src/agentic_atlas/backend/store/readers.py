"""Reads: away from the event loop, each on what is committed when it begins."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.store.errors import AWAY, domain_error
from agentic_atlas.backend.store.writer import Writer, named, statement
from agentic_atlas.errors import Busy, Unavailable

T = TypeVar("T")

THREADS = 4
"""Threads that read."""
FOLLOWING = 2
"""Threads that read the events of tasks for those who follow them."""
MOST_WAITING = 1_000
"""Reads that may wait for a thread; more are answered with Busy."""


class PooledReaders:
    """Reads on threads, each with a connection of its own that can't write."""

    def __init__(self, engine: Engine, *, threads: int = THREADS, most_waiting: int = MOST_WAITING) -> None:
        """Take an engine with as many connections as there are threads; it is disposed of at the close."""
        self._engine = engine
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="store-reader")
        self._most = threads + most_waiting
        self._open = 0
        self._closed = False

    async def run(self, query: Callable[[Connection], T]) -> T:
        """Return what `query` finds. Raises Unavailable when the database can't be had, Busy when too many wait."""
        if self._closed:
            raise Unavailable("the store is closed", code=AWAY)
        if self._open >= self._most:
            raise Busy("too many reads are waiting; try again in a second", retry_after=1.0)
        self._open += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._read, query)
        finally:
            self._open -= 1

    def close(self) -> None:
        """Let the queries that run come to their end, then close their connections; blocks."""
        self._closed = True
        self._pool.shutdown()
        self._engine.dispose()

    def _read(self, query: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection:
                return query(connection)
        except SQLAlchemyError as error:
            raise domain_error(error) from error


class WriterReaders:
    """Reads in turn with the writes: a database in memory has one connection only."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    async def run(self, query: Callable[[Connection], T]) -> T:
        """Run the query when its turn comes."""
        return await self._writer.submit(statement(query))

    def close(self) -> None:
        """Nothing of its own to stop."""


class TimedReaders:
    """Reads like those it is made around, and tells how long each took from the moment when it was asked for."""

    def __init__(
        self,
        readers: PooledReaders | WriterReaders,
        took: Callable[[str, float], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._readers = readers
        self._took = took
        self._clock = clock

    async def run(self, query: Callable[[Connection], T]) -> T:
        """Run the query, and tell what it does and the seconds that it took, whatever came of it."""
        began = self._clock()
        try:
            return await self._readers.run(query)
        finally:
            self._took(named(query), self._clock() - began)

    def close(self) -> None:
        """Close what reads."""
        self._readers.close()


Readers: TypeAlias = PooledReaders | WriterReaders | TimedReaders
