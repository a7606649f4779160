"""How long the next token of a lineage is good for, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from agentic_atlas.backend.domain.records import Token
from agentic_atlas.backend.domain.renewal import MOST_LIVING, lifetime, renewable, renewed_until, standing
from agentic_atlas.errors import Busy, Forbidden

TOKEN = Token("tok_1", "agt_1", "", 100.0, 200.0, lifetime=100.0, renewable_until=1_000.0)


def after(**changes: Any) -> Token:
    return replace(TOKEN, **changes)


def test_the_next_one_is_good_for_as_long_as_the_first_was_made_for() -> None:
    assert renewed_until(TOKEN, [TOKEN], 150.0) == 250.0
    cut = after(issued_at=170.0)
    assert (lifetime(cut), renewed_until(cut, [cut], 190.0)) == (100.0, 290.0)
    assert lifetime(after(lifetime=None)) == 100.0


def test_it_ends_with_its_lineage_and_then_there_is_none_after_it() -> None:
    last = after(issued_at=850.0, expires_at=950.0)
    assert renewed_until(last, [last], 920.0) == 1_000.0
    over = after(issued_at=920.0, expires_at=1_000.0)
    assert renewable(last)
    assert not renewable(over)
    with pytest.raises(Forbidden) as refused:
        renewed_until(over, [over], 930.0)
    assert refused.value.code == "token_lineage_over"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"revoked_at": 120.0}, "token_revoked"),
        ({"retires_at": 150.0}, "token_rotated"),
        ({"renewable_until": None}, "token_not_renewable"),
        ({"renewable_until": 200.0}, "token_lineage_over"),
    ],
)
def test_there_is_none_after_one_that(changes: dict[str, Any], code: str) -> None:
    token = after(**changes)
    with pytest.raises(Forbidden) as refused:
        renewed_until(token, [token], 150.0)
    assert refused.value.code == code


def test_there_is_one_beside_what_ended_with_the_share_of_somebody_else() -> None:
    assert renewed_until(TOKEN, [TOKEN, after(id="tok_2", revoked_at=120.0)], 150.0) == 250.0


def test_one_that_is_about_to_retire_is_not_renewed_for_what_came_of_it_would_outlive_it() -> None:
    with pytest.raises(Forbidden) as refused:
        renewed_until(after(retires_at=160.0), [TOKEN], 150.0)
    assert refused.value.code == "token_rotated"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "active"),
        ({"revoked_at": 155.0}, "revoked"),
        ({"revoked_at": 155.0, "withdrawn": True}, "withdrawn"),
        ({"expires_at": 154.0}, "expired"),
        ({"expires_at": 154.0, "revoked_at": 155.0}, "expired"),
        ({"expires_at": 154.0, "revoked_at": 155.0, "withdrawn": True}, "expired"),
        ({"retires_at": 154.0, "revoked_at": 155.0, "withdrawn": True}, "rotated"),
        ({"retires_at": 156.0, "revoked_at": 155.0}, "revoked"),
        ({"retires_at": 160.0}, "retiring"),
    ],
)
def test_a_token_is_said_to_have_ended_by_what_ended_it_first(changes: dict[str, Any], word: str) -> None:
    assert standing(after(**changes), 159.0) == word


def test_who_has_too_many_has_to_wait() -> None:
    living = [after(id=f"tok_{number}", expires_at=200.0 + number) for number in range(MOST_LIVING)]
    with pytest.raises(Busy) as refused:
        renewed_until(living[0], living, 150.0)
    assert (refused.value.code, refused.value.retry_after) == ("too_many_renewals", 50.0)
    assert renewed_until(living[1], living, 200.0) == 300.0
