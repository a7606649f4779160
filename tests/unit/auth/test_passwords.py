"""Long passwords are taken, unless they are among the first that anybody tries."""

from __future__ import annotations

import pytest

from agentic_atlas.auth.passwords import LONGEST, SHORTEST, check_acceptable
from agentic_atlas.errors import InvalidInput


@pytest.mark.parametrize("password", ["tall trees by the sea", "k7#Qz!mP2x$w", "ünïcödé wörds", "x y z" + "a" * 250])
def test_a_long_password_is_taken(password: str) -> None:
    check_acceptable(password, "ada")


@pytest.mark.parametrize(
    ("password", "says"),
    [
        ("k7#Qz!mP2x$", f"{SHORTEST} to {LONGEST} characters"),
        ("x" * (LONGEST + 1), f"{SHORTEST} to {LONGEST} characters"),
        ("Password1234", "among the first"),
        ("correct horse battery staple", "among the first"),
        ("aaaaaaaaaaaaaaaa", "among the first"),
        ("abababababababab", "among the first"),
        ("lovelace12345", "one's own name"),
        ("ＬＯＶＥＬＡＣＥ12345", "one's own name"),
    ],
)
def test_a_password_that_is_guessed_early_is_not(password: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as refused:
        check_acceptable(password, "lovelace")
    assert refused.value.code == "weak_password"
    assert password not in refused.value.message
