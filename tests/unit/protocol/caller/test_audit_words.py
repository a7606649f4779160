"""Each fact of a row of the audit log is told in words; and of whoever was kept out at a log-in, as whom they came."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentic_atlas.protocol.caller import audit_words
from agentic_atlas.protocol.caller.audit import ActorKind, AuditActor, AuditEntry, AuditObject


def row(action: str, *, kind: ActorKind = "api_key", by: str = "", about: str = "", **detail: object) -> AuditEntry:
    return AuditEntry(
        seq=1,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        who=AuditActor(kind=kind, name=by),
        action=action,
        object=AuditObject(kind=action.partition(".")[0].removesuffix("s"), name=about),
        outcome="ok",
        address="",
        detail=detail,
        previous="",
        hash="",
    )


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (row("agents.update", name="one", rename="two"), "one is called two now"),
        (row("agents.update", rename="two", disabled=True), "called two now, disabled"),
        (row("agents.update", name="one", disabled=True), "disabled"),
        (row("agents.update", disabled=False), "enabled"),
        (row("agents.update", description="sells books"), "described as 'sells books'"),
        (row("agents.share", subjects=["group:ops", "eve"], access="manage"), "with group:ops eve, for managing"),
        (row("agents.unshare", subjects=["everyone"]), "with everyone"),
        (
            row("tokens.issue", agent="two", lifetime=90 * 86_400, renews=False, scopes=["agent:connect"]),
            "of two, for 90 d, good for agent:connect, not renewable",
        ),
        (
            row("tokens.rotate", agent="two", replaces=["tok_1"], overlap=86_400.0),
            "of two, in place of tok_1, which is good for 1 d more",
        ),
        (
            row("tokens.rotate", agent="two", replaces=["tok_1"], overlap=0),
            "of two, in place of tok_1, which ended with that",
        ),
        (row("tokens.rotate", agent="two", replaces=[]), "of two"),
        (row("tokens.issue", agent="two", renews=True), "of two"),
        (row("tokens.revoke", agent="two", made_by="eve", why="the end"), "of two, that eve made, the end"),
        (row("users.update", role="admin"), "as admin"),
        (row("groups.add", user="bob"), "user bob"),
        (row("sessions.make_key", host="laptop", user="ada"), "user ada, on laptop"),
        (row("logins.approve", host="", address="192.0.2.7"), "from 192.0.2.7"),
        (row("keys.use", several=True, times=7), "by or to several, 7 more like it"),
        (row("audit.lost", rows=3), "3 rows"),
        (row("tasks.answer", number=2), "question 2"),
        (row("new.thing", colour_of_it=True, left_out=["a", "b"]), "colour of it true, left out a b"),
        (row("signing.withdraw", tokens=3, connected=1), "ended 3 tokens, closed 1 connection"),
        (row("signing.withdraw", tokens=0, connected=0), "ended no token, closed no connection"),
        (
            row("single_sign_on.finish", issuer="https://id.example", linked=True, identity="idn_1"),
            "by https://id.example, with identity idn_1, linked to them now",
        ),
        (row("single_sign_on.finish", linked=False, identity="idn_1"), "with identity idn_1"),
        (row("audit.archive", rows=3, path="/data/audit/rows-1-3.jsonl"), "3 rows, in /data/audit/rows-1-3.jsonl"),
        (row("agents.create"), ""),
    ],
)
def test_the_facts_of_a_row_are_told_in_words(entry: AuditEntry, told: str) -> None:
    assert audit_words.details(entry) == told


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (row("sessions.log_in", kind="nobody", about="ada"), "nobody, as ada"),
        (row("sessions.make_key", kind="nobody"), "nobody, as no user"),
        (row("sessions.log_in", kind="user", by="ada", about="ada"), "ada"),
        (row("keys.use", kind="nobody"), "nobody"),
        (row("audit.lost", kind="system"), "system"),
    ],
)
def test_who_it_was_is_told_and_of_a_log_in_as_whom(entry: AuditEntry, told: str) -> None:
    assert audit_words.who(entry) == told


def test_what_it_was_done_to_is_told_with_its_kind() -> None:
    assert audit_words.what(AuditObject(kind="token", id="tok_1", name="vm")) == "token vm"
    assert audit_words.what(AuditObject(kind="task", id="tsk_1")) == "task tsk_1"
    assert audit_words.what(AuditObject(kind="")) == ""


def test_a_user_who_has_been_called_as_the_network_is_for_long_is_not_taken_for_it() -> None:
    assert audit_words.who(row("users.create", kind="user", by="system")) == "system (user)"
    assert audit_words.who(row("users.create", kind="api_key", by="nobody")) == "nobody (api key)"
    assert audit_words.who(row("users.create", kind="system")) == "system"
