"""Rows of the audit log: what is hashed of them, and what they have room for."""

from __future__ import annotations

import hashlib

import msgspec

from agentic_atlas.backend.domain.audit import (
    MOST_DETAIL,
    MOST_TEXT,
    NOBODY,
    AuditEvent,
    ChainHead,
    bounded,
    chained,
    genesis,
    hash_of,
)
from agentic_atlas.protocol.caller.audit import AuditActor, AuditEntry, AuditObject

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
