from __future__ import annotations

from typing import Any, get_args

import pytest

from agentic_atlas.protocol.inside import codec
from agentic_atlas.protocol.inside.messages import Arrived, FromRouter, Identity, ToRouter
from agentic_atlas.protocol.messages import MESSAGES, Answer, Cancel, Hello, InstanceInfo

ALL: list[type[Any]] = [*get_args(FromRouter), *get_args(ToRouter)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_message_is_frozen_and_says_what_answers_it(kind: type[Any]) -> None:
    assert kind.__struct_config__.frozen
    assert kind.__doc__
    assert any(word in kind.__doc__ for word in ("Answered by", "Answers `", "Not answered"))


def test_nobody_says_what_the_other_does_and_a_word_of_the_wire_is_the_message_of_the_wire() -> None:
    assert len({kind.__name__ for kind in ALL}) == len(ALL)
    names = {kind.__name__ for kind in MESSAGES}
    assert {kind for kind in ALL if kind.__name__ in names} == {Cancel, Answer}


@pytest.mark.parametrize("retires_at", [None, 5.0])
def test_who_arrives_with_a_token_that_never_retires_is_the_same_on_the_other_side(retires_at: float | None) -> None:
    identity = Identity("tok_1", "agt_1", 9.0, retires_at=retires_at)
    said = Arrived(7, identity, Hello(1, InstanceInfo("ins_1"), []))
    assert codec.from_router(codec.encode(said)) == said
    assert identity.ends_at == (5.0 if retires_at else 9.0)
