"""What is said of signing keys: what rests on each, and which were withdrawn."""

from __future__ import annotations

from agentic_atlas.platform.pages.settings.signing import rests_on, withdrawn
from agentic_atlas.protocol.caller.audit import AuditActor, AuditEntry, AuditObject
from tests.shown import MOMENT, filled


def test_what_rests_on_a_key_is_told_in_words() -> None:
    assert rests_on(0, 0) == "no token"
    assert rests_on(1, 0) == "1 token, and 0 instances connected with one"
    assert rests_on(12, 1) == "12 tokens, and 1 instance connected with one"


def test_keys_that_were_withdrawn_are_those_that_the_audit_log_tells_of() -> None:
    done = filled(
        AuditEntry,
        action="signing.withdraw",
        who=AuditActor(kind="user", name="ada"),
        object=AuditObject(kind="signing_key", id="k1"),
        outcome="ok",
        detail={"tokens": 2, "connected": 1},
    )
    refused = filled(AuditEntry, action="signing.withdraw", outcome="forbidden")
    (one,) = withdrawn([done, refused])
    assert (one.id, one.at, one.by, one.ended) == ("k1", MOMENT, "ada", "ended 2 tokens, closed 1 connection")
