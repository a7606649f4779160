"""Makes the example's own modules importable, as they are when it runs in its folder, and keeps tables to ask."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from research_samples import ROWS, Shop  # noqa: E402


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """Two real tables: orders, and the customers who made them."""
    with duckdb.connect(config={"threads": 1}) as connection:
        for statement in ROWS:
            connection.execute(statement)
        yield Shop(connection)
