"""All that is particular to SQLite: how to connect, begin and tune, and what its error codes mean.

Durability: write-ahead log with `synchronous=FULL`, so a commit returns after `fdatasync`. One connection writes and is
the only one that checkpoints; those that read can't do either. Releases before 3.51.3 can damage a database in which
two connections write or checkpoint at the same time, so this is a matter of safety and not of style.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from enum import Enum, auto
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, QueuePool, StaticPool, create_engine, event

from agentic_atlas.errors import ConfigurationError

APPLICATION_ID = 0x41544C53  # "ATLS"
SAFE_RELEASE = (3, 51, 3)
"""First release without the fault described at https://sqlite.org/wal.html#walreset."""

BUSY_TIMEOUT = 5.0
"""Seconds to wait for a lock that another program holds on the file."""

CHECKED_BYTES = 64 * 1024 * 1024
"""Longest file that is checked after an unclean end; a check reads all of it, and a start should take a second."""

OLD_RELEASE = (
    f"SQLite {sqlite3.sqlite_version} has a fault (fixed in 3.51.3) that can damage a database which several programs "
    "write at once: never open this one with another program while the server runs"
)

UNTRUSTING = "PRAGMA trusted_schema = OFF"
"""What a file's own schema calls may have no effects: it may have been written by somebody else."""

CACHED_STATEMENTS = 256
"""Statements that the driver keeps ready for a connection: three are written for any number of rows up to 64."""
_WRITER = (
    UNTRUSTING,
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
    # KiB. The system keeps the file's pages too; a larger cache made no task faster, and takes long to fill.
    "PRAGMA cache_size = -16384",
    # Pages of the log, 32 MB, after which they are written to their places: most were written again meanwhile.
    "PRAGMA wal_autocheckpoint = 8000",
)
LOG_WRITER = (
    UNTRUSTING,
    "PRAGMA journal_mode = WAL",
    # What is committed is the system's, and outlives this process; see `store.logs`.
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 16777216",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
    "PRAGMA cache_size = -8192",
    # 8 MB: what is written to its places at once is waited for, and commits of tasks may wait for the same disk.
    "PRAGMA wal_autocheckpoint = 2000",
)
"""Of a database with the lines of logs."""
_READER = (
    UNTRUSTING,
    "PRAGMA query_only = ON",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA mmap_size = 0",
)


DRIVERS = sqlite3.Error
"""All errors of the driver's own."""


class DriverFault(Enum):
    """Kinds of error, by what can be done about them."""

    FULL = auto()
    """No room left."""
    AWAY = auto()
    """The database can't be had: locked, unreadable, damaged."""
    EXISTS = auto()
    """A unique index has it already."""
    NO_PARENT = auto()
    """It refers to a row that is not there."""
    TOO_BIG = auto()
    """A value is longer than the database takes."""
    BUG = auto()
    """The statement is wrong."""


_FAULTS = {
    sqlite3.SQLITE_FULL: DriverFault.FULL,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: DriverFault.NO_PARENT,
    sqlite3.SQLITE_CONSTRAINT: DriverFault.EXISTS,
    sqlite3.SQLITE_TOOBIG: DriverFault.TOO_BIG,
}
_FAULTS |= dict.fromkeys(
    (
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    ),
    DriverFault.AWAY,
)


def fault(error: BaseException | None) -> DriverFault:
    """Return what kind of error the driver reports, by its extended code or else its primary one."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return _FAULTS.get(code) or _FAULTS.get(code & 0xFF, DriverFault.BUG)


# For each None and each bytes the driver looks for an adapter, and finds out by two exceptions that there is none. That
# is half the cost of a row; one that returns its argument ends the search. Nothing else changes by it.
_ALWAYS_NONE: dict[None, None] = {}
sqlite3.register_adapter(type(None), _ALWAYS_NONE.get)
sqlite3.register_adapter(bytes, bytes)


def is_safe_release() -> bool:
    """Tell whether SQLite is free of the fault that `OLD_RELEASE` warns of."""
    return sqlite3.sqlite_version_info >= SAFE_RELEASE


def examine(path: Path) -> None:
    """Look at the file before it is used, and mark an empty one as ours; what a killed process left is recovered.

    Raises ConfigurationError when it is no database, another program's, or damaged.
    """
    log = Path(f"{path}-wal")
    check = log.exists() and log.stat().st_size > 0 and path.stat().st_size <= CHECKED_BYTES
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT)) as connection:
        try:
            connection.execute(UNTRUSTING)
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if owner != APPLICATION_ID and (owner or tables):
                raise ConfigurationError(f"{path} is another program's database; set ATLAS_DATA_DIR to another folder")
            if not owner:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            (state,) = connection.execute("PRAGMA quick_check(1)").fetchone() if check else ("ok",)
        except sqlite3.DatabaseError as error:
            state = str(error)
    if state != "ok":
        raise ConfigurationError(f"{path} can't be used ({state}); if it is damaged, restore it from a backup")


def damaged(error: BaseException | None) -> bool:
    """Tell whether the driver says that a file is no database, or not whole."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def writing_engine(path: Path | None, pragmas: tuple[str, ...] = _WRITER) -> Engine:
    """Return an engine with the one connection that writes; None: a database in memory, which ends with it."""
    uri = "file::memory:" if path is None else f"{path.absolute().as_uri()}?mode=rw"
    engine = create_engine(
        "sqlite://", creator=lambda: _connect(uri, pragmas), poolclass=StaticPool, hide_parameters=True
    )
    event.listen(engine, "begin", _BEGIN_WRITING)
    return engine


def reading_engine(path: Path, connections: int) -> Engine:
    """Return an engine with this many connections which can only read."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    engine = create_engine(
        "sqlite://",
        creator=lambda: _connect(uri, _READER),
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        hide_parameters=True,
    )
    event.listen(engine, "begin", _BEGIN_READING)
    return engine


@contextmanager
def unchecked_references(connection: Connection) -> Iterator[None]:
    """Leave foreign keys alone in this block, for a migration that builds a table anew.

    Dropping the old table would else delete, row by row, what refers to it. Begin the transaction inside.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def wait_for_lock(connection: Connection, seconds: float) -> None:
    """Say how long a connection waits, from now on, for a lock that another program holds; 0: it fails at once."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"PRAGMA busy_timeout = {seconds * 1000:.0f}").close()


# The driver itself would begin only before some statements, and never with the lock for writing.
_BEGIN_WRITING = partial(Connection.exec_driver_sql, statement="BEGIN IMMEDIATE")
_BEGIN_READING = partial(Connection.exec_driver_sql, statement="BEGIN")


def _connect(uri: str, pragmas: tuple[str, ...]) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri,
        uri=True,
        timeout=BUSY_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )
    for pragma in pragmas:
        connection.execute(pragma).close()
    return connection
