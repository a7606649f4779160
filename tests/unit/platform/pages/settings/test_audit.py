"""What is looked for in the audit log, how a row is read, and what a check came to."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from agentic_atlas.backend.domain.records import Role
from agentic_atlas.backend.ports import AuditFilter
from agentic_atlas.backend.usecases import users
from agentic_atlas.errors import InvalidInput, Unauthenticated
from agentic_atlas.platform.pages.settings import audit
from agentic_atlas.platform.pages.settings.audit import SoughtRows, actions, first_wrong, line, sought
from agentic_atlas.protocol.caller.audit import AuditEntry, AuditFlaw, AuditReport
from tests.shown import filled
from tests.unit.backend.network import Network

pytestmark = pytest.mark.anyio


def test_days_are_looked_for_from_their_beginning_to_their_end() -> None:
    which = sought(SoughtRows(who=" ada ", since="2026-11-29", until="2026-11-30", address="192.0.2.7"))
    begin, end = datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    assert which == AuditFilter(who="ada", since=begin.timestamp(), until=end.timestamp(), address="192.0.2.7")
    assert sought(SoughtRows()) == AuditFilter()
    for wrong in ("30.11.2026", "2026-13-01", "9999-99-99"):
        with pytest.raises(InvalidInput, match="no day"):
            sought(SoughtRows(since=wrong))


def test_the_last_day_there_is_can_be_looked_for() -> None:
    with pytest.raises(InvalidInput, match="no day"):
        sought(SoughtRows(until="9999-12-31"))


def test_all_of_a_noun_is_offered_before_each_of_it_and_what_was_chosen_stays() -> None:
    offered = [one.value for one in actions("")]
    assert offered[0] == ""
    assert offered.index("tokens") < offered.index("tokens.issue")
    assert [one.value for one in actions("tokens") if one.chosen] == ["tokens"]
    assert [one.value for one in actions("what.is.this") if one.chosen] == ["what.is.this"]


def test_a_row_is_read_in_words_and_as_it_stands() -> None:
    entry = filled(AuditEntry, action="users.update", detail={"role": "admin"})
    assert (line(entry).details, line(entry).facts) == ("as admin", '{\n  "role": "admin"\n}')
    assert line(filled(AuditEntry, action="users.delete")).facts == ""


def test_the_first_row_that_is_not_as_it_was_written_is_named() -> None:
    flaws = [AuditFlaw(seq=1_200, kind="cut_off", message="gone"), AuditFlaw(seq=7, kind="changed", message="no")]
    assert first_wrong(filled(AuditReport, flaws=flaws)) == "row 7, changed: no"
    assert first_wrong(filled(AuditReport, flaws=[])) == ""


async def furnished() -> Network:
    network = Network()
    for number in range(3):
        await users.create(
            await network.user(f"root{number}", Role.ADMIN), network.application, f"u{number}", Role.MEMBER
        )
    await network.engine.trail.settle()
    return network


async def test_an_export_is_all_of_the_log_row_by_row() -> None:
    network = await furnished()
    root = await network.user("root", Role.ADMIN)
    sent = await audit.export(network.application, root)
    fields = dict(sent.fields)
    assert fields["content-disposition"] == f'attachment; filename="audit-{network.engine.network}.jsonl"'
    lines = b"".join([part async for part in sent.parts]).splitlines()
    entries = [msgspec.json.decode(one, type=AuditEntry) for one in lines]
    assert [one.seq for one in entries] == [1, 2, 3]


async def test_an_export_ends_when_whoever_has_it_may_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    network = await furnished()
    root = await network.user("root", Role.ADMIN)
    monkeypatch.setattr(audit, "_AT_ONCE", 2)
    sent = await audit.export(network.application, root)
    first = await anext(sent.parts)
    assert msgspec.json.decode(first, type=AuditEntry).seq == 1
    await users.update(await network.user("boss", Role.ADMIN), network.application, "root", role=None, disabled=True)
    with pytest.raises(Unauthenticated):
        async for _ in sent.parts:
            pass


async def test_a_page_of_the_log_has_its_rows_and_says_why_there_are_none() -> None:
    network = await furnished()
    root = await network.user("root", Role.ADMIN)
    turns = audit.Turns(lambda: 0.0)
    page = await audit.show(network.application, root, turns, SoughtRows(action="users"))
    assert [one.entry.seq for one in page.lines] == [3, 2, 1]
    assert (page.narrowed, page.fault, page.next, page.check) == (True, "", "", None)
    wrong = await audit.show(network.application, root, turns, SoughtRows(who="nobody-of-this-name"))
    assert (wrong.lines, "no user or agent is called" in wrong.fault) == ([], True)
