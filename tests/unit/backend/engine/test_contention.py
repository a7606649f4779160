"""Who came with a token that another one was using."""

from __future__ import annotations

from agentic_atlas.backend.engine.contention import MOST_AGENTS, MOST_OF_AGENT, Contention, TurnedDown
from agentic_atlas.protocol.inside.messages import Contested, Identity
from agentic_atlas.protocol.messages import InstanceInfo


def came(newcomer: str, agent_id: str = "agt") -> Contested:
    return Contested(Identity("tok", agent_id, 4e9), InstanceInfo(newcomer), "ins_1")


def test_each_is_known_by_the_last_time_that_it_came_and_the_last_one_comes_first() -> None:
    now = [0.0]
    contention = Contention(lambda: now[0])
    for now[0], newcomer in ((1.0, "a"), (2.0, "b"), (3.0, "a")):
        contention.note(came(newcomer))
    assert [(at, said.newcomer.id) for at, said in contention.of("agt")] == [(3.0, "a"), (2.0, "b")]
    assert contention.of("other") == []


def test_what_is_remembered_is_bounded() -> None:
    contention = Contention(lambda: 1.0)
    for number in range(MOST_OF_AGENT + 2):
        contention.note(came(f"ins_{number}"))
    assert [said.newcomer.id for _, said in contention.of("agt")] == ["ins_6", "ins_5", "ins_4", "ins_3", "ins_2"]
    for number in range(MOST_AGENTS):
        contention.note(came("a", f"agt_{number}"))
    assert contention.of("agt") == []
    assert contention.of("agt_0")


def test_who_was_kept_out_is_known_by_the_last_time_that_it_came_for_the_same_reason() -> None:
    now = [0.0]
    contention = Contention(lambda: now[0])
    for now[0], code in ((1.0, "wrong_agent"), (2.0, "token_revoked"), (3.0, "wrong_agent")):
        contention.keep_out(TurnedDown("agt", "tok", code))
    assert [(at, said.code) for at, said in contention.kept_out("agt")] == [
        (3.0, "wrong_agent"),
        (2.0, "token_revoked"),
    ]
    assert contention.of("agt") == contention.kept_out("other") == []
