"""What goes into the audit log, and when; and what a flood of refusals, or a store that fails, makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from agentic_atlas.backend.asked_from import ADDRESS
from agentic_atlas.backend.domain.audit import BROKEN, NOTHING, AuditEvent, ChainHead, genesis
from agentic_atlas.backend.domain.records import ApiKey
from agentic_atlas.backend.engine import audit
from agentic_atlas.backend.engine.audit import AuditTrail
from agentic_atlas.backend.ports import AuditFilter, Write
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.store.memory import MemoryStore
from agentic_atlas.errors import AtlasError, Busy, ConfigurationError, Conflict, Unavailable
from agentic_atlas.protocol.caller.audit import AuditAnchor, AuditArchive, AuditEntry, AuditHead, AuditObject
from tests.unit.backend.network import NOW, Clock, Network, settle
from tests.unit.sdk.memory_log import MemoryLog

pytestmark = pytest.mark.anyio


class Heads:
    """Implements `ports.AuditHeads`: remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[ChainHead] = []
        self.anchors: list[AuditAnchor] = []
        self.archived: list[AuditEntry] = []
        self.error: AtlasError | None = None

    async def keep(self, head: ChainHead, now: float) -> None:
        self.given.append(head)

    def kept(self) -> AuditHead | None:
        if self.error is not None:
            raise self.error
        return made(self.given[-1]) if self.given else None

    def signed(self, head: AuditHead | AuditAnchor) -> bool:
        return head.signature == "good"

    def anchor(self) -> AuditAnchor | None:
        return self.anchors[-1] if self.anchors else None

    async def archives(self, most: int) -> list[AuditArchive]:
        return [AuditArchive(path="", rows=1, anchor=anchor) for anchor in self.anchors[-most:]]

    async def archive(
        self, first: AuditAnchor | None, rows: AsyncIterable[Sequence[AuditEntry]], now: float
    ) -> AuditArchive:
        put = [row async for some in rows for row in some]
        self.archived += put
        self.anchors.append(anchored(put[-1]))
        return AuditArchive(path="", rows=len(put), anchor=self.anchors[-1])


def made(head: ChainHead) -> AuditHead:
    at = datetime.fromtimestamp(NOW, UTC)
    return AuditHead(network="net_1", seq=head.seq, hash=head.hash, at=at, key="", signature="good")


def anchored(row: AuditEntry, signature: str = "good") -> AuditAnchor:
    return AuditAnchor(network="net_1", archived=row.seq, hash=row.hash, at=row.at, key="", signature=signature)


class Failing:
    """A store's log that fails while there is an error in `why`."""

    def __init__(self, store: MemoryStore) -> None:
        self.why: AtlasError | None = None
        self.found: str | None = None
        self._audit = store.audit
        self.head, self.after = store.audit.head, store.audit.after
        self.older, self.drop = store.audit.older, store.audit.drop

    def append(self, events: Sequence[AuditEvent]) -> Write[tuple[ChainHead, str | None]]:
        if self.why is None and self.found is None:
            return self._audit.append(events)
        write: Write[tuple[ChainHead, str | None]] = Write()
        write.settle(self.why or (ChainHead(len(events), "0"), self.found))
        return write


class World:
    def __init__(self) -> None:
        self.store = MemoryStore(lambda prefix: f"{prefix}_1")
        self.clock, self.log, self.heads = Clock(), MemoryLog(), Heads()
        self.audit = Failing(self.store)
        self.trail = AuditTrail("net_1", self.audit, self.heads, self.clock, self.log)  # type: ignore[arg-type]  # it is only written to

    async def told(self) -> list[tuple[str, str, dict[str, object]]]:
        rows = await self.store.audit.after(0, limit=1_000_000)
        return [(row.action, row.outcome, row.detail) for row in rows]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    yield World()


async def test_what_is_noted_is_written_with_the_next_write_and_at_the_latest_in_a_second(world: World) -> None:
    world.trail.note(None, "a.noted")
    assert await world.told() == []
    world.trail.note(None, "a.waited_for")
    await world.trail.write()
    assert await world.told() == [("a.noted", "ok", {}), ("a.waited_for", "ok", {})]
    world.trail.note(None, "a.later")
    await world.trail.settle()
    assert (await world.told())[2:] == [("a.later", "ok", {})]


async def test_a_row_says_who_and_from_where(world: World) -> None:
    network = Network()
    ada = await network.user()
    ADDRESS.set("192.0.2.7")
    world.trail.note(ada, "a.done", AuditObject(kind="token", id="tok_1"), {"n": 1})
    world.trail.note(None, "a.done")
    await world.trail.write()
    first, second = await world.store.audit.after(0, limit=2)
    assert (first.who.kind, first.who.id, first.who.user_id) == ("api_key", ada.credential.id, ada.user.id)
    assert (first.address, first.object.id, first.detail, first.at.timestamp()) == ("192.0.2.7", "tok_1", {"n": 1}, NOW)
    assert second.who.kind == "nobody"


async def test_the_head_is_kept_after_what_was_written_and_only_then(world: World) -> None:
    await world.trail.settle()
    assert world.heads.given == []
    world.trail.note(None, "a.done")
    await world.trail.settle()
    await world.trail.settle()
    assert world.heads.given == [await world.store.audit.head()]


async def test_a_refusal_is_told_once_a_minute_and_counted_meanwhile(world: World) -> None:
    for _ in range(5):
        world.trail.refuse(None, "keys.use", NOTHING, "key_invalid")
    world.trail.refuse(None, "keys.use", NOTHING, "key_expired")
    await world.trail.settle()
    assert await world.told() == [("keys.use", "key_invalid", {}), ("keys.use", "key_expired", {})]
    world.clock.now += audit.COUNTED_FOR
    await world.trail.settle()
    assert (await world.told())[2:] == [("keys.use", "key_invalid", {"times": 4})]
    world.trail.refuse(None, "keys.use", NOTHING, "key_invalid")
    await world.trail.settle(last=True)
    assert (await world.told())[3:] == [("keys.use", "key_invalid", {})]


async def test_why_something_was_refused_is_a_fact_of_its_row_and_in_the_servers_log_once_a_minute(
    world: World,
) -> None:
    for why in ("no answer", "no answer", "no certificate"):
        world.trail.refuse(None, "single_sign_on.begin", NOTHING, "provider_unavailable", {"why": why})
    await world.trail.settle()
    assert [detail for *_, detail in await world.told()] == [{"why": "no answer"}, {"why": "no certificate"}]
    assert world.log.at("warning") == ["refused", "refused"]


def ask(world: World, address: str, token: str = "", who: Principal | None = None) -> None:
    ADDRESS.set(address)
    world.trail.refuse(who, "tokens.revoke", AuditObject(kind="token", id=token), "token_not_found")


def named(who: Principal) -> str:
    assert isinstance(who.credential, ApiKey)
    return who.credential.name


async def refused(world: World) -> list[tuple[str, str, str, dict[str, object]]]:
    await world.trail.settle(last=True)
    rows = await world.store.audit.after(0, limit=1_000_000)
    return [(row.who.name or row.who.kind, row.address, row.object.id, row.detail) for row in rows]


SEVERAL = {"several": True}


async def test_refusals_are_told_apart_by_whom_they_reached_and_from_where(world: World) -> None:
    ada = await Network().user("ada")
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.1"):
        ask(world, address)
    for address in ("192.0.2.1", "192.0.2.2"):
        ask(world, address, who=ada)
    adas = f"ada/{named(ada)}"
    assert await refused(world) == [
        ("nobody", "192.0.2.1", "", {}),
        ("nobody", "192.0.2.2", "", {}),
        ("nobody", "2001:db8::1", "", {}),
        (adas, "192.0.2.1", "", {}),
        (adas, "192.0.2.2", "", {}),
        ("nobody", "192.0.2.1", "", {"times": 1}),
        ("nobody", "2001:db8::1", "", {"times": 1}),
    ]


async def test_a_flood_of_refusals_of_one_address_or_user_hides_no_refusal_of_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_OF_ONE", 2)
    network = Network()
    ada, eve = await network.user("ada"), await network.user("eve")
    for n in range(500):
        ask(world, "192.0.2.66", f"tok_{n}")
        ask(world, f"2001:db8:0:{n % 4}::{n:x}", f"tok_{n}", eve)
    ask(world, "192.0.2.7", "tok_1")
    ask(world, "192.0.2.66", "tok_1", ada)
    eves = f"eve/{named(eve)}"
    assert (await refused(world))[:8] == [
        ("nobody", "192.0.2.66", "tok_0", {}),
        (eves, "2001:db8:0:0::0", "tok_0", {}),
        ("nobody", "192.0.2.66", "tok_1", {}),
        (eves, "2001:db8:0:1::1", "tok_1", {}),
        ("nobody", "192.0.2.66", "", SEVERAL),
        ("eve", "2001:db8:0:2::2", "", SEVERAL),
        ("nobody", "192.0.2.7", "tok_1", {}),
        (f"ada/{named(ada)}", "192.0.2.66", "tok_1", {}),
    ]
    assert [detail for *_, detail in (await refused(world))[8:]] == [SEVERAL | {"times": 497}] * 2


async def test_a_flood_from_everywhere_is_bounded_and_hides_no_refusal_of_who_is_known(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_COUNTED", 3)
    ada = await Network().user("ada")
    for n in range(500):
        ask(world, f"198.51.{n // 256}.{n % 256}", "tok_1")
    ask(world, "198.51.0.0", "tok_1")
    ask(world, "198.51.0.0", "tok_1", ada)
    rows = await refused(world)
    assert [address for _, address, _, _ in rows[:4]] == ["198.51.0.0", "198.51.0.1", "198.51.0.2", ""]
    assert rows[3] == ("nobody", "", "", SEVERAL)
    assert rows[4][0].startswith("ada/")
    assert [detail for *_, detail in rows[5:]] == [{"times": 1}, SEVERAL | {"times": 496}]


async def test_room_of_refusals_is_free_again_once_their_minute_is_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MOST_OF_ONE", 1)
    for _ in range(2):
        ask(world, "192.0.2.66", "tok_1")
        ask(world, "192.0.2.66", "tok_2")
        await world.trail.settle()
        world.clock.now += audit.COUNTED_FOR
        await world.trail.settle()
    assert [token for _, _, token, _ in await refused(world)] == ["tok_1", "", "tok_1", ""]


async def test_what_a_store_cannot_take_now_is_written_later_in_its_order(world: World) -> None:
    world.audit.why = Unavailable("no disk", code="store_unavailable")
    world.trail.note(None, "a.first")
    await world.trail.write()
    world.trail.note(None, "a.second")
    await world.trail.settle()
    assert (await world.told(), world.heads.given) == ([], [])
    assert (world.log.at("warning"), world.log.at("error")) == (["audit_not_written"], [])
    world.audit.why = None
    await world.trail.settle()
    assert [action for action, _, _ in await world.told()] == ["a.first", "a.second"]


async def test_rows_that_are_lost_are_counted_in_the_log(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "MOST_UNWRITTEN", 2)
    world.audit.why = Unavailable("no disk", code="store_unavailable")
    for number in range(3):
        world.trail.note(None, f"a.{number}")
        await world.trail.write()
    world.audit.why = AtlasError("the store refused a statement")
    world.trail.note(None, "a.3")
    await world.trail.write()
    world.audit.why = None
    world.trail.note(None, "a.4")
    await world.trail.write()
    told = await world.told()
    assert [action for action, _, _ in told] == ["audit.lost", "a.4"]
    assert told[0][2] == {"rows": 4}


async def test_much_that_is_noted_does_not_wait_for_the_second_to_be_over(world: World) -> None:
    for number in range(300):
        world.trail.note(None, f"a.{number}")
    assert len(await world.store.audit.find(AuditFilter(), limit=300)) == 256


async def test_an_empty_log_has_a_head_from_its_first_start_on(world: World) -> None:
    await world.trail.take_up()
    await world.trail.take_up()
    assert world.heads.given[0] == genesis(await world.store.network_id())
    assert await world.told() == []


async def test_a_log_that_goes_on_behind_its_head_is_as_it_was_left(world: World) -> None:
    for _ in range(2):
        world.trail.note(None, "a.done")
        await world.trail.settle()
    world.heads.given.pop()  # the process was killed before the last one was kept
    await world.trail.take_up()
    assert len(await world.told()) == 2
    report = await world.trail.verify()
    assert (report.rows, report.unsigned, report.flaws) == (2, 1, [])


async def test_of_two_that_keep_the_head_at_once_the_newer_one_stays(world: World) -> None:
    begun, going, keep = asyncio.Event(), asyncio.Event(), world.heads.keep

    async def slow(head: ChainHead, now: float) -> None:
        if head.seq == 1:
            begun.set()
            await going.wait()
        await keep(head, now)

    world.heads.keep = slow  # type: ignore[method-assign]  # a disk that takes its time
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        world.trail.note(None, "a.done")
        group.create_task(world.trail.settle())
        await begun.wait()
        world.trail.note(None, "a.done")
        group.create_task(world.trail.settle())
        for _ in range(20):
            await asyncio.sleep(0)
        going.set()
    assert [head.seq for head in world.heads.given] == [1, 2]


async def test_nothing_is_archived_that_the_head_is_not_of(world: World) -> None:
    await aged(world)
    world.trail.note(None, "a.done")
    await world.trail.write()
    archived = await world.trail.archive(NOW + 100 * DAY)
    assert archived.anchor.archived == 5
    assert world.heads.given[-1].seq == 6, "it was kept first"
    await aged(world, 1)
    del world.heads.given[5:]
    world.trail._head = None  # and can't be kept
    with pytest.raises(Conflict) as refused:
        await world.trail.archive(NOW + 100 * DAY)
    assert refused.value.code == "nothing_to_archive"


async def test_a_start_tells_of_an_anchor_that_is_newer_than_the_head_or_has_none(world: World) -> None:
    await aged(world)
    rows = await world.store.audit.after(0, limit=9)
    world.heads.anchors.append(anchored(rows[2]))
    del world.heads.given[1:]
    await world.trail.take_up()
    why = "the head that was kept is of row 1, and rows up to 3 were archived"
    assert (await world.told())[-1] == (BROKEN, "broken", {"why": why})
    empty = World()
    empty.heads.anchors.append(anchored(rows[2]))
    await empty.trail.take_up()
    assert (await empty.told())[-1] == (BROKEN, "broken", {"why": "there are 0 rows, and no head was kept"})


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (None, "there are 2 rows, and no head was kept"),
        (ChainHead(4, "0"), "rows 3 to 4 are not there any more"),
        (ChainHead(1, "0"), "row 1 is another one than it was"),
        (ConfigurationError("the head can't be read"), "the head can't be read"),
    ],
)
async def test_a_log_that_is_not_as_its_head_says_tells_so_in_its_next_row(
    world: World, head: ChainHead | AtlasError | None, why: str
) -> None:
    for _ in range(2):
        world.trail.note(None, "a.done")
    await world.trail.write()
    if isinstance(head, AtlasError):
        world.heads.error = head
    elif head is not None:
        world.heads.given.append(head)
    await world.trail.take_up()
    assert (await world.told())[2:] == [(BROKEN, "broken", {"why": why})]
    assert world.log.at("error") == ["audit_broken"]
    world.heads.error = None
    report = await world.trail.verify()
    assert [(flaw.seq, flaw.kind) for flaw in report.flaws] == [(3, "broken")]


async def test_a_log_that_is_not_as_it_was_left_is_an_error_in_what_the_server_prints(world: World) -> None:
    world.audit.found = "rows 3 to 4 are not there any more"
    world.trail.note(None, "a.done")
    await world.trail.write()
    assert world.log.at("error") == ["audit_broken"]


async def aged(world: World, rows: int = 5) -> None:
    """Have rows, a day between them, the last one of today."""
    for _ in range(rows):
        world.trail.note(None, "a.done")
        await world.trail.settle()
        world.clock.now += DAY


DAY = 86_400


async def test_old_rows_are_archived_and_what_is_left_goes_on_behind_their_anchor(world: World) -> None:
    await aged(world)
    archived = await world.trail.archive(NOW + 1.5 * DAY)
    assert (archived.rows, archived.anchor.archived) == (2, 2)
    assert [row.seq for row in await world.store.audit.after(0, limit=9)] == [3, 4, 5]
    again = await world.trail.archive(NOW + 100 * DAY)
    assert (again.rows, again.anchor.archived) == (2, 4), "the last row stays: the next one follows it"
    assert [row.seq for row in world.heads.archived] == [1, 2, 3, 4]
    await aged(world, 1)
    report = await world.trail.verify()
    assert (report.archived, report.rows, report.flaws) == (4, 2, [])
    await world.trail.take_up()
    assert (await world.told())[-1][0] == "a.done", "and a start finds the log whole"
    with pytest.raises(Conflict) as refused:
        await world.trail.archive(NOW)
    assert refused.value.code == "nothing_to_archive"


async def test_what_a_killed_process_archived_and_did_not_remove_is_removed_by_the_next(world: World) -> None:
    await aged(world)
    rows = await world.store.audit.after(0, limit=9)
    world.heads.anchors.append(anchored(rows[1]))
    assert (await world.trail.verify()).flaws == []
    await world.trail.take_up()
    with pytest.raises(Conflict, match="no row of the audit log is older"):
        await world.trail.archive(NOW)
    assert [row.seq for row in await world.store.audit.after(0, limit=9)] == [3, 4, 5]
    assert world.heads.archived == []


@pytest.mark.parametrize("signature", ["bad", None])
async def test_rows_that_are_away_without_a_good_anchor_are_told(world: World, signature: str | None) -> None:
    await aged(world)
    rows = await world.store.audit.after(0, limit=9)
    await world.store.audit.drop(2)
    if signature is not None:
        world.heads.anchors.append(anchored(rows[1], signature))
    kinds = [flaw.kind for flaw in (await world.trail.verify()).flaws]
    assert kinds == ["missing"] if signature is None else ["anchor", "missing"]
    await world.trail.take_up()
    why = "rows 1 to 2 are not there, and were not archived"
    assert (await world.told())[-1] == (BROKEN, "broken", {"why": why})


async def test_rows_behind_the_anchor_that_are_away_are_told(world: World) -> None:
    await aged(world)
    rows = await world.store.audit.after(0, limit=9)
    world.heads.anchors.append(anchored(rows[0]))
    await world.store.audit.drop(3)
    flaws = (await world.trail.verify()).flaws
    assert [(flaw.seq, flaw.kind, flaw.message) for flaw in flaws] == [(2, "missing", "row 2 to 3 is not there")]
    with pytest.raises(Conflict) as refused:
        await world.trail.archive(NOW + 100 * DAY)
    assert refused.value.code == "audit_broken"
    assert world.heads.archived == []


async def test_nothing_is_archived_of_what_is_being_copied_and_what_is_being_archived_is_copied_then(
    world: World,
) -> None:
    await aged(world)
    async with world.trail.copied(), world.trail.copied():
        with pytest.raises(Busy) as refused:
            await world.trail.archive(NOW + DAY)
    assert refused.value.code == "backup_running"
    go, put = asyncio.Event(), world.heads.archive

    async def held(*given: Any) -> AuditArchive:
        await go.wait()
        return await put(*given)

    world.heads.archive = held  # type: ignore[method-assign]  # as slow as a disk
    archiving = asyncio.create_task(world.trail.archive(NOW + 1.5 * DAY))
    copying = asyncio.create_task(begun(world))
    await settle()
    assert not copying.done()
    go.set()
    assert (await copying, (await archiving).rows) == ([3, 4, 5], 2)


async def begun(world: World) -> list[int]:
    async with world.trail.copied():
        return [row.seq for row in await world.store.audit.after(0, limit=9)]


async def test_rows_are_archived_one_after_the_other(world: World) -> None:
    await aged(world)
    async with world.trail._archiving:
        with pytest.raises(Busy) as refused:
            await world.trail.archive(NOW + DAY)
    assert refused.value.code == "archive_running"
