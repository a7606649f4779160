from __future__ import annotations

from typing import Any

from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.router.hub import Claim, Hub, Leases

A, B = RunningAttempt("task_a", 1), RunningAttempt("task_b", 2)


class Peer:
    def __init__(self, token_id: str, instance_id: str = "inst", agent_id: str = "agt") -> None:
        self.identity = Identity(token_id, agent_id, 0.0)
        self.instance_id = instance_id


def arrived(hub: Hub, *peers: Peer) -> None:
    for peer in peers:
        hub.arrive(peer)


def ready(hub: Hub, peer: Peer) -> list[Peer]:
    hub.arrive(peer)
    assert not hub.greet(peer).taken
    return hub.admitted(peer)


def test_a_connection_that_said_nothing_is_found_by_token_and_agent_and_is_not_online() -> None:
    hub: Hub = Hub()
    peer, other = Peer("tok"), Peer("tok_2", agent_id="other")
    arrived(hub, peer, other)
    assert hub.with_tokens(["tok", "nobody's"]) == [peer]
    assert hub.of_agent("agt") == [peer]
    assert hub.everyone() == [peer, other]
    assert (len(list(hub.ready("agt"))), hub.find("agt", "inst")) == (0, None)


def test_an_admitted_connection_is_found_by_its_instance() -> None:
    hub: Hub = Hub()
    peer = Peer("tok")
    assert ready(hub, peer) == []
    assert (hub.find("agt", "inst"), list(hub.ready("agt")), len(list(hub.ready("agt")))) == (peer, [peer], 1)
    assert hub.find("other", "inst") is None


def test_the_end_of_an_older_connection_does_not_touch_its_successor() -> None:
    hub: Hub = Hub()
    old, new = Peer("tok"), Peer("tok")
    ready(hub, old)
    assert ready(hub, new) == [old]
    hub.leave(old)
    assert hub.find("agt", "inst") is new
    assert hub.with_tokens(["tok"]) == [new]
    third = Peer("tok", "inst_2")
    hub.arrive(third)
    assert hub.greet(third) == Claim(holder=new)


def test_the_seat_of_a_token_is_free_again_when_its_holder_leaves() -> None:
    hub: Hub = Hub()
    old, new = Peer("tok", "inst_1"), Peer("tok", "inst_2")
    ready(hub, old)
    hub.arrive(new)
    assert hub.greet(new).holder is old
    hub.leave(old)
    assert hub.admitted(new) == []
    assert list(hub.ready("agt")) == [new]


def test_only_one_connection_is_on_its_way_to_a_seat() -> None:
    hub: Hub = Hub()
    first, rival, again = Peer("tok", "inst_1"), Peer("tok", "inst_2"), Peer("tok", "inst_1")
    arrived(hub, first, rival, again)
    assert hub.greet(first) == Claim()
    assert hub.greet(rival) == Claim(taken=True)
    assert hub.greet(again) == Claim(superseded=first)
    hub.leave(first)
    hub.leave(rival)
    assert hub.on_their_way() == [again]
    assert hub.coming("agt", "inst_1") is again
    hub.admitted(again)
    assert (hub.on_their_way(), hub.coming("agt", "inst_1")) == ([], None)


def test_an_instance_with_a_new_token_takes_the_place_of_its_older_connection() -> None:
    hub: Hub = Hub()
    old, new = Peer("tok_1"), Peer("tok_2")
    ready(hub, old)
    assert ready(hub, new) == [old]
    assert len(list(hub.ready("agt"))) == 1


def test_instances_of_two_agents_with_the_same_id_have_nothing_to_do_with_each_other() -> None:
    hub: Hub = Hub()
    one, other = Peer("tok_1", agent_id="one"), Peer("tok_2", agent_id="other")
    assert ready(hub, one) == ready(hub, other) == []
    assert (hub.find("one", "inst"), hub.find("other", "inst")) == (one, other)


def test_nothing_is_kept_of_those_who_left() -> None:
    hub: Hub = Hub()
    peers = [Peer(f"tok_{n}", f"inst_{n}", f"agt_{n % 2}") for n in range(4)]
    for peer in peers[:3]:
        ready(hub, peer)
    hub.arrive(peers[3])
    hub.greet(peers[3])
    for peer in peers:
        hub.leave(peer)
        hub.leave(peer)
    assert vars(hub) == {name: {} for name in vars(hub)}


def lost(leases: Leases, *when: Any, **more: Any) -> list[RunningAttempt]:
    """Return the attempts whose lease has run out."""
    return [one.attempt for one in leases.expired(*when, **more)]


def test_what_a_live_connection_holds_never_runs_out() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    assert lost(leases, 1e12) == []
    assert (leases.holder(A), leases.instance(A)) == (1, "inst")


def test_after_the_end_of_a_connection_its_attempts_run_out_at_the_time_given_and_once() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.hold(B, "inst", 2, "tok")
    leases.departed(1, 30.0)
    assert leases.holder(A) is None
    assert lost(leases, 29.9) == []
    assert lost(leases, 30.0) == [A]
    assert lost(leases, 31.0) == []
    assert (leases.instance(A), leases.holder(B)) == (None, 2)


def test_the_end_of_an_older_connection_does_not_touch_what_its_successor_holds() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.hold(A, "inst", 2, "tok")
    leases.departed(1, 0.0)
    assert lost(leases, 100.0) == []
    leases.departed(2, 130.0)
    leases.departed(1, 0.0)
    assert lost(leases, 129.0) == []


def test_an_instance_that_comes_back_holds_its_attempt_again() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.departed(1, 30.0)
    leases.hold(A, "inst", 2, "tok")
    assert lost(leases, 100.0) == []


def test_an_attempt_that_was_dropped_is_never_lost() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.keep(B, "inst", 10.0)
    leases.drop(A)
    leases.drop(B)
    leases.drop(RunningAttempt("nobody's", 1))
    leases.departed(1, 0.0)
    assert (lost(leases, 100.0), len(leases)) == ([], 0)


def test_attempts_of_an_earlier_process_wait_for_their_instance() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0)
    leases.keep(B, "inst_2", 30.0)
    leases.hold(A, "inst", 1, "tok")
    assert lost(leases, 30.0) == [B]


def test_an_instance_that_is_being_let_in_has_a_little_more_time_and_no_other_has() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0, lineage="tok")
    leases.keep(B, "inst_2", 30.0, lineage="tok")
    assert lost(leases, 31.0, {("inst", "tok")}, 12.0) == [B]
    assert lost(leases, 42.0, {("inst", "tok")}, 12.0) == [A]


def test_who_names_an_instance_of_another_token_puts_nothing_off() -> None:
    leases = Leases()
    leases.hold(A, "inst", 1, "tok")
    leases.departed(1, 30.0)
    assert leases.prolong({("inst", "tok_2"), ("inst", "")}, 60.0, 300.0) == set()
    assert lost(leases, 30.0, {("inst", "tok_2")}, 12.0) == [A]


def test_what_an_instance_left_is_put_off_for_its_own_token_up_to_a_limit() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0, lineage="tok")
    for until in (60.0, 90.0, 120.0):
        assert leases.prolong({("inst", "tok")}, until, 70.0) == {"inst"}
    assert lost(leases, 99.9) == []
    assert lost(leases, 100.0) == [A]


def test_time_that_is_forgiven_does_not_count() -> None:
    leases = Leases()
    leases.keep(A, "inst", 30.0)
    leases.hold(B, "inst", 1, "tok")
    leases.forgive(100.0)
    assert lost(leases, 129.0) == []
    assert lost(leases, 130.0) == [A]


def test_two_attempts_of_one_task_are_two_leases() -> None:
    leases = Leases()
    leases.hold(RunningAttempt("task", 1), "inst", 1, "tok")
    leases.hold(RunningAttempt("task", 2), "inst_2", 2, "tok")
    leases.departed(1, 0.0)
    assert lost(leases, 0.0) == [RunningAttempt("task", 1)]
    assert leases.holder(RunningAttempt("task", 2)) == 2
