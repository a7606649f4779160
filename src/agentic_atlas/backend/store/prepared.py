"""Statements of the write path: compiled once for a database, then run with plain tuples.

SQLAlchemy's own cache of compiled statements still costs a look-up at each use and a conversion of every parameter of
every row; here that is done once, and rows go to the driver itself. They are written many to a statement: at the end of
each statement SQLite's driver lets other threads run, and a busy event loop gives the turn back only after
`sys.getswitchinterval()`, so a statement for each row would make the writer wait for each row.
"""

import re
from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.sql import ClauseElement

from agentic_atlas.backend.store.rows import Row

_ROW = re.compile(r"VALUES (\([^()]*\))")
_MOST_ROWS = 64
_HEAVY = 64 * 1024
"""Bytes of a value above which each row is written alone: the parameters of a statement are all copied at once."""


class Prepared:
    """A statement in the words of one database."""

    def __init__(
        self,
        dialect: Dialect,
        statement: ClauseElement,
        parameters: Sequence[str],
        columns: Sequence[str] = (),
        payloads: Sequence[int] = (),
    ) -> None:
        """Compile the statement.

        Args:
            dialect: of the database.
            statement: with `bindparam`s, or an insert without values.
            parameters: names of all parameters, in the order in which they stand in the text.
            columns: what an insert writes, in the order of the table.
            payloads: places of the parameters that may be long.
        """
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(columns) or None)
        self.text = str(compiled)
        """In the words of the database."""
        self._names = None if compiled.positional else tuple(parameters)
        self._payloads = tuple(payloads)
        self._texts: dict[int, str] = {}
        if compiled.positional:
            assert tuple(compiled.positiontup) == tuple(parameters), compiled.positiontup

    def all(self, connection: Connection, row: Row) -> Sequence[Row]:
        """Run it with one row of parameters and return what it finds."""
        return connection.exec_driver_sql(self.text, self._parameters(row)).fetchall()

    def many(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Run a statement with `VALUES` for all rows; nothing for none."""
        if not rows:
            return
        cursor = connection.connection.cursor()
        if self._names is not None or any(map(self._is_heavy, rows)):
            cursor.executemany(self.text, [self._parameters(row) for row in rows])
            return
        start = 0
        while start < len(rows):
            # Powers of two: few different texts, all of which the driver keeps ready.
            size = min(_MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
            parameters = tuple(chain.from_iterable(rows[start : start + size]))
            cursor.execute(self._texts.get(size) or self._repeated(size), parameters)
            start += size

    def _parameters(self, row: Row) -> Any:
        return tuple(row) if self._names is None else dict(zip(self._names, row, strict=True))

    def _repeated(self, size: int) -> str:
        self._texts[size] = _ROW.sub(lambda row: f"VALUES {', '.join([row[1]] * size)}", self.text)
        return self._texts[size]

    def _is_heavy(self, row: Row) -> bool:
        return any((value := row[place]) is not None and len(value) > _HEAVY for place in self._payloads)
