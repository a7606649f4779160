from __future__ import annotations

import pytest

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    HELLO_BYTES,
    MESSAGES,
    Accept,
    Beat,
    Hello,
    InstanceInfo,
    Limits,
    Message,
    Side,
    Welcome,
    sent_by,
)
from agentic_atlas.protocol.session import TRANSITIONS, ConnectionState, Session

HELLO = Hello(1, InstanceInfo("inst_1"), [])


def welcome(limits: Limits) -> Welcome:
    return Welcome("echo", "ada", "inst_1", 1, limits, 10.0, 30.0, 0.0)


def ready(limits: Limits | None = None) -> tuple[Session, Session]:
    agent, router = Session(Side.AGENT), Session(Side.ROUTER, limits)
    router.receive(agent.send(HELLO))
    agent.receive(router.send(welcome(router.limits)))
    return agent, router


def test_a_greeting_and_a_welcome_make_both_ends_ready() -> None:
    agent, router = ready()
    assert (agent.state, router.state) == (ConnectionState.READY, ConnectionState.READY)


def test_the_agent_takes_over_the_limits_it_is_told() -> None:
    agent, _ = ready(Limits(message_bytes=300))
    assert agent.limits.message_bytes == 300
    with pytest.raises(ProtocolError, match="over the limit"):
        agent.receive(b" " * 301)


def test_a_greeting_of_the_longest_length_is_taken_and_a_longer_one_is_not() -> None:
    start, end = codec.encode(HELLO)[:-1] + b',"z":"', b'"}'
    longest = start + b"x" * (HELLO_BYTES - len(start + end)) + end
    assert Session(Side.ROUTER).receive(longest) == HELLO
    with pytest.raises(ProtocolError) as refused:
        Session(Side.ROUTER).receive(longest + b" ")
    assert (refused.value.code, refused.value.close_code) == ("hello_too_big", 4108)


def test_an_agent_takes_what_its_router_has_put_together_from_several_messages() -> None:
    agent, router = ready()
    many = b'{"type":"reply","id":"c","kind":"result","data":[%b]}' % b",".join([b"[]"] * (codec.CONTAINERS + 1))
    agent.receive(many)
    with pytest.raises(ProtocolError) as refused:
        router.receive(many)
    assert refused.value.code == "too_many_containers"


def test_a_second_greeting_closes_the_router_end() -> None:
    _, router = ready()
    with pytest.raises(ProtocolError) as refused:
        router.receive(codec.encode(HELLO))
    assert (refused.value.code, refused.value.close_code) == ("out_of_order", 4107)
    assert router.state is ConnectionState.CLOSED


def test_a_message_of_the_wrong_side_closes() -> None:
    agent, _ = ready()
    with pytest.raises(ProtocolError) as refused:
        agent.receive(codec.encode(Accept("t", 1)))
    assert refused.value.code == "wrong_sender"
    assert agent.state is ConnectionState.CLOSED


def test_work_before_the_welcome_is_refused() -> None:
    router = Session(Side.ROUTER)
    with pytest.raises(ProtocolError, match="beat is not allowed while connected"):
        router.receive(codec.encode(Beat(1)))


def test_a_mistake_of_our_own_changes_nothing() -> None:
    agent, _ = ready()
    with pytest.raises(ProtocolError):
        agent.send(welcome(Limits()))
    with pytest.raises(ProtocolError):
        agent.send(HELLO)
    assert agent.state is ConnectionState.READY


def test_after_the_close_nothing_is_sent_or_taken() -> None:
    agent, router = ready()
    router.close()
    with pytest.raises(ProtocolError):
        router.send(Beat(1))
    with pytest.raises(ProtocolError):
        router.receive(agent.send(Beat(1)))


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
    assert all(TRANSITIONS[ConnectionState.CLOSED].get(kind) is None for kind in MESSAGES)


@pytest.mark.parametrize("state", [ConnectionState.CONNECTED, ConnectionState.GREETED])
def test_only_the_greeting_leads_to_a_connection_that_works(state: ConnectionState) -> None:
    wanted: type[Message] = Hello if state is ConnectionState.CONNECTED else Welcome
    assert list(TRANSITIONS[state]) == [wanted]


def test_the_greeting_is_the_agents_and_the_welcome_the_routers() -> None:
    assert sent_by(Hello, Side.AGENT)
    assert not sent_by(Hello, Side.ROUTER)
    assert sent_by(Welcome, Side.ROUTER)
    assert not sent_by(Welcome, Side.AGENT)
