"""The router's times fit together, so that one does not take away what another one grants."""

from __future__ import annotations

from dataclasses import astuple

from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk.link.settings import Timeouts

ROUTER, AGENT = RouterSettings(), Timeouts()


def test_a_dead_connection_is_noticed_before_its_tasks_would_be_lost_by_it_alone() -> None:
    assert ROUTER.beat_every * ROUTER.silent_beats < ROUTER.grace


def test_who_is_sent_away_for_the_token_of_a_dead_instance_finds_it_free_the_next_time() -> None:
    assert ROUTER.beat_every * ROUTER.silent_beats <= ROUTER.token_in_use_again


def test_a_newcomer_is_answered_while_it_still_waits_also_when_an_older_one_is_asked_first() -> None:
    assert ROUTER.ping_old < ROUTER.admit_within
    assert ROUTER.hello_within < ROUTER.grace
    assert ROUTER.ping_old + ROUTER.admit_within < AGENT.welcome


def test_it_is_looked_often_enough_for_each_deadline() -> None:
    for deadline in (ROUTER.hello_within, ROUTER.stalled, ROUTER.close_within, ROUTER.beat_every, ROUTER.busy_pause):
        assert ROUTER.tick <= deadline / 2


def test_nothing_is_at_once_or_never_but_a_limit_that_is_not_set() -> None:
    assert all(value > 0 for value in astuple(RouterSettings(max_connections_per_address=1)))
    assert ROUTER.max_connections_per_address == 0
