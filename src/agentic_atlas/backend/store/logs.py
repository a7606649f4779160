"""Log lines behind the port: a file of their own beside the database, with a thread that writes and some that read.

No task waits for it, and none fails by it. It is opened when it is first needed, and again when that did not work; a
file that is damaged is put aside, and another one begun.

Durability: write-ahead log with `synchronous=NORMAL`. What is kept outlives this process however it ends, for it is
the system's by then. Only when the machine goes down the lines of the last seconds may be lost: waiting for the disk
with each commit would have tasks wait, which share it.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.logs import KeptBatch, LogBatch, LogFilter, LogFinds, LogLimits, LogSight
from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.errors import AWAY, domain_error
from agentic_atlas.backend.store.log_blocks import InstanceLog, forget, make_tables, trim, write
from agentic_atlas.backend.store.log_search import search
from agentic_atlas.backend.store.readers import PooledReaders, Readers, WriterReaders
from agentic_atlas.backend.store.writer import Writer, statement
from agentic_atlas.errors import AtlasError, ConfigurationError, Unavailable
from agentic_atlas.files import PRIVATE_FILE, make_folder, open_own

DAMAGED: Final = "logs_damaged"
"""Code of the error when the file can't be read any more; it is put aside, and the next call begins another one."""
SET_ASIDE: Final = ".damaged"
"""What is put behind the name of a file that is damaged."""
AGAIN: Final = 5.0
"""Seconds after which it is tried again to open a file that could not be."""
READING: Final = 2
"""Threads that read lines of logs."""
_KNOWN_BYTES: Final = 16 * 1024 * 1024
_KNOWN: Final = 1_024
"""Bytes counted for an instance that is remembered, and for each task in its last block."""

T = TypeVar("T")


class _Opened(NamedTuple):
    writer: Writer
    readers: Readers
    closing: ExitStack


class SqlLogs:
    """`ports.LogStore` in a file of its own; made by `open_logs`."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = monotonic) -> None:
        """Take the file's path; None: in memory, lost at the end. Nothing is opened yet."""
        self._path = path
        self._clock = clock
        self._opened: _Opened | None = None
        self._failed: tuple[float, AtlasError] | None = None
        self._damaged = False
        self._turn = asyncio.Lock()
        self._known: Kept[str, InstanceLog] = Kept(_KNOWN_BYTES)

    async def append(self, batches: Sequence[LogBatch], now: float, limits: LogLimits) -> list[KeptBatch]:
        """See the port."""
        async with self._turn:
            known = {batch.instance_id: found for batch in batches if (found := self._known.get(batch.instance_id))}
            run = partial(write, known=known, batches=batches, now=now, oldest=now - limits.logs_age)
            became, instances = await self._write(run)
            for id_, instance in instances.items():
                tasks = len(instance.block.tasks) if instance.block else 0
                self._known.keep(id_, instance, _KNOWN * (1 + tasks))
            return became

    async def find(self, which: LogFilter, sight: LogSight, *, limit: int, before: str | None = None) -> LogFinds:
        """See the port."""
        async with self._turn:
            readers = (await self._open()).readers
        run = partial(search, which=which, sight=sight, limit=limit, before=before)
        return await self._guarded(readers.run(partial(_telling_damage, run)))

    async def trim(self, now: float, limits: LogLimits) -> bool:
        """See the port."""
        async with self._turn:
            return await self._write(partial(trim, now=now, limits=limits))

    async def forget(self, agent_id: str) -> None:
        """See the port."""
        more = True
        while more:
            async with self._turn:
                self._known.clear()
                more = await self._write(partial(forget, agent_id=agent_id))

    async def agents(self) -> list[str]:
        """See the port."""
        async with self._turn:
            readers = (await self._open()).readers
        return await self._guarded(readers.run(partial(_telling_damage, _agents)))

    async def close(self) -> None:
        """Finish what waits, and close the file."""
        async with self._turn:
            await self._close()

    async def _write(self, run: Callable[[Connection], T]) -> T:
        """Have the writer do something; whoever calls has the turn."""
        writer = (await self._open()).writer

        async def written() -> T:
            return await writer.submit(statement(partial(_telling_damage, run)))

        return await self._guarded(written())

    async def _guarded(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except Unavailable as error:
            if error.code == DAMAGED:
                self._damaged, self._failed = True, None
                await self._close()
            raise

    async def _open(self) -> _Opened:
        """Return what is open; raises Unavailable when it can't be, at once when that was tried a moment ago."""
        if self._opened is not None:
            return self._opened
        if self._failed is not None and self._clock() < self._failed[0]:
            raise self._failed[1]
        try:
            engine = await asyncio.to_thread(_open, self._path, damaged=self._damaged)
        except AtlasError as error:
            self._failed = self._clock() + AGAIN, error
            raise
        self._damaged, self._failed = False, None
        self._opened = _begin(engine, self._path)
        return self._opened

    async def _close(self) -> None:
        opened, self._opened = self._opened, None
        self._known.clear()
        if opened is not None:
            await asyncio.to_thread(opened.closing.close)


@asynccontextmanager
async def open_logs(path: Path | None) -> AsyncIterator[SqlLogs]:
    """Have a store of log lines, whatever becomes of its file; at the end, finish what waits and close it.

    Whoever calls owns the folder (`store.lock`).
    """
    logs = SqlLogs(path)
    try:
        yield logs
    finally:
        await logs.close()


def _open(path: Path | None, *, damaged: bool) -> Engine:
    """Open the file, making it where it is missing, or where it is damaged; blocks. Raises Unavailable."""
    with ExitStack() as opened:
        try:
            if path is not None:
                _prepare(path, damaged=damaged)
            engine = sqlite.writing_engine(path, sqlite.LOG_WRITER)
            opened.callback(engine.dispose)
            with engine.begin() as connection:
                make_tables(connection)
        except (OSError, ConfigurationError) as error:
            raise Unavailable(f"logs of agents can't be kept: {error}", code=AWAY) from error
        except SQLAlchemyError as error:
            raise domain_error(error) from error
        opened.pop_all()
        return engine


def _begin(engine: Engine, path: Path | None) -> _Opened:
    """Begin to write and read what is open; its statements are the thread's, for a block may be long."""
    with ExitStack() as begun:
        begun.callback(engine.dispose)
        writer = Writer(engine)
        writer.start()
        begun.callback(writer.close)
        readers: Readers = WriterReaders(writer)
        if path is not None:
            readers = PooledReaders(sqlite.reading_engine(path, READING), threads=READING)
            begun.callback(readers.close)
        return _Opened(writer, readers, begun.pop_all())


def _prepare(path: Path, *, damaged: bool) -> None:
    """Have a file of ours there that can be read, for its owner alone."""
    make_folder(path.parent)
    if path.exists() and (damaged or _is_damaged(path)):
        _put_aside(path)
    file = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(file, PRIVATE_FILE)
    finally:
        os.close(file)
    sqlite.examine(path)


def _is_damaged(path: Path) -> bool:
    """Tell whether a file can't be read as a database; one that was left in disorder is looked at whole, if short."""
    log = Path(f"{path}-wal")
    whole = log.exists() and log.stat().st_size > 0 and path.stat().st_size <= sqlite.CHECKED_BYTES
    look = "PRAGMA quick_check(1)" if whole else "SELECT count(*) FROM sqlite_master"
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
            (state,) = connection.execute(look).fetchone()
    except sqlite3.DatabaseError as error:
        return sqlite.damaged(error)
    return whole and state != "ok"


def _put_aside(path: Path) -> None:
    """Give a damaged file another name, in place of one that was put aside before, with what belongs to it."""
    for end in ("-wal", "-shm"):
        Path(f"{path}{end}").unlink(missing_ok=True)
    path.replace(f"{path}{SET_ASIDE}")


def _telling_damage(run: Callable[[Connection], T], connection: Connection) -> T:
    """Do something; raises Unavailable (`logs_damaged`) when the file is damaged."""
    try:
        return run(connection)
    except DBAPIError as error:
        if sqlite.damaged(error.orig):
            raise Unavailable(f"the file with agents' logs is damaged: {error.orig}", code=DAMAGED) from error
        raise


def _agents(connection: Connection) -> list[str]:
    """Of which agents something is kept."""
    return list(connection.exec_driver_sql("SELECT DISTINCT agent_id FROM blocks").scalars())
