"""What is sealed is read again with its key alone, for whom it was sealed, and as it was."""

from __future__ import annotations

from secrets import token_bytes

from agentic_atlas.auth.sealing import SEALING_KEY_BYTES, Seal

KEY, OTHER = bytes(SEALING_KEY_BYTES), b"k" * SEALING_KEY_BYTES


def test_a_secret_is_read_again_and_looks_different_each_time_it_is_sealed() -> None:
    seal = Seal(KEY, token_bytes)
    one, other = seal.close("s3cret", "usr_ada"), seal.close("s3cret", "usr_ada")
    assert one != other
    assert "s3cret" not in one
    assert seal.open(one, "usr_ada") == seal.open(other, "usr_ada") == "s3cret"


def test_it_is_nothing_with_another_key_for_somebody_else_or_changed() -> None:
    seal = Seal(KEY, token_bytes)
    kept = seal.close("s3cret", "usr_ada")
    assert Seal(OTHER, token_bytes).open(kept, "usr_ada") == ""
    assert seal.open(kept, "usr_eve") == ""
    for changed in (kept[:-4], kept[4:], f"{kept[:-4]}AAAA", "", "s3cret", "ünlesbar"):
        assert seal.open(changed, "usr_ada") == ""
