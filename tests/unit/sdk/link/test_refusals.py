"""What a handshake that failed means, and that a peer's text is harmless."""

from __future__ import annotations

from agentic_atlas.sdk.link.refusals import LONGEST_TEXT, HandshakeRefused, plain


def test_a_refusal_that_another_try_may_not_meet_is_not_final() -> None:
    assert HandshakeRefused(403, "no", code=None, retry_after=None).final
    assert not HandshakeRefused(503, "later", code=None, retry_after=None).final


def test_a_peers_text_is_one_short_line() -> None:
    assert plain("a\r\n\tb\x00\x1b[0m\u202ec") == "a b [0m c"
    assert len(plain("x" * 10_000)) == LONGEST_TEXT
