"""Rows of the audit log: what is hashed of them, and what they have room for."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from agentic_atlas.backend.domain.audit import (
    BROKEN,
    MOST_DETAIL,
    MOST_FLAWS,
    MOST_TEXT,
    NOBODY,
    AuditEvent,
    ChainCheck,
    ChainHead,
    bounded,
    chained,
    genesis,
    hash_of,
    signed_part,
)
from agentic_atlas.protocol.caller.audit import AuditActor, AuditAnchor, AuditEntry, AuditHead, AuditObject, AuditReport

NOW = 1_700_000_000.0
EVENT = AuditEvent(at=NOW, who=AuditActor(kind="user", id="usr_1", name="Ada \u2028"), action="tokens.revoke")


def test_a_hash_is_that_of_the_line_without_its_last_member() -> None:
    entry = chained(EVENT, genesis("net_1"))
    line = msgspec.json.encode(entry).decode()
    head, found, rest = line.partition(f',"hash":"{entry.hash}"')
    assert (found != "", rest) == (True, "}")
    assert hashlib.sha256(f"{head}}}".encode()).hexdigest() == entry.hash


def test_a_hash_is_the_same_for_what_was_read_from_its_line() -> None:
    facts = {"n": 1, "x": 0.1, "big": 2**60, "none": None, "list": ["é", True], "text": '"\\\u2028'}
    entry = chained(msgspec.structs.replace(EVENT, detail=facts), genesis("net_1"))
    assert hash_of(msgspec.json.decode(msgspec.json.encode(entry), type=AuditEntry)) == entry.hash


def test_every_member_counts_in_the_hash() -> None:
    entry = chained(EVENT, genesis("net_1"))
    changes = {
        "seq": 2,
        "at": entry.at.replace(microsecond=1_000),
        "who": NOBODY,
        "action": "tokens.issue",
        "object": AuditObject(kind="token"),
        "outcome": "forbidden",
        "address": "192.0.2.1",
        "detail": {"n": 1},
        "previous": "0" * 64,
    }
    assert set(changes) == set(AuditEntry.__struct_fields__) - {"hash"}
    hashes = {hash_of(msgspec.structs.replace(entry, **{name: value})) for name, value in changes.items()}
    assert len(hashes - {entry.hash}) == len(changes)


def test_logs_of_two_networks_have_no_row_in_common() -> None:
    first, second = chained(EVENT, genesis("net_1")), chained(EVENT, genesis("net_2"))
    assert first.seq == second.seq == 1
    assert first.hash != second.hash


def test_times_are_told_to_the_millisecond() -> None:
    entry = chained(msgspec.structs.replace(EVENT, at=NOW + 0.123_999), ChainHead(7, "0"))
    assert (entry.seq, entry.at.microsecond) == (8, 123_000)


def test_texts_and_facts_are_cut_to_their_bounds() -> None:
    long = "x" * (MOST_TEXT + 1)
    entry = chained(
        AuditEvent(
            at=NOW,
            who=AuditActor(kind="user", name=long),
            action="a.b",
            object=AuditObject(kind="token", id=long, name=long),
            address=long,
            detail={"text": long},
        ),
        genesis("net_1"),
    )
    cut = f"{long[:-1]}…"
    assert (entry.who.name, entry.object.id, entry.object.name, entry.address) == (cut,) * 4
    assert entry.detail == {"text": cut}
    assert bounded({"b": list(range(MOST_DETAIL)), "a": 1}) == {"left_out": ["a", "b"]}


def log(rows: int = 6) -> list[AuditEntry]:
    head, entries = genesis("net_1"), []
    for number in range(rows):
        entries.append(chained(msgspec.structs.replace(EVENT, at=NOW + number), head))
        head = ChainHead(entries[-1].seq, entries[-1].hash)
    return entries


def head_of(entries: Sequence[AuditEntry], network: str = "net_1") -> AuditHead:
    last = entries[-1]
    at = datetime.fromtimestamp(NOW, UTC)
    return AuditHead(network=network, seq=last.seq, hash=last.hash, at=at, key="k", signature="s")


def anchor_of(entries: Sequence[AuditEntry]) -> AuditAnchor:
    head = head_of(entries)
    return AuditAnchor(network="net_1", archived=head.seq, hash=head.hash, at=head.at, key="k", signature="s")


def checked(
    entries: Sequence[AuditEntry],
    head: AuditHead | None = None,
    *,
    signed: bool = True,
    anchor: AuditAnchor | None = None,
    headed: bool = False,
    closed: bool = False,
) -> AuditReport:
    check = ChainCheck("net_1", head, signed=signed, anchor=anchor)
    check.take(entries)
    return check.report(headed=headed, closed=closed)


def flaws(report: AuditReport) -> list[tuple[int, str]]:
    return [(flaw.seq, flaw.kind) for flaw in report.flaws]


def test_a_log_as_it_was_written_has_no_flaw() -> None:
    rows = log()
    report = checked(rows, head_of(rows))
    assert (flaws(report), report.rows, report.hash, report.unsigned) == ([], 6, rows[-1].hash, 0)
    assert checked(rows, head_of(rows[:4])).unsigned == 2
    assert flaws(checked([], None)) == []


def test_a_changed_row_is_found() -> None:
    rows = log()
    rows[2] = msgspec.structs.replace(rows[2], outcome="forbidden")
    assert flaws(checked(rows, head_of(rows))) == [(3, "changed")]


def test_a_row_that_was_made_anew_with_its_hash_is_found_by_the_one_behind_it() -> None:
    rows = log()
    other = msgspec.structs.replace(rows[2], outcome="forbidden", hash="")
    rows[2] = msgspec.structs.replace(other, hash=hash_of(other))
    assert flaws(checked(rows, head_of(rows))) == [(3, "changed")]


def test_a_log_that_was_made_anew_from_a_row_on_is_found_by_its_head() -> None:
    rows = log()
    head = head_of(rows)
    event = msgspec.structs.replace(EVENT, at=NOW + 9)
    for place in (4, 5):
        rows[place] = chained(event, ChainHead(rows[place - 1].seq, rows[place - 1].hash))
    assert flaws(checked(rows)) == []
    assert flaws(checked(rows, head)) == [(6, "changed")]


def test_missing_rows_are_found() -> None:
    rows = log()
    head = head_of(rows)
    assert flaws(checked([*rows[:2], *rows[3:]], head)) == [(3, "missing")]
    assert flaws(checked([*rows[:1], *rows[4:]], head)) == [(2, "missing")]
    assert flaws(checked(rows[1:], head)) == [(1, "missing")]


def test_rows_that_are_cut_off_are_found() -> None:
    rows = log()
    assert flaws(checked(rows[:4], head_of(rows))) == [(5, "cut_off")]
    assert flaws(checked([], head_of(rows))) == [(1, "cut_off")]


def test_rows_in_another_order_are_found() -> None:
    rows = log()
    rows[2], rows[3] = rows[3], rows[2]
    assert (3, "reordered") in flaws(checked(rows, head_of(rows)))
    numbered = [msgspec.structs.replace(row, seq=place) for place, row in enumerate(rows, 1)]
    assert {seq for seq, _ in flaws(checked(numbered, head_of(log())))} >= {3, 4}


def test_a_head_of_somebody_else_counts_for_nothing_and_is_told() -> None:
    rows = log()
    report = checked(rows, head_of(rows), signed=False)
    assert (flaws(report), report.head, report.unsigned) == ([(6, "head")], None, 6)
    assert flaws(checked(rows, head_of(rows, "net_2"))) == [(6, "head")]


def test_rows_behind_the_head_are_as_good_as_none_where_nobody_writes_any_more() -> None:
    rows = log()
    report = checked(rows, head_of(rows[:4]), closed=True)
    assert (flaws(report), report.unsigned) == ([(5, "unsigned")], 2)
    assert "row 5 to 6" in report.flaws[0].message
    assert flaws(checked(rows, anchor=anchor_of(rows[:2]), head=head_of(rows[:5]), closed=True)) == [(6, "unsigned")]
    assert flaws(checked(rows, head_of(rows), closed=True)) == []
    assert flaws(checked(rows, head_of(rows), signed=False, closed=True)) == [(6, "head")], "told once"


def test_rows_or_an_anchor_without_a_head_are_told_where_there_has_to_be_one() -> None:
    rows = log()
    assert flaws(checked(rows, headed=True)) == [(6, "head")]
    assert flaws(checked([], anchor=anchor_of(rows[:2]), headed=True)) == [(2, "head")]
    assert flaws(checked([], headed=True)) == []
    assert flaws(checked(rows, head_of(rows), headed=True)) == []
    assert flaws(checked(rows, head_of(rows), signed=False, headed=True)) == [(6, "head")], "told once"


def test_a_head_that_is_older_than_the_anchor_is_told() -> None:
    rows = log()
    assert flaws(checked(rows[4:], head_of(rows[:2]), anchor=anchor_of(rows[:4]))) == [(2, "head")]
    assert flaws(checked(rows[4:], head_of(rows[:4]), anchor=anchor_of(rows[:4]))) == []


def test_a_log_that_was_found_broken_stays_so() -> None:
    rows = log()
    broken = AuditEvent(at=NOW, who=NOBODY, action=BROKEN, detail={"why": "rows 9 to 12 are not there any more"})
    rows.append(chained(broken, ChainHead(rows[-1].seq, rows[-1].hash)))
    report = checked(rows, head_of(rows))
    assert flaws(report) == [(7, "broken")]
    assert "rows 9 to 12" in report.flaws[0].message


def test_no_more_flaws_are_told_than_anybody_reads() -> None:
    rows = [msgspec.structs.replace(row, outcome="forbidden") for row in log(MOST_FLAWS + 5)]
    assert len(checked(rows).flaws) == MOST_FLAWS


def test_what_is_signed_of_a_head_is_its_line_without_the_signature() -> None:
    head = head_of(log())
    line = msgspec.json.encode(head)
    assert signed_part(head) == line.replace(b',"signature":"s"', b"")
    assert signed_part(msgspec.structs.replace(head, signature="")) == signed_part(head)
