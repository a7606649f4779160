"""What a database is made of: so that one from elsewhere holds what its revision has, and nothing else.

A trigger or a view does things that nobody sees in any list: of those that belong there every word is compared. Other
texts of statements are not, for they differ with the library that wrote them: what they came to is.
"""

import sqlite3
from collections.abc import Iterator

from agentic_atlas.backend.store import sqlite

Part = tuple[object, ...]

_SQLITES_OWN = frozenset(("sqlite_sequence", "sqlite_stat1", "sqlite_stat4"))
_COLUMNS = 'SELECT name, upper(type), "notnull", pk, hidden FROM pragma_table_xinfo(?)'
_REFERENCES = 'SELECT "from", "table", "to", on_update, on_delete FROM pragma_foreign_key_list(?)'
_INDEXES = 'SELECT name, "unique", origin, partial FROM pragma_index_list(?)'
_INDEXED = "SELECT cid, name, desc FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno"


def shape_of(connection: sqlite3.Connection) -> frozenset[Part]:
    """Return all that the database is made of, each part with its kind and name. Reads its schema and no row."""
    return frozenset(_parts(connection))


def shape_at(revision: str) -> frozenset[Part]:
    """Return what a database of this revision is made of; the revision is a known one."""
    # Takes long to load, and nothing else of a start needs it.
    from agentic_atlas.backend.store.migrations.upgrade import upgrade

    engine = sqlite.writing_engine(None)
    try:
        upgrade(engine, to=revision)
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            return shape_of(driver)
    finally:
        engine.dispose()


def _parts(connection: sqlite3.Connection) -> Iterator[Part]:
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchall():
        if kind == "table" and name in _SQLITES_OWN:
            continue
        if kind != "index":  # those are told with their tables, for some have no name of their own
            yield (kind, name, sql) if kind == "trigger" else (kind, name)
        if kind == "table":
            yield "kind", name, "virtual" if sql.lstrip()[:14].upper() == "CREATE VIRTUAL" else "plain"
            yield from (("column", name, *row) for row in connection.execute(_COLUMNS, (name,)))
            yield from (("reference", name, *row) for row in connection.execute(_REFERENCES, (name,)))
            for index, *facts in connection.execute(_INDEXES, (name,)).fetchall():
                yield "index", name, *facts, *connection.execute(_INDEXED, (index,)).fetchall()
