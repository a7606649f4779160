"""Values of DuckDB come out as JSON that no reader rounds, and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tables.engine import Locked, locked
from tables.limits import Limits
from tables.selecting import select
from tables.values import Values


@pytest.fixture(scope="module")
def database() -> Iterator[Locked]:
    with locked({}, Limits(cell_characters=50)) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("9007199254740992", 9007199254740992),
        ("9007199254740993", "9007199254740993"),
        ("170141183460469231731687303715884105727::HUGEINT", "170141183460469231731687303715884105727"),
        ("1.5", 1.5),
        ("1234567890123.45::DECIMAL(20, 2)", 1234567890123.45),
        ("12345678901234567890.12::DECIMAL(30, 2)", "12345678901234567890.12"),
        ("'nan'::DOUBLE", None),
        ("'-infinity'::DOUBLE", None),
        ("DATE '2024-02-29'", "2024-02-29"),
        ("TIME '08:30:00.5'", "08:30:00.500000"),
        ("TIMESTAMP '2024-02-29 08:30:00'", "2024-02-29T08:30:00"),
        ("DATE '200000-01-01'", "200000-01-01"),
        ("INTERVAL '3 days 90 seconds'", "P3DT90S"),
        ("INTERVAL '3 days'", "P3D"),
        ("'abc'::BLOB", "616263"),
        ("'101'::BIT", "101"),
        ("'8a5b8d2e-0c4e-4e4e-9b1a-000000000001'::UUID", "8a5b8d2e-0c4e-4e4e-9b1a-000000000001"),
        ("{'a': [1, NULL], 'b': DATE '2024-01-01'}", {"a": [1, None], "b": "2024-01-01"}),
        ("MAP {1: 'x'}", {"1": "x"}),
        ("['nan'::FLOAT]", [None]),
        ("repeat('ä', 60)", "ä" * 50 + "…"),
    ],
)
def test_a_value_is_told_as_json(database: Locked, sql: str, value: object) -> None:
    answer = select(database, f"SELECT {sql} AS v", 1)
    assert json.loads(json.dumps(answer.rows, allow_nan=False)) == [[value]]


def test_a_moment_with_a_time_zone_keeps_it(database: Locked) -> None:
    answer = select(
        database, "SELECT epoch(TIMESTAMPTZ '2024-02-29 08:30:00+02'), TIMESTAMPTZ '2024-02-29 08:30:00+02'", 1
    )
    assert answer.rows[0][0] == 1709188200
    assert isinstance(answer.rows[0][1], str)
    assert answer.columns[1].type == "TIMESTAMP WITH TIME ZONE"


def test_a_value_that_is_nested_without_end_is_told_as_text() -> None:
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    values = Values(20)
    told = json.dumps(values.json(nested))
    assert told.count("[") == 16 + 20
    assert values.cut == 1
