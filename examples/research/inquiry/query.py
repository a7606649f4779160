"""A question to one table, before it is SQL."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from inquiry import markdown
from inquiry.known import Column, Table

MOST_GROUPS = 20
_SPOKEN = {"year =": "in", "date =": "on", "month =": "in month"}
MOST_ROWS = 10


class Function(StrEnum):
    """What is computed; the value is how it is called in a report."""

    COUNT = "count"
    DISTINCT = "different"
    SUM = "total"
    AVERAGE = "average"
    MEDIAN = "median"
    LEAST = "lowest"
    MOST = "highest"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number (or date) to compute; without a column it counts rows."""

    function: Function
    column: Column | None = None

    @property
    def label(self) -> str:
        """How it is called in the answer."""
        return str(self.function) if self.column is None else f"{self.function} {self.column.name}"


@dataclass(frozen=True, slots=True)
class Group:
    """One line of the answer for each value of a column, or for each `grain` (`month`, …) of a date."""

    column: Column
    grain: str = ""

    @property
    def label(self) -> str:
        """How it is called in the answer."""
        return f"{self.grain} of {self.column.name}" if self.grain else self.column.name

    @property
    def told(self) -> str:
        """The group for people; Markdown."""
        name = markdown.code(self.column.name)
        return f"{self.grain} of {name}" if self.grain else name


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition; of several columns one has to fulfil it.

    `test` is `is` or `mentions` for texts, `=`, `<`, `<=`, `>`, `>=` for numbers, the same after `year`, `month` or
    `date` for dates.
    """

    columns: tuple[Column, ...]
    test: str
    value: str

    @property
    def told(self) -> str:
        """The condition for people; Markdown."""
        names = " or ".join(markdown.code(column.name) for column in self.columns)
        return f"{names} {_SPOKEN.get(self.test, self.test)} {markdown.plain(self.value, 100)}"


@dataclass(frozen=True, slots=True)
class Order:
    """The greatest or the least first: of a figure, or of a column where rows are listed."""

    by: Figure | Column
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Query:
    """A question to one table: figures for groups of rows, or the rows themselves when there are no figures.

    `shown` are the columns of rows that are listed. `notes` say what was assumed, for the report.
    """

    table: Table
    figures: tuple[Figure, ...] = ()
    groups: tuple[Group, ...] = ()
    filters: tuple[Filter, ...] = ()
    shown: tuple[Column, ...] = ()
    order: Order | None = None
    limit: int = MOST_GROUPS
    notes: tuple[str, ...] = ()

    def narrowed(self, filters: tuple[Filter, ...], notes: tuple[str, ...]) -> Query:
        """The same with more conditions."""
        return replace(self, filters=(*self.filters, *filters), notes=(*self.notes, *notes))

    @property
    def told(self) -> str:
        """What is asked, for people; Markdown."""
        what = ", ".join(self._figure(figure) for figure in self.figures) or f"rows of {markdown.code(self.table.name)}"
        per = f" for each {', '.join(group.told for group in self.groups)}" if self.groups else ""
        where = f", where {' and '.join(condition.told for condition in self.filters)}" if self.filters else ""
        return f"{what}{per}{where}{self._ordered}"

    @property
    def _ordered(self) -> str:
        if self.order is None or isinstance(self.order.by, Figure):
            return ""
        return f", the {'greatest' if self.order.descending else 'least'} {markdown.code(self.order.by.name)} first"

    def _figure(self, figure: Figure) -> str:
        if figure.column is None:
            return f"number of rows of {markdown.code(self.table.name)}"
        name = markdown.code(figure.column.name)
        return f"number of different {name}" if figure.function is Function.DISTINCT else f"{figure.function} {name}"
