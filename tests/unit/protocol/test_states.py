from __future__ import annotations

import pytest

from agentic_atlas.protocol.messages import MESSAGES, Hello, Message, Side, Welcome, sent_by
from agentic_atlas.protocol.states import TRANSITIONS, ConnectionState, after


def test_the_table_has_every_state() -> None:
    assert set(TRANSITIONS) == set(ConnectionState)


def test_every_message_appears_in_the_table() -> None:
    assert {kind for arrows in TRANSITIONS.values() for kind in arrows} == set(MESSAGES)


def test_every_state_is_reached_from_the_first_one_by_messages_or_the_close() -> None:
    reached = {ConnectionState.CONNECTED, ConnectionState.CLOSED}
    for _ in TRANSITIONS:
        reached |= {goal for state in reached for goal in TRANSITIONS[state].values()}
    assert reached == set(ConnectionState)


def test_nothing_is_said_on_a_closed_connection() -> None:
    assert TRANSITIONS[ConnectionState.CLOSED] == {}
    assert all(after(ConnectionState.CLOSED, kind) is None for kind in MESSAGES)


@pytest.mark.parametrize("state", [ConnectionState.CONNECTED, ConnectionState.GREETED])
def test_only_the_greeting_leads_to_a_connection_that_works(state: ConnectionState) -> None:
    wanted: type[Message] = Hello if state is ConnectionState.CONNECTED else Welcome
    assert list(TRANSITIONS[state]) == [wanted]


def test_the_greeting_is_the_agents_and_the_welcome_the_routers() -> None:
    assert sent_by(Hello, Side.AGENT)
    assert not sent_by(Hello, Side.ROUTER)
    assert sent_by(Welcome, Side.ROUTER)
    assert not sent_by(Welcome, Side.AGENT)
