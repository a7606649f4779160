from dataclasses import FrozenInstanceError, replace

import pytest

from agentic_atlas.auth import Scope, TokenRefused
from agentic_atlas.auth.claims import claims_of, payload_of
from tests.unit.auth.forge import CLAIMS, NETWORK, NOW, PAYLOAD


def test_claims_are_written_under_their_registered_names() -> None:
    assert payload_of(CLAIMS) == PAYLOAD


def test_what_was_written_is_read_again() -> None:
    assert claims_of(payload_of(CLAIMS), NETWORK) == CLAIMS


def test_claims_do_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        CLAIMS.exp = NOW  # type: ignore[misc]


@pytest.mark.parametrize(
    "changes",
    [
        {"jti": ""},
        {"agent_id": "a/b"},
        {"network": "a:b"},
        {"name": ""},
        {"name": "a\nb"},
        {"iat": True},
        {"exp": 1.5},
        {"nbf": -1},
        {"exp": CLAIMS.nbf},
        {"scopes": (Scope.AGENT_CALL, Scope.AGENT_CALL)},
        {"scopes": (Scope.EVERYTHING,)},
    ],
    ids=str,
)
def test_no_claims_can_be_made_that_a_router_would_refuse(changes: dict[str, object]) -> None:
    with pytest.raises(TokenRefused) as caught:
        replace(CLAIMS, **changes)
    assert caught.value.code == "token_claims_invalid"
