"""DuckDB, opened for files of ours or locked for SQL of others.

A locked connection sees the views it was given and nothing else of this machine: no file, no network, no extension, no
variable of Python, no setting it could change. One statement is run on it, in a transaction that cannot write.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from tables.errors import BadSql, QueryFailed, TooMuchMemory, TooSlow
from tables.limits import Limits
from tables.sql import identifier, literal, parquet, pattern, told


@contextmanager
def opened(megabytes: int, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory of at most so many megabytes, that spills nothing to disk and loads no extension."""
    connection = duckdb.connect(
        config={
            "memory_limit": f"{megabytes}MB",
            "threads": threads,
            "temp_directory": "",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_persistent_secrets": False,
            "python_enable_replacements": False,
        }
    )
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Locked:
    """A connection for SQL of others. `views` says where the tables are that it sees."""

    connection: duckdb.DuckDBPyConnection
    views: Mapping[str, Path]
    limits: Limits

    @contextmanager
    def bounded(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Interrupts what the block runs at the time limit, and says in our words why there is no answer.

        Raises BadSql, TooSlow and TooMuchMemory.
        """
        late = threading.Event()

        def stop() -> None:
            late.set()
            self.connection.interrupt()

        timer = threading.Timer(self.limits.query_seconds, stop)
        timer.daemon = True
        timer.start()
        try:
            yield self.connection
        except (duckdb.OutOfMemoryException, MemoryError) as error:
            raise TooMuchMemory(f"the query needs more than {self.limits.memory_megabytes} MB of memory") from error
        except duckdb.Error as error:
            if late.is_set() or isinstance(error, duckdb.InterruptException):
                raise TooSlow(f"the query was stopped after {self.limits.query_seconds:g} seconds") from error
            raise BadSql(told(error, *self.views.values())) from error
        finally:
            timer.cancel()


@contextmanager
def locked(views: Mapping[str, Path], limits: Limits) -> Iterator[Locked]:
    """A database whose views are these Parquet files, and which can reach nothing else; in a read-only transaction.

    Raises QueryFailed when one of the files cannot be read any more.
    """
    with opened(limits.memory_megabytes, limits.threads) as connection:
        try:
            for name, path in views.items():
                connection.execute(f"CREATE VIEW {identifier(name)} AS SELECT * FROM {parquet(path)}")  # noqa: S608
        except duckdb.Error as error:
            raise QueryFailed(f"a table cannot be read any more: {told(error, *views.values())}") from error
        # As the views name them, and as they are called: DuckDB asks for both.
        allowed = {form for path in views.values() for form in (pattern(path), str(path))}
        paths = ", ".join(literal(path) for path in sorted(allowed))
        connection.execute(f"SET allowed_paths = [{paths}]")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        yield Locked(connection, views, limits)
