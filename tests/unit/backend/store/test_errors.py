"""What SQLite says, provoked for real, becomes an error that can be acted on, without a word of what was stored."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from agentic_atlas.backend.store.errors import domain_error
from agentic_atlas.errors import AtlasError, Conflict, InvalidInput, NotFound, PayloadTooLarge, Unavailable
from tests.unit.backend.store.conftest import driver

SECRET = "what a user wrote"
USER = "INSERT INTO users (id, name, role, created_at) VALUES (?, ?, 'member', 0)"
KEY = "INSERT INTO api_keys (id, user_id, name, digest, created_at) VALUES (?, ?, 'n', x'00', 0)"


def failing(engine: Engine, *statements: tuple[str, Sequence[object]]) -> Exception:
    """Run the statements in one transaction and return what the failing one becomes."""
    try:
        with engine.begin() as connection:
            for statement, parameters in statements:
                connection.exec_driver_sql(statement, tuple(parameters))
    except (SQLAlchemyError, UnicodeEncodeError, OverflowError) as error:
        assert SECRET not in str(error)
        return domain_error(error)
    raise AssertionError("nothing failed")


def test_a_name_that_is_taken_is_a_conflict(engine: Engine) -> None:
    error = failing(engine, (USER, ("u1", SECRET)), (USER, ("u2", SECRET)))
    assert type(error) is Conflict
    assert SECRET not in str(error)


def test_an_id_that_is_taken_is_a_conflict(engine: Engine) -> None:
    assert type(failing(engine, (USER, ("u1", "a")), (USER, ("u1", "b")))) is Conflict


def test_what_belongs_to_nothing_is_not_found(engine: Engine) -> None:
    assert type(failing(engine, (KEY, ("k1", SECRET)))) is NotFound


def test_no_room_is_unavailable_for_a_while(engine: Engine) -> None:
    (pages,) = driver(engine).execute("PRAGMA page_count").fetchone()
    driver(engine).execute(f"PRAGMA max_page_count = {pages + 1}")
    error = failing(engine, (USER, ("u1", SECRET * 10_000)))
    assert isinstance(error, Unavailable)
    assert error.code == "storage_full"
    assert error.retry_after > 0


def test_a_database_that_cant_be_written_is_unavailable(engine: Engine) -> None:
    driver(engine).execute("PRAGMA query_only = ON")
    error = failing(engine, (USER, ("u1", SECRET)))
    assert isinstance(error, Unavailable)
    assert error.code == "store_unavailable"


def test_a_value_beyond_what_the_database_takes_is_too_large(engine: Engine) -> None:
    driver(engine).setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000)
    assert type(failing(engine, (USER, ("u1", "x" * 2_000)))) is PayloadTooLarge


def test_half_a_surrogate_pair_is_invalid_input(engine: Engine) -> None:
    assert type(failing(engine, (USER, ("u1", "\ud800")))) is InvalidInput


def test_a_number_beyond_64_bits_is_invalid_input(engine: Engine) -> None:
    assert type(failing(engine, (USER, ("u1", 2**70)))) is InvalidInput


def test_a_wrong_statement_is_a_fault_of_ours(engine: Engine) -> None:
    error = failing(engine, ("SELECT nothing FROM nowhere", ()))
    assert type(error) is AtlasError
    assert error.code == "internal"


@pytest.mark.parametrize("error", [LookupError("x"), Conflict("x"), Unavailable("x")])
def test_what_the_database_did_not_say_stays_as_it_is(error: Exception) -> None:
    assert domain_error(error) is error
