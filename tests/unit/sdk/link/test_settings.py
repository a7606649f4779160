"""The agent's times fit to each other and to the router's."""

from __future__ import annotations

from msgspec.structs import astuple

from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.sdk.link.settings import Runtime, Timeouts

AGENT, ROUTER = Timeouts(), RouterSettings()


def test_the_agent_waits_for_what_the_router_may_take() -> None:
    assert AGENT.welcome > ROUTER.admit_within
    assert AGENT.connect > ROUTER.handshake_within
    assert AGENT.close >= ROUTER.close_within
    assert AGENT.in_use >= ROUTER.token_in_use_again


def test_a_silent_connection_is_given_up_while_the_router_still_keeps_its_tasks() -> None:
    assert AGENT.silent_beats * ROUTER.beat_every + AGENT.connect < ROUTER.grace + ROUTER.admit_within
    assert AGENT.probe < ROUTER.grace


def test_a_blocked_loop_is_noticed_by_the_agent_as_soon_as_the_router_gives_it_nothing() -> None:
    assert AGENT.lag <= ROUTER.max_lag
    assert AGENT.tick < AGENT.lag


def test_no_wait_is_none() -> None:
    assert all(seconds > 0 for seconds in astuple(AGENT))


def test_two_agents_of_one_process_have_a_disk_each_and_clocks_that_only_pass() -> None:
    one, other = Runtime(), Runtime()
    assert one.spool is not other.spool
    assert one.clock() <= one.clock()
    assert 0.0 <= one.random() < 1.0
    assert one.tls is None
