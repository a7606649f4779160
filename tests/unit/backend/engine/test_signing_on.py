"""What somebody comes back with from the provider counts once, in the browser in which they left."""

from __future__ import annotations

import secrets

import pytest

from agentic_atlas.backend.accounts import SIGN_ON_LIFETIME
from agentic_atlas.backend.engine import signing_on
from agentic_atlas.backend.engine.signing_on import SIGN_ONS_PER_MINUTE, SigningOn
from agentic_atlas.errors import Busy, Unauthenticated

BACK = "https://atlas.example.org/login/oidc/callback"


def leave(away: SigningOn, now: float = 0.0, address: str = "10.0.0.1") -> tuple[str, str]:
    departure, secret = away.depart(BACK, address, secrets.token_bytes, now)
    assert len({departure.state, departure.nonce, departure.verifier}) == 3
    assert departure.state not in repr(departure)
    return secret, departure.state


def test_somebody_is_back_once_with_what_they_left_with() -> None:
    away = SigningOn()
    secret, state = leave(away)
    assert away.back(secret, state, 1.0).redirect_uri == BACK
    with pytest.raises(Unauthenticated):
        away.back(secret, state, 1.0)


def test_nobody_is_back_with_the_state_of_another_or_too_late() -> None:
    away = SigningOn()
    (mine, _), (theirs, state) = leave(away), leave(away)
    for secret, said, now in ((mine, state, 1.0), ("none", state, 1.0), (theirs, state, SIGN_ON_LIFETIME)):
        with pytest.raises(Unauthenticated) as refused:
            away.back(secret, said, now)
        assert refused.value.code == "login_failed"


def test_how_many_leave_from_one_address_is_bounded() -> None:
    away = SigningOn()
    for _ in range(SIGN_ONS_PER_MINUTE):
        leave(away)
    with pytest.raises(Busy):
        leave(away)
    leave(away, address="10.0.0.2")
    leave(away, now=SIGN_ON_LIFETIME)


def test_when_too_many_are_away_the_first_goes_of_the_network_that_has_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_on, "MOST_SIGNING_ON", 4)
    away = SigningOn()
    mine = leave(away, address="198.51.100.1")
    crowd = [leave(away, address=f"2001:db8:1:{number:x}::1") for number in range(20)]
    late = leave(away, address="192.0.2.1")
    for left in (mine, late, crowd[-1]):
        assert away.back(*left, 1.0)
    for gone in (crowd[0], crowd[-3]):
        with pytest.raises(Unauthenticated):
            away.back(*gone, 1.0)
