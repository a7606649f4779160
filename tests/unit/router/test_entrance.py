from __future__ import annotations

import pytest

from agentic_atlas.errors import Busy, Forbidden, Unauthenticated
from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.router.entrance import FORGIVEN, LONGEST_PAUSE, MOST_REMEMBERED, MOST_SILENT, Entrance

AGENT = Identity("tok", "agt", 4e9)


def test_who_did_nothing_comes_in() -> None:
    Entrance().check(AGENT, MOST_SILENT - 1, 0.0)


def test_a_revoked_token_is_refused_for_good_and_others_of_its_agent_are_not() -> None:
    entrance = Entrance()
    entrance.revoke("tok", "token_revoked")
    with pytest.raises(Unauthenticated) as refused:
        entrance.check(AGENT, 0, 1e9)
    assert refused.value.code == "token_revoked"
    entrance.check(Identity("tok_2", "agt", 4e9), 0, 0.0)


def test_a_disabled_agent_is_refused_until_it_is_enabled_or_the_backend_is_to_be_asked_again() -> None:
    entrance = Entrance()
    entrance.shut_out("agt", "agent_disabled", 0.0)
    with pytest.raises(Forbidden):
        entrance.check(AGENT, 0, 59.0)
    entrance.check(AGENT, 0, 61.0)
    entrance.shut_out("agt", "agent_disabled", 100.0)
    entrance.readmit("agt")
    entrance.check(AGENT, 0, 100.0)


def test_each_violation_soon_after_the_last_makes_the_next_wait_longer_and_time_forgives() -> None:
    entrance = Entrance()
    now, pauses = 0.0, []
    for _ in range(8):
        pauses.append(entrance.pause("tok", now))
        with pytest.raises(Busy) as refused:
            entrance.check(AGENT, 0, now + pauses[-1] - 0.5)
        assert refused.value.retry_after == pytest.approx(0.5)
        now += pauses[-1]
        entrance.check(AGENT, 0, now)
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]
    assert entrance.pause("tok", now + FORGIVEN) == 1.0


def test_a_connection_too_many_that_says_nothing_is_refused_for_now() -> None:
    with pytest.raises(Busy) as refused:
        Entrance().check(AGENT, MOST_SILENT, 0.0)
    assert (refused.value.code, refused.value.retry_after >= 1) == ("too_many_silent", True)


def test_what_is_remembered_is_bounded_and_the_oldest_is_forgotten_first() -> None:
    entrance = Entrance()
    for number in range(MOST_REMEMBERED + 10):
        entrance.revoke(f"tok_{number}", "token_revoked")
        entrance.shut_out(f"agt_{number}", "agent_disabled", 0.0)
        entrance.pause(f"tok_{number}", 0.0)
    for remembered in (entrance._revoked, entrance._shut, entrance._pauses):
        assert len(remembered) == MOST_REMEMBERED
    with pytest.raises(Unauthenticated):
        entrance.check(Identity(f"tok_{MOST_REMEMBERED + 9}", "agt", 4e9), 0, 0.0)
    entrance.check(Identity("tok_0", "agt_0", 4e9), 0, 0.0)
