"""A query as SQL for DuckDB, and the look for values that comes before it.

Every name is quoted and every value is a literal: nothing of a question is ever syntax.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product

from inquiry.known import Column, Kind
from inquiry.query import Figure, Filter, Function, Group, Query
from inquiry.words import fold, forms

MOST_PROBED_COLUMNS = 12
MOST_PROBED_VALUES = 12

_FUNCTIONS = {
    Function.COUNT: "count({})",
    Function.DISTINCT: "count(DISTINCT {})",
    Function.SUM: "sum({})",
    Function.AVERAGE: "avg({})",
    Function.MEDIAN: "median({})",
    Function.LEAST: "min({})",
    Function.MOST: "max({})",
}
EXACT, WITHIN = "is", "mentions"
"""Tests of texts: the whole text of a cell, or words in it."""


def select(query: Query) -> str:
    """The query as one SELECT. It gives one line more than `query.limit`, which shows whether there are more."""
    grouped = [_group(group) for group in query.groups]
    figures = [_named(_figure(figure), figure.label) for figure in query.figures]
    shown = [_named(value, group.label) for value, group in zip(grouped, query.groups, strict=True)]
    columns = [*shown, *figures] or [identifier(column.name) for column in query.shown]
    parts = [f"SELECT {', '.join(columns)}", f"FROM {identifier(query.table.name)}"]
    if conditions := _conditions(query):
        parts.append(f"WHERE {' AND '.join(conditions)}")
    if grouped and figures:
        parts.append(f"GROUP BY {', '.join(grouped)}")
    if order := _order(query):
        parts.append(f"ORDER BY {order}")
    return " ".join([*parts, f"LIMIT {query.limit + 1}"])


def probe(table: str, columns: Sequence[Column], values: Sequence[str]) -> str:
    """A SELECT of one line: for each value and column, in how many rows it is the whole text and a part of it."""
    looks = [
        f"count(*) FILTER (WHERE {_text(column, test, value)})"
        for value, column, test in product(values, columns, (EXACT, WITHIN))
    ]
    return f"SELECT {', '.join(looks)} FROM {identifier(table)}"  # noqa: S608 - names and values are quoted


def probed(columns: Sequence[Column], values: Sequence[str], row: Sequence[object]) -> dict[str, Filter]:
    """What the line that `probe` gives says: the condition that each value stands for. Values of no row are left out.

    The whole text of a cell counts more than a part of one.
    """
    found: dict[str, dict[str, list[Column]]] = {}
    for (value, column, test), rows in zip(product(values, columns, (EXACT, WITHIN)), row, strict=False):
        if isinstance(rows, int) and rows > 0:
            found.setdefault(value, {}).setdefault(test, []).append(column)
    return {
        value: Filter(tuple(tests.get(EXACT) or tests[WITHIN]), EXACT if EXACT in tests else WITHIN, value)
        for value, tests in found.items()
    }


def probed_columns(columns: Sequence[Column]) -> list[Column]:
    """The columns in which values are looked for: texts, and numbers that are names."""
    fitting = [
        column for column in columns if column.kind is Kind.TEXT or (column.is_key and column.kind is Kind.NUMBER)
    ]
    return fitting[:MOST_PROBED_COLUMNS]


def identifier(name: str) -> str:
    """A name in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("\0", " ").replace("'", "''") + "'"


def _named(value: str, label: str) -> str:
    return value if value == identifier(label) else f"{value} AS {identifier(label)}"


def _figure(figure: Figure) -> str:
    if figure.column is None:
        return "count(*)"
    value = _FUNCTIONS[figure.function].format(identifier(figure.column.name))
    return f"round({value}, 4)" if figure.function in (Function.AVERAGE, Function.MEDIAN) else value


def _group(group: Group) -> str:
    name = identifier(group.column.name)
    return f"CAST(date_trunc({literal(group.grain)}, {name}) AS DATE)" if group.grain else name


def _order(query: Query) -> str:
    if query.order is None:
        # Without a wish: time goes on, and of anything else the greatest first.
        places = ", ".join(str(place) for place in range(1, len(query.groups) + 1))
        if not query.figures or any(group.grain for group in query.groups):
            return places
        return f"{len(query.groups) + 1} DESC NULLS LAST, {places}" if places else ""
    way = "DESC" if query.order.descending else "ASC"
    by = query.order.by
    value = _figure(by) if isinstance(by, Figure) else identifier(by.name)
    return f"{value} {way} NULLS LAST"


def _conditions(query: Query) -> list[str]:
    conditions = [
        f"({' OR '.join(_condition(column, condition) for column in condition.columns)})" for condition in query.filters
    ]
    if query.order is not None and isinstance(query.order.by, Column):
        conditions.append(f"{identifier(query.order.by.name)} IS NOT NULL")
    return conditions


def _condition(column: Column, condition: Filter) -> str:
    name = identifier(column.name)
    if condition.test in (EXACT, WITHIN):
        return _text(column, condition.test, condition.value)
    part, _, sign = condition.test.rpartition(" ")
    if part == "date":
        return f"CAST({name} AS DATE) {sign} DATE {literal(condition.value)}"
    return f"{part}({name}) {sign} {float(condition.value):g}" if part else f"{name} {sign} {_number(condition.value)}"


def _number(value: str) -> str:
    return repr(float(value)).removesuffix(".0")


def _text(column: Column, test: str, value: str) -> str:
    text = f"strip_accents(lower(CAST({identifier(column.name)} AS VARCHAR)))"
    if test == EXACT:
        return f"{text} IN ({', '.join(literal(form) for form in sorted(forms(fold(value))))})"
    edge = r"[^\pL\pN]"
    return f"regexp_matches({text}, {literal(f'(^|{edge}){re.escape(fold(value))}($|{edge})')})"
