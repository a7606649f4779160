from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from agentic_atlas.protocol.inside.messages import Renewed
from agentic_atlas.protocol.messages import (
    MESSAGES,
    NAMES,
    Beat,
    Drain,
    Hello,
    InstanceInfo,
    Limits,
    Message,
    Renewal,
    Side,
    sent_by,
)


def test_the_list_and_the_union_have_the_same_members() -> None:
    assert set(MESSAGES) == set(get_args(Message))
    assert len(MESSAGES) == len(set(MESSAGES))


def test_every_message_has_a_name_of_its_own() -> None:
    assert len(set(NAMES.values())) == len(MESSAGES)


@pytest.mark.parametrize("kind", MESSAGES, ids=NAMES.get)
def test_every_message_has_a_sender_and_says_in_words_what_it_is(kind: type[Message]) -> None:
    assert any(sent_by(kind, side) for side in Side)
    assert kind.__doc__
    assert kind.__struct_config__.frozen


def test_only_what_is_of_the_connection_itself_is_sent_by_both() -> None:
    assert [kind for kind in MESSAGES if all(sent_by(kind, side) for side in Side)] == [Beat, Drain, Renewal]


def test_a_token_is_not_in_the_text_of_what_carries_it() -> None:
    assert "secret" not in repr(Renewal("secret", 1.0))
    assert "secret" not in repr(Renewed(1, "secret", "tok_2"))


def test_each_side_is_the_peer_of_the_other() -> None:
    assert [side.peer.peer for side in Side] == list(Side)
    assert Side.AGENT.peer is Side.ROUTER


def test_two_greetings_do_not_share_their_lists() -> None:
    assert Hello.__struct_defaults__
    assert Limits() == Limits()


@pytest.mark.parametrize("odd", ["\n", "\r", "\x00", "\x1b[2J", "\x7f", "\x9b", "\u2028", "\u202e", "\u200b", "\ufeff"])
@pytest.mark.parametrize("field", ["host", "sdk", "runtime", "code_hash"])
def test_what_a_process_says_of_itself_is_a_line_that_shows_itself(field: str, odd: str) -> None:
    msgspec.convert({"id": "i", field: "Büro 2, größer: 東京"}, InstanceInfo)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "i", field: f"box{odd}"}, InstanceInfo)


@pytest.mark.parametrize("labels", [{"a\n": "b"}, {"a": "b\x1b"}, {"a": "b" * 1025}, {"a": "\u202eb"}])
def test_labels_are_such_lines_too(labels: dict[str, str]) -> None:
    hello = {"protocol": 1, "instance": {"id": "i"}, "skills": []}
    msgspec.convert(hello | {"labels": {"gpu": "yes"}}, Hello)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(hello | {"labels": labels}, Hello)
