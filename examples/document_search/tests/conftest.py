"""Makes the example's own modules importable, as they are when it runs in its folder, and opens catalogs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).resolve().parent
for _folder in (_HERE, _HERE.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from document_catalogs import Filled, OpenCatalog  # noqa: E402
from library.catalog import Catalog  # noqa: E402
from library.document import Limits  # noqa: E402


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of documents."""
    path = tmp_path / "documents"
    path.mkdir()
    return path


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the index will be."""
    return tmp_path / "index" / "index.sqlite3"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Makes a folder of these texts, and opens a catalog of it that has read them; for all tests of a module."""
    catalogs: list[Catalog] = []

    def fill(files: dict[str, str]) -> Catalog:
        home = tmp_path_factory.mktemp("filled")
        for name, text in files.items():
            file = home / "documents" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        catalogs.append(Catalog(home / "documents", home / "index.sqlite3"))
        list(catalogs[-1].refresh())
        return catalogs[-1]

    yield fill
    for catalog in catalogs:
        catalog.close()


@pytest.fixture
def opened(folder: Path, database: Path) -> Iterator[OpenCatalog]:
    """Opens catalogs of the folder, and closes them after the test."""
    catalogs: list[Catalog] = []

    def open_one(limits: Limits | None = None, *, of: Path = folder) -> Catalog:
        catalogs.append(Catalog(of, database, limits))
        return catalogs[-1]

    yield open_one
    for catalog in catalogs:
        catalog.close()
