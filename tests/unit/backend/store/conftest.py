"""A database in memory with the schema in it, copied for each test from one that was made once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache

import pytest
from sqlalchemy import Engine

from agentic_atlas.backend.store.sqlite import writing_engine
from agentic_atlas.backend.store.tables import metadata


@cache
def _schema() -> bytes:
    engine = writing_engine(None)
    metadata.create_all(engine)
    with engine.connect() as connection:
        copy = driver(engine).serialize()
        connection.rollback()
    engine.dispose()
    return copy


def driver(engine: Engine) -> sqlite3.Connection:
    """Return the engine's one connection."""
    with engine.connect() as connection:
        found = connection.connection.driver_connection
    assert isinstance(found, sqlite3.Connection)
    return found


def new_engine() -> Engine:
    """Return an engine on an empty database of its own."""
    engine = writing_engine(None)
    driver(engine).deserialize(_schema())
    return engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = new_engine()
    yield engine
    engine.dispose()
