"""A copy of the whole database as it is at one moment, made while it is written to.

SQLite's own backup copies page after page through a connection that can only read, within one transaction: so it sees
one state however long it takes, the writer goes on beside it, and nothing here writes to the database or checkpoints
(see `sqlite`). Meanwhile the write-ahead log can't begin anew; it grows by what is written during the copy.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.store.errors import domain_error, driver_error
from agentic_atlas.backend.store.migrations import revision_of
from agentic_atlas.backend.store.readers import PooledReaders
from agentic_atlas.backend.store.shape import Part, shape_at, shape_of
from agentic_atlas.backend.store.sqlite import APPLICATION_ID, UNTRUSTING, examine, reading_engine
from agentic_atlas.errors import AtlasError, ConfigurationError

STEP = 8 * 1024 * 1024
"""Bytes copied before the disk is waited for: what piles up would make commits wait for it at once."""

Told = Callable[[int], None]
T = TypeVar("T")


class Copied(NamedTuple):
    """What a copy, or the database it is of, says of itself."""

    schema: str
    """Its revision."""
    network: str
    """The network's id."""


def copier(path: Path) -> PooledReaders:
    """Return what copies run on: a thread and a connection of their own, and a second one is not taken meanwhile."""
    return PooledReaders(reading_engine(path, 1), threads=1, most_waiting=0)


def copy(connection: Connection, target: Path, told: Told) -> Copied:
    """Copy the database into `target`, a file that is made anew (0600); see `SqlStore.copy`.

    The copy is checked before this returns: a damaged database shall not go on in backups that seem good.
    """
    copied = _said(connection)  # the first read of the transaction: from here on it sees one state
    source = connection.connection.driver_connection
    assert isinstance(source, sqlite3.Connection)
    # Whatever is there is somebody else's, or a rest: the copy is a file of its own.
    target.unlink(missing_ok=True)
    file = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with _driver_errors():
            if _in_memory(source):
                _copy_memory(source, target, told)
            else:
                _copy_pages(source, target, file, told)
        os.fsync(file)
    finally:
        os.close(file)
    return copied


def copy_closed(path: Path, target: Path, told: Told) -> Copied:
    """Copy the database of a store that is not open; the caller holds its lock. Raises as `open_store` and `copy` do.

    Its schema stays as it is: what is copied before an upgrade can be put back under the older version.
    """
    return read_closed(path, lambda connection: copy(connection, target, told))


def describe(path: Path) -> Copied:
    """Return what the database of a store that is not open says of itself; the caller holds its lock."""
    return read_closed(path, _said)


def check(path: Path, schema: str) -> Copied:
    """Read all of a database that no process has open; return what it says of itself.

    Args:
        path: of the database.
        schema: revision that it should be of, a known one; only what that has may be in it.

    Raises:
        ConfigurationError: it is damaged, of another schema, or none of ours.
    """
    uri = f"{path.absolute().as_uri()}?immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute(UNTRUSTING)
            (owner,) = connection.execute("PRAGMA application_id").fetchone()
            # Before anything is read from a table: in a view's place, reading is running.
            _check_shape(path, shape_of(connection), schema)
            if (state := _state(connection, "integrity_check")) != "ok":
                raise _unusable(path, state)
            (said,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            (network,) = connection.execute("SELECT id FROM network").fetchone()
    except (sqlite3.Error, TypeError) as error:  # TypeError: no row where there has to be one
        raise _unusable(path, str(error)) from None
    if owner != APPLICATION_ID:
        raise _unusable(path, "it is another program's database")
    return Copied(said, network)


def _check_shape(path: Path, found: frozenset[Part], schema: str) -> None:
    expected = shape_at(schema)
    odd = sorted((part[:2] for part in found ^ expected), key=str)
    if odd:
        kind, name = odd[0]
        raise _unusable(path, f"it is not made as schema {schema} is: look at {kind} {name}")


def read_closed(path: Path, read: Callable[[Connection], T]) -> T:
    """Return what `read` finds in the database of a store that is not open; the caller holds its lock.

    Raises as `open_store` does.
    """
    examine(path)
    engine = reading_engine(path, 1)
    try:
        with engine.connect() as connection:
            return read(connection)
    except SQLAlchemyError as error:
        raise domain_error(error) from error
    finally:
        engine.dispose()


def _copy_memory(source: sqlite3.Connection, target: Path, told: Told) -> None:
    data = source.serialize()
    told(len(data))
    target.write_bytes(data)
    with closing(sqlite3.connect(target)) as copy:
        copy.execute(f"PRAGMA application_id = {APPLICATION_ID}")  # only files are marked as ours


def _copy_pages(source: sqlite3.Connection, target: Path, file: int, told: Told) -> None:
    (page,) = source.execute("PRAGMA page_size").fetchone()
    (pages,) = source.execute("PRAGMA page_count").fetchone()
    told(min(STEP, pages * page))

    def next_step(_status: int, remaining: int, _total: int) -> None:
        os.fsync(file)
        told(min(STEP, remaining * page))

    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as copy:
        # Nobody reads it before it is whole, and `file` is synced here.
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")
        source.backup(copy, pages=STEP // page, progress=next_step)
    with closing(sqlite3.connect(f"{target.absolute().as_uri()}?immutable=1", uri=True)) as copy:
        if (state := _state(copy, "quick_check")) != "ok":
            raise AtlasError(
                f"the database is damaged ({state}): keep the backups there are, stop the network and restore one",
                code="store_damaged",
            )


def _state(connection: sqlite3.Connection, pragma: str) -> str:
    """Return `ok`, or the first fault that is found."""
    return str(connection.execute(f"PRAGMA {pragma}(1)").fetchone()[0])


def _said(connection: Connection) -> Copied:
    schema = revision_of(connection)
    network = connection.exec_driver_sql("SELECT id FROM network").scalar() if schema else None
    if schema is None or not isinstance(network, str):
        raise ConfigurationError("there is no network in this database: nothing is lost without a backup")
    return Copied(schema, network)


def _in_memory(connection: sqlite3.Connection) -> bool:
    return not connection.execute("PRAGMA database_list").fetchone()[2]


def _unusable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(f"{path.name} can't be used ({why}): use another backup", code="backup_damaged")


@contextmanager
def _driver_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise driver_error(error) from error
