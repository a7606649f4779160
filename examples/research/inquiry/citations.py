"""Where each statement of a report comes from, numbered from 1; the same place has one number."""

from __future__ import annotations

from dataclasses import dataclass, replace

from inquiry import markdown
from inquiry.known import Hit, Position
from inquiry.query import Query


@dataclass(frozen=True)
class Citation:
    """A place in a file of somebody's machine.

    For a passage of a document: `position` and `quote`. For an answer of a table: `table` and the `sql` it was asked.
    """

    number: int
    agent: str
    file: str
    position: Position | None = None
    quote: str = ""
    table: str = ""
    sql: str = ""


class Citations:
    """The citations of one report."""

    def __init__(self) -> None:
        self.all: list[Citation] = []

    def passage(self, agent: str, hit: Hit) -> Citation:
        """The citation of a passage."""
        return self._numbered(Citation(0, agent, hit.file, hit.position, quote=hit.snippet))

    def rows(self, agent: str, query: Query, sql: str) -> Citation:
        """The citation of an answer of a table."""
        sheet = f", sheet {query.table.sheet}" if query.table.sheet else ""
        return self._numbered(Citation(0, agent, f"{query.table.file}{sheet}", table=query.table.name, sql=sql))

    def _numbered(self, new: Citation) -> Citation:
        for old in self.all:
            if (old.agent, old.file, old.position, old.sql) == (new.agent, new.file, new.position, new.sql):
                return old
        self.all.append(replace(new, number=len(self.all) + 1))
        return self.all[-1]


def place(citation: Citation) -> str:
    """File and position for people: `lease.pdf, page 3`."""
    position = citation.position
    where = f", {position.unit} {position.number}" if position else ""
    return f"{markdown.plain(citation.file)}{where}"


def line(citation: Citation) -> str:
    """The citation as a line of the list of sources."""
    asked = f": {markdown.code(citation.sql)}" if citation.sql else ""
    return f"{citation.number}. {place(citation)} ({citation.agent}{asked})"
