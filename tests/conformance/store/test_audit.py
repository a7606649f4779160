"""Promises of `AuditLog`: rows follow one another, each with the hash of the one before, and none is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest
from msgspec.structs import replace
from sqlalchemy.exc import DBAPIError

from agentic_atlas.backend.domain.audit import BROKEN, SYSTEM, AuditEvent, genesis, hash_of
from agentic_atlas.backend.ports import AuditFilter, Store
from agentic_atlas.backend.store.database import open_store
from agentic_atlas.backend.store.sqlite import writing_engine
from agentic_atlas.errors import AtlasError
from agentic_atlas.protocol.caller.audit import AuditActor, AuditObject
from tests.conformance.store.conftest import Open
from tests.conformance.store.samples import NOW, Numbered

ADA = AuditActor(kind="api_key", id="key_1", user_id="usr_ada", name="ada/laptop")
BOB = AuditActor(kind="user", id="usr_bob", user_id="usr_bob", name="bob")
TOKEN = AuditObject(kind="token", id="tok_1", name="vm")


def event(number: int, who: AuditActor = ADA, action: str = "tokens.revoke") -> AuditEvent:
    return AuditEvent(
        at=NOW + number / 8, who=who, action=action, object=TOKEN, address="192.0.2.7", detail={"why": "lost", "n": 1}
    )


async def furnish(store: Store) -> None:
    await store.audit.append([event(1), event(2, BOB)])
    await store.audit.append([event(3, action="tokens.issue"), event(4, action="tokensomething.else")])


async def test_rows_are_numbered_and_each_holds_the_hash_of_the_one_before(opened: Open) -> None:
    async with opened() as store:
        first = genesis(await store.network_id())
        assert await store.audit.head() == first
        await furnish(store)
        rows = await store.audit.after(0, limit=10)
        assert [row.seq for row in rows] == [1, 2, 3, 4]
        assert [row.previous for row in rows] == [first.hash, *[row.hash for row in rows[:-1]]]
        assert [row.hash for row in rows] == [hash_of(row) for row in rows]
        head = await store.audit.head()
        assert (head.seq, head.hash) == (4, rows[-1].hash)


async def test_an_append_has_the_last_row_that_it_wrote(opened: Open) -> None:
    async with opened() as store:
        writes = [store.audit.append([event(1)]), store.audit.append([event(2), event(3)])]
        assert [(await write)[0].seq for write in writes] == [1, 3]
        assert await writes[1] == (await store.audit.head(), None)


def tampered(path: Path, *statements: str) -> None:
    """Do what somebody who has the file can, who knows how to get around the database's refusals."""
    with closing(sqlite3.connect(path)) as connection, connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
        for _, sql in triggers:
            connection.execute(sql)


ADDED = (
    "INSERT INTO audit SELECT seq + 2, at, who_kind, who_id, who_user_id, who_name, action, object_kind, object_id, "
    "object_name, outcome, address, detail, previous, 'new' || seq FROM audit WHERE seq >= 3"
)


@pytest.mark.parametrize(
    ("statements", "why"),
    [
        (["DELETE FROM audit WHERE seq >= 3"], "rows 3 to 4 are not there any more"),
        (["DELETE FROM audit"], "rows 1 to 4 are not there any more"),
        (["UPDATE audit SET hash = 'new' WHERE seq = 4"], "row 4 is another one than it was"),
        ([ADDED], "rows 5 to 6 were not written by this server"),
        ([ADDED, "DELETE FROM audit WHERE seq = 4"], "row 4 is another one than it was"),
    ],
)
async def test_what_somebody_did_to_the_last_rows_while_it_was_open_is_told_by_the_next_one(
    tmp_path: Path, statements: Sequence[str], why: str
) -> None:
    async with open_store(tmp_path / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        tampered(tmp_path / "atlas.db", *statements)
        there = (await store.audit.head()).seq
        writes = [store.audit.append([event(5)]), store.audit.append([event(6), event(7)])]
        assert [found for _, found in [await write for write in writes]] == [why, None]
        rows = await store.audit.after(there, limit=10)
        assert [row.action for row in rows] == [BROKEN, *["tokens.revoke"] * 3]
        assert (rows[0].who.kind, rows[0].outcome, rows[0].detail) == ("system", "broken", {"why": why})
        assert await store.audit.append([event(8)]) == (await store.audit.head(), None), "it is told once"


async def test_what_somebody_did_to_the_last_rows_before_the_first_write_is_told_too(tmp_path: Path) -> None:
    async with open_store(tmp_path / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
    async with open_store(tmp_path / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        tampered(tmp_path / "atlas.db", "DELETE FROM audit WHERE seq = 4")
        assert (await store.audit.append([event(5)]))[1] == "rows 4 to 4 are not there any more"


async def test_a_write_that_failed_is_no_change_of_the_log(tmp_path: Path) -> None:
    async with open_store(tmp_path / "atlas.db", clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        bad = replace(event(5), action=cast("str", None))
        writes = [store.audit.append([event(4)]), store.audit.append([bad]), store.audit.append([event(6)])]
        assert (await writes[0])[1] is None
        with pytest.raises(AtlasError):
            await writes[1]
        assert (await writes[2])[1] is None
        assert (await store.audit.append([event(7)]))[1] is None


async def test_a_row_comes_back_as_it_was(opened: Open) -> None:
    async with opened() as store:
        await store.audit.append([event(1)])
        (row,) = await store.audit.after(0, limit=1)
        assert (row.who, row.object, row.action, row.outcome) == (ADA, TOKEN, "tokens.revoke", "ok")
        assert (row.address, row.detail, row.at.timestamp()) == ("192.0.2.7", {"n": 1, "why": "lost"}, NOW + 0.125)


async def test_rows_are_found_newest_first_page_by_page(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        found = await store.audit.find(AuditFilter(), limit=3)
        assert [row.seq for row in found] == [4, 3, 2]
        assert [row.seq for row in await store.audit.find(AuditFilter(), limit=3, before=2)] == [1]
        assert [row.seq for row in await store.audit.after(2, limit=1)] == [3]


@pytest.mark.parametrize(
    ("which", "seqs"),
    [
        (AuditFilter(action="tokens.revoke"), [2, 1]),
        (AuditFilter(action="tokens"), [3, 2, 1]),
        (AuditFilter(action="tok_ns"), []),
        (AuditFilter(who="usr_bob"), [2]),
        (AuditFilter(who="ada"), [4, 3, 1]),
        (AuditFilter(who="ad"), []),
        (AuditFilter(who="usr_ada"), [4, 3, 1]),
        (AuditFilter(who="ada/laptop", action="tokens"), [3, 1]),
        (AuditFilter(who="system"), [5]),
        (AuditFilter(who="nobody"), []),
        (AuditFilter(who="user"), []),
        (AuditFilter(object="vm"), [4, 3, 2, 1]),
        (AuditFilter(object="tok_2"), []),
        (AuditFilter(since=NOW + 3 / 8), [4, 3]),
        (AuditFilter(until=NOW + 2 / 8), [5, 1]),
        (AuditFilter(since=NOW + 2 / 8, until=NOW + 4 / 8), [3, 2]),
        (AuditFilter(since=NOW + 2, until=NOW + 4), []),
        (AuditFilter(address="192.0.2.7"), [4, 3, 2, 1]),
        (AuditFilter(address="192.0.2.70"), []),
        (AuditFilter(who="ada", object="vm", action="tokens", address="192.0.2.7"), [3, 1]),
        (AuditFilter(who="system", action="audit", until=NOW + 1), [5]),
    ],
)
async def test_what_is_looked_for_narrows(opened: Open, which: AuditFilter, seqs: list[int]) -> None:
    async with opened() as store:
        await furnish(store)
        await store.audit.append([AuditEvent(at=NOW, who=SYSTEM, action="audit.lost")])
        assert [row.seq for row in await store.audit.find(which, limit=10)] == seqs


async def test_the_newest_of_many_ways_to_fit_are_found_page_by_page(opened: Open) -> None:
    keys = [AuditActor(kind="api_key", id=f"key_{n}", user_id="usr_ada", name=f"ada/{n:03}") for n in range(300)]
    async with opened() as store:
        await store.audit.append([event(n, who) for n, who in enumerate(keys)])
        await store.audit.append([event(400, BOB)])
        which = AuditFilter(who="ada", since=NOW + 1)
        assert [row.seq for row in await store.audit.find(which, limit=2)] == [300, 299]
        assert [row.seq for row in await store.audit.find(which, limit=9, before=11)] == [10, 9]
        assert [row.seq for row in await store.audit.find(AuditFilter(who="ada/007"), limit=9)] == [8]


async def test_rows_are_older_up_to_the_first_one_that_is_not_and_the_last_one_never_is(opened: Open) -> None:
    async with opened() as store:
        assert await store.audit.older(NOW) == 0
        await store.audit.append([event(1), event(3), event(2), event(4)])
        at = [NOW + number / 8 for number in (0.5, 1.5, 2.5, 3.5, 9)]
        assert [await store.audit.older(before) for before in at] == [0, 1, 1, 3, 3]


async def test_the_oldest_rows_are_removed_and_the_rest_goes_on_as_it_was(opened: Open) -> None:
    async with opened() as store:
        await furnish(store)
        rows = await store.audit.after(0, limit=10)
        assert [await store.audit.drop(2), await store.audit.drop(2)] == [2, 0]
        assert await store.audit.after(0, limit=10) == await store.audit.after(2, limit=10) == rows[2:]
        assert await store.audit.after(3, limit=10) == rows[3:]
        assert await store.audit.find(AuditFilter(), limit=10, before=4) == [rows[2]]
        assert await store.audit.find(AuditFilter(), limit=10, before=2) == []
        assert await store.audit.older(NOW + 9) == 3
        head, _ = await store.audit.append([event(5)])
        assert (head.seq, [row.seq for row in await store.audit.after(0, limit=10)]) == (5, [3, 4, 5])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET outcome = 'ok' WHERE seq = 1",
        "DELETE FROM audit WHERE seq = 2",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq IN (SELECT seq FROM audit WHERE seq < 3 ORDER BY seq)",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1",
        "INSERT INTO audit SELECT 7, at, who_kind, who_id, who_user_id, who_name, action, object_kind, object_id, "
        "object_name, outcome, address, detail, previous, hash FROM audit WHERE seq = 1",
    ],
)
async def test_the_database_refuses_to_change_remove_or_misplace_a_row(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "atlas.db"
    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        await furnish(store)
        before = await store.audit.after(0, limit=10)
    engine = writing_engine(path)
    with pytest.raises(DBAPIError, match="only ever added to"), engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
    async with open_store(path, clock=lambda: NOW, ids=Numbered()) as store:
        assert await store.audit.after(0, limit=10) == before
