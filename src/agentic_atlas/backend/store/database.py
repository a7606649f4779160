"""Opens the store: its file and lock, its schema, its threads; and closes them in the opposite order."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, func, insert, literal_column, select
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.accounts import Sealing
from agentic_atlas.backend.domain.audit import ChainHead
from agentic_atlas.backend.ports import Clock, Ids
from agentic_atlas.backend.store import sqlite
from agentic_atlas.backend.store.accounts import UNSEALED, SqlAccounts
from agentic_atlas.backend.store.agents import SqlAgents
from agentic_atlas.backend.store.attention import SqlAttention
from agentic_atlas.backend.store.audit import SqlAudit, last_row
from agentic_atlas.backend.store.copying import Told, copier, copy
from agentic_atlas.backend.store.errors import domain_error
from agentic_atlas.backend.store.figures import StoreFigures
from agentic_atlas.backend.store.lock import owned
from agentic_atlas.backend.store.migrations import migrate
from agentic_atlas.backend.store.readers import FOLLOWING, THREADS, PooledReaders, Readers, TimedReaders, WriterReaders
from agentic_atlas.backend.store.resources import SqlResources
from agentic_atlas.backend.store.sessions import SqlSessions
from agentic_atlas.backend.store.sharing import SqlGroups, SqlShares
from agentic_atlas.backend.store.statistics import SqlStatistics
from agentic_atlas.backend.store.tables import agents, api_keys, audit, network, tasks, tokens, users
from agentic_atlas.backend.store.tasks import SqlTasks
from agentic_atlas.backend.store.tokens import SqlTokens
from agentic_atlas.backend.store.traces import SqlTraces
from agentic_atlas.backend.store.users import SqlUsers
from agentic_atlas.backend.store.writer import Writer
from agentic_atlas.errors import ConfigurationError
from agentic_atlas.files import PRIVATE_FILE, make_folder, open_own

REMEMBERED_BYTES = 64 * 1024 * 1024
"""Tasks kept in memory for their next change: this process alone owns the database."""


_COUNTED = (agents, tokens, users, api_keys)
"""What is counted row by row: as many as there are people and machines."""


class SqlStore:
    """`ports.Store` on SQLAlchemy; made by `open_store`.

    Attributes:
        figures: how long its reads and writes take.
    """

    def __init__(
        self,
        writer: Writer,
        readers: Readers,
        followers: Readers,
        copier: Readers,
        network_id: str,
        seal: Sealing,
        audited: ChainHead | None,
        figures: StoreFigures,
    ) -> None:
        self.figures = figures
        self.tasks = SqlTasks(writer, readers, followers)
        self.agents = SqlAgents(writer, readers)
        self.tokens = SqlTokens(writer, readers)
        self.users = SqlUsers(writer, readers)
        self.audit = SqlAudit(writer, readers, network_id, audited)
        self.statistics = SqlStatistics(writer, readers)
        self.resources = SqlResources(writer, readers)
        self.traces = SqlTraces(readers)
        self.attention = SqlAttention(readers)
        self.accounts = SqlAccounts(writer, readers, seal)
        self.sessions = SqlSessions(writer, readers)
        self.shares = SqlShares(writer, readers)
        self.groups = SqlGroups(writer, readers)
        self.notes = () if sqlite.is_safe_release() else (sqlite.OLD_RELEASE,)
        """What does no harm and may be of interest."""
        self._readers = readers
        self._copier = copier
        self._network_id = network_id

    async def network_id(self) -> str:
        """See the port."""
        return self._network_id

    async def counts(self) -> Mapping[str, int]:
        """See the port."""
        return await self._readers.run(_counts)

    async def ready(self) -> None:
        """See the port."""
        await self._readers.run(lambda connection: connection.execute(select(network.c.id)).all())

    async def copy(self, path: Path, told: Told) -> str:
        """Write everything, as it is at one moment, into a file that a store can be opened on; writes go on meanwhile.

        `told` is told how many bytes come next, each time, on another thread; what it raises ends the copy. Returns
        the revision of the schema. Raises Unavailable (`storage_full` without room), and Busy while another is made.
        """
        return (await self._copier.run(lambda connection: copy(connection, path, told))).schema


def _counts(connection: Connection) -> dict[str, int]:
    """Of what there may be a million the rows are not walked over.

    SQLite numbers tasks as they are stored, and none is ever removed: the last number is how many there are. Those of
    the audit log are without a gap too, and only its oldest rows are ever taken out.
    """
    ends = [select(end(audit.c.seq)).scalar_subquery() for end in (func.max, func.min)]  # apart, each is one look
    asked = {
        tasks.name: select(func.max(literal_column("tasks.rowid"))).select_from(tasks).scalar_subquery(),
        **{kind.name: select(func.count()).select_from(kind).scalar_subquery() for kind in _COUNTED},
        audit.name: ends[0] - ends[1] + 1,
    }
    numbers = connection.execute(select(*asked.values())).one()
    return {name: number or 0 for name, number in zip(asked, numbers, strict=True)}


@asynccontextmanager
async def open_store(path: Path | None, *, clock: Clock, ids: Ids, seal: Sealing = UNSEALED) -> AsyncIterator[SqlStore]:
    """Open the store, making or upgrading it first where needed; at the end, finish what waits and close it.

    Args:
        path: of the database file; its folder is made when it is missing. None: in memory, lost at the end.
        clock: gives the time of creation.
        ids: makes the network's id at creation.
        seal: of secrets that have to be read again.

    Raises:
        ConfigurationError: the file is in use, is no database of ours, or was written by a newer version.
        Unavailable: the database is locked by another program, or its disk is full.
    """
    with ExitStack() as opened:
        # Opening blocks the loop: nothing is served before it, and a cancel could not stop a thread half way.
        store = _opened(path, clock, ids, seal, opened)
        closing = opened.pop_all()
    try:
        yield store
    finally:
        await asyncio.to_thread(closing.close)


def _opened(path: Path | None, clock: Clock, ids: Ids, seal: Sealing, opened: ExitStack) -> SqlStore:
    if path is not None:
        with _place_refused(path):
            make_folder(path.parent)
            opened.enter_context(owned(path))
            _make_private(path)
        sqlite.examine(path)
    engine = sqlite.writing_engine(path)
    opened.callback(engine.dispose)
    try:
        migrate(engine)
        network_id = _network_id(engine, clock, ids)
        with engine.connect() as connection:
            audited = last_row(connection)
    except SQLAlchemyError as error:
        raise domain_error(error) from error
    writer = Writer(engine, wait_for_lock=sqlite.wait_for_lock, remembered_bytes=REMEMBERED_BYTES)
    writer.start()
    opened.callback(writer.close)
    figures = StoreFigures(writer)
    readers = TimedReaders(_reading(writer, path, THREADS, opened), figures.read)
    followers = TimedReaders(_reading(writer, path, FOLLOWING, opened), figures.read)
    copies = WriterReaders(writer) if path is None else copier(path)
    opened.callback(copies.close)
    return SqlStore(writer, readers, followers, copies, network_id, seal, audited, figures)


def _reading(writer: Writer, path: Path | None, threads: int, opened: ExitStack) -> PooledReaders | WriterReaders:
    if path is None:
        return WriterReaders(writer)
    readers = PooledReaders(sqlite.reading_engine(path, threads), threads=threads)
    opened.callback(readers.close)
    return readers


def _make_private(path: Path) -> None:
    """Make the file where it is missing, and close it to others where it is not."""
    file = open_own(path, os.O_RDWR | os.O_CREAT)
    try:
        os.fchmod(file, PRIVATE_FILE)
    finally:
        os.close(file)


@contextmanager
def _place_refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            f"the store can't be kept at {path}: {error.strerror}; set ATLAS_DATA_DIR to a folder of your own"
        ) from error


def _network_id(engine: Engine, clock: Clock, ids: Ids) -> str:
    """Return the network's id, made at the first start."""
    with engine.begin() as connection:
        network_id = connection.scalar(select(network.c.id))
        if network_id is None:
            network_id = ids("net")
            connection.execute(insert(network).values(id=network_id, created_at=clock()))
    return network_id
