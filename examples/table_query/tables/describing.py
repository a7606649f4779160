"""What the columns of a table hold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tables.engine import Locked
from tables.sql import identifier
from tables.table import Described
from tables.values import Values

MOST_DESCRIBED: Final = 200
"""Columns that are described; a table may have more."""
_LOOKED_AT: Final = 200
"""Rows from which examples are taken."""
_EXAMPLES: Final = 3
_LONGEST: Final = 200
_NESTED: Final = ("STRUCT", "MAP", "UNION", "VARIANT", "JSON", "GEOMETRY")


def describe(locked: Locked, table: str) -> list[Described]:
    """Nulls, range and examples of the first `MOST_DESCRIBED` columns. Raises what `Locked.bounded` does."""
    with locked.bounded() as connection:
        kinds = connection.execute(f"DESCRIBE {identifier(table)}").fetchall()[:MOST_DESCRIBED]
        columns = [(str(name), str(kind)) for name, kind, *_ in kinds]
        chosen = ", ".join(identifier(name) for name, _ in columns)
        first = connection.execute(f"SELECT {chosen} FROM {identifier(table)} LIMIT {_LOOKED_AT}").fetchall()  # noqa: S608
        told = ", ".join(_aggregates(name, kind) for name, kind in columns)
        facts = connection.execute(f"SELECT count(*), {told} FROM {identifier(table)}").fetchone()  # noqa: S608
    assert facts is not None, "an aggregate without GROUP BY gives one row"
    return [
        _described(name, kind, facts[0], facts[1 + place * 4 : 5 + place * 4], [row[place] for row in first])
        for place, (name, kind) in enumerate(columns)
    ]


def _described(name: str, kind: str, rows: int, facts: Sequence[Any], first: list[object]) -> Described:
    values = Values(_LONGEST)
    filled, distinct, least, most = facts
    return Described(
        name=name,
        type=kind[:_LONGEST],
        nulls=rows - filled,
        distinct=distinct,
        minimum=values.json(least),
        maximum=values.json(most),
        examples=_examples([values.json(value) for value in first]),
    )


def _aggregates(name: str, kind: str) -> str:
    column = identifier(name)
    if kind.endswith("]") or kind.startswith(_NESTED):
        return f"count({column}), NULL, NULL, NULL"
    return f"count({column}), approx_count_distinct({column}), min({column}), max({column})"


def _examples(values: list[object]) -> list[object]:
    found: list[object] = []
    for value in values:
        if value is not None and value not in found:
            found.append(value)
        if len(found) == _EXAMPLES:
            break
    return found
