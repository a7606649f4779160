"""Whatever is said, in whatever order, both ends of a connection are in a state of the table."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import MESSAGES, Message, Side, sent_by
from agentic_atlas.protocol.session import TRANSITIONS, ConnectionState, Session
from tests.properties.wire import MESSAGE, messages_of

STEPS = st.lists(st.tuples(MESSAGE, st.sampled_from(Side)), max_size=12)


def exchange(message: Message, sender: Session, receiver: Session) -> bool:
    """Send a message from one end to the other; False when an end refused it."""
    try:
        receiver.receive(sender.send(message))
    except ProtocolError:
        return False
    return True


@settings(max_examples=40)
@given(STEPS)
def test_both_ends_agree_on_the_state_after_any_conversation(steps: list[tuple[Message, Side]]) -> None:
    ends = {side: Session(side) for side in Side}
    for message, side in steps:
        before = ends[side].state
        went = exchange(message, ends[side], ends[side.peer])
        allowed = sent_by(type(message), side) and type(message) in TRANSITIONS[before]
        assert went == allowed
        assert ends[Side.AGENT].state is ends[Side.ROUTER].state
        assert ends[side].state is (TRANSITIONS[before][type(message)] if allowed else before)


@settings(max_examples=40)
@given(st.lists(MESSAGE | st.binary(max_size=40), max_size=12), st.sampled_from(Side))
def test_a_session_that_refused_something_is_closed_for_good(said: list[Message | bytes], side: Side) -> None:
    session = Session(side)
    refused = False
    for item in said:
        data = item if isinstance(item, bytes) else codec.encode(item)
        try:
            session.receive(data)
        except ProtocolError:
            refused = True
        else:
            assert not refused
        assert session.state in ConnectionState
        assert (session.state is ConnectionState.CLOSED) == refused


@settings(max_examples=40)
@given(st.data(), st.sampled_from(Side))
def test_nothing_is_sent_after_the_close(data: st.DataObject, side: Side) -> None:
    session = Session(side)
    session.close()
    message = data.draw(st.sampled_from(MESSAGES).flatmap(messages_of))
    try:
        session.send(message)
    except ProtocolError as refused:
        assert refused.code in {"wrong_sender", "out_of_order"}
    else:
        raise AssertionError("a closed session sent something")
