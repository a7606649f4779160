from __future__ import annotations

from typing import get_args

import pytest

from agentic_atlas.protocol.messages import MESSAGES, Beat, Drain, Hello, Limits, Message, Side, name_of, sent_by


def test_the_list_and_the_union_have_the_same_members() -> None:
    assert set(MESSAGES) == set(get_args(Message))
    assert len(MESSAGES) == len(set(MESSAGES))


def test_every_message_has_a_name_of_its_own() -> None:
    assert len({name_of(kind) for kind in MESSAGES}) == len(MESSAGES)


@pytest.mark.parametrize("kind", MESSAGES, ids=name_of)
def test_every_message_has_a_sender_and_says_in_words_what_it_is(kind: type[Message]) -> None:
    assert any(sent_by(kind, side) for side in Side)
    assert kind.__doc__
    assert kind.__struct_config__.frozen


def test_only_beat_and_drain_are_sent_by_both() -> None:
    assert [kind for kind in MESSAGES if all(sent_by(kind, side) for side in Side)] == [Beat, Drain]


def test_each_side_is_the_peer_of_the_other() -> None:
    assert [side.peer.peer for side in Side] == list(Side)
    assert Side.AGENT.peer is Side.ROUTER


def test_two_greetings_do_not_share_their_lists() -> None:
    assert Hello.__struct_defaults__
    assert Limits() == Limits()
