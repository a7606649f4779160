"""The stores that the suite runs against: each test once with each of them, new and empty."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from secrets import token_bytes

import pytest

from agentic_atlas.auth.sealing import SEALING_KEY_BYTES, Seal
from agentic_atlas.backend.ports import Store
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.memory import MemoryStore
from tests.conformance.store.samples import NOW, Numbered

Open = Callable[[], AbstractAsyncContextManager[Store]]


@asynccontextmanager
async def dictionaries() -> AsyncIterator[Store]:
    yield MemoryStore(Numbered())


DATABASES = ("file", "SQLite in memory")


@pytest.fixture(params=[*DATABASES, "memory"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """What opens the store."""
    if request.param == "memory":
        return dictionaries
    path = tmp_path / "atlas.db" if request.param == "file" else None
    return lambda: open_store(path, clock=lambda: NOW, ids=Numbered(), seal=Seal(bytes(SEALING_KEY_BYTES), token_bytes))
