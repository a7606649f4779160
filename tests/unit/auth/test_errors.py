import pytest

from agentic_atlas.auth import (
    TokenRefused,
    mint,
    verify,
)
from agentic_atlas.auth.errors import span
from tests.docs.reference.codes import uses
from tests.unit.auth.forge import CLAIMS, NETWORK, NOW, OTHER_KEY, PAYLOAD, RING, forged

CODES = {
    "token_missing",
    "token_malformed",
    "token_too_long",
    "token_wrong_type",
    "token_wrong_algorithm",
    "token_unknown_key",
    "token_bad_signature",
    "token_wrong_issuer",
    "token_wrong_audience",
    "token_expired",
    "token_not_yet_valid",
    "token_claims_invalid",
}


def test_a_refusal_has_one_of_the_documented_codes() -> None:
    assert {use.code for use in uses() if use.by == "TokenRefused"} == CODES


def test_an_expired_token_says_how_long_ago_and_what_to_do() -> None:
    with pytest.raises(TokenRefused) as caught:
        verify(mint(RING, CLAIMS), RING.verification, network=NETWORK, now=CLAIMS.exp + 3 * 86_400 + 5)
    assert str(caught.value) == (
        "the token expired 3 days ago: generate a new one with `atlas tokens create AGENT --env .env`"
    )
    assert caught.value.code == "token_expired"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (7200, "2 hours"),
        (86_400, "1 day"),
    ],
)
def test_spans_are_said_in_their_largest_unit(seconds: int, words: str) -> None:
    assert span(seconds) == words


def test_a_token_from_the_future_names_the_clocks() -> None:
    with pytest.raises(TokenRefused) as caught:
        verify(mint(RING, CLAIMS), RING.verification, network=NETWORK, now=CLAIMS.nbf - 120)
    assert caught.value.code == "token_not_yet_valid"
    assert "in 2 minutes" in str(caught.value)
    assert "clock" in caught.value.remedy


@pytest.mark.parametrize(
    "token",
    [
        forged(key=OTHER_KEY),
        forged(payload={**PAYLOAD, "sub": "drop table agents"}),
        forged(payload={**PAYLOAD, "iss": "atlas:marker-of-attacker"}),
        forged(header={"alg": "marker-of-attacker"}),
        "marker-of-attacker",
    ],
)
def test_no_refusal_repeats_what_was_sent(token: str) -> None:
    with pytest.raises(TokenRefused) as caught:
        verify(token, RING.verification, network=NETWORK, now=NOW)
    everything = f"{caught.value!r} {caught.value.__dict__} {caught.value.__cause__!r}"
    assert not any(sent in everything for sent in (*token.split("."), "marker-of-attacker", "drop table"))


def test_a_refusal_keeps_its_reason_apart_from_the_remedy() -> None:
    refused = TokenRefused("the token has not three parts", code="token_malformed")
    assert refused.reason == "the token has not three parts"
    assert str(refused) == f"{refused.reason}: {refused.remedy}"
