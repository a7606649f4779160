"""Makes the example's own modules importable, as they are when it runs in its folder, and makes tables."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from table_samples import OpenTables, Tables, write_parquet  # noqa: E402
from tables.catalog import Catalog  # noqa: E402
from tables.limits import Limits  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of tables."""
    path = tmp_path / "data"
    path.mkdir()
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Where converted tables will be."""
    return tmp_path / "cache"


@pytest.fixture
def open_tables(folder: Path, cache: Path) -> OpenTables:
    """Opens a catalog of the folder."""

    def opened(limits: Limits | None = None) -> Catalog:
        catalog = Catalog(folder, cache)
        catalog.open(limits)
        return catalog

    return opened


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    """A table `sales` of six rows, as the views of a query; and a secret beside it that no query may see."""
    home = tmp_path_factory.mktemp("sales")
    rows = "SELECT range AS id, 'city ' || range % 2 AS city, (range * 1.25)::DECIMAL(8, 2) AS amount FROM range(6)"
    write_parquet(home / "sales.parquet", rows)
    write_parquet(home / "secret.parquet", "SELECT 'sesame' AS secret")
    (home / "secret.csv").write_text("secret\nsesame\n")
    return {"sales": home / "sales.parquet"}
