from __future__ import annotations

from agentic_atlas.protocol.inside.messages import Identity
from agentic_atlas.router.hub import Claim, Hub


class Peer:
    def __init__(self, token_id: str, instance_id: str = "inst", agent_id: str = "agt") -> None:
        self.identity = Identity(token_id, agent_id, 0.0)
        self.instance_id = instance_id


def arrived(hub: Hub[Peer], *peers: Peer) -> None:
    for peer in peers:
        hub.arrive(peer)


def ready(hub: Hub[Peer], peer: Peer) -> list[Peer]:
    hub.arrive(peer)
    assert not hub.greet(peer).taken
    return hub.admitted(peer)


def test_a_connection_that_said_nothing_is_found_by_token_and_agent_and_is_not_online() -> None:
    hub: Hub[Peer] = Hub()
    peer, other = Peer("tok"), Peer("tok_2", agent_id="other")
    arrived(hub, peer, other)
    assert hub.with_tokens(["tok", "nobody's"]) == [peer]
    assert hub.of_agent("agt") == [peer]
    assert hub.everyone() == [peer, other]
    assert (len(list(hub.ready("agt"))), hub.find("agt", "inst")) == (0, None)


def test_an_admitted_connection_is_found_by_its_instance() -> None:
    hub: Hub[Peer] = Hub()
    peer = Peer("tok")
    assert ready(hub, peer) == []
    assert (hub.find("agt", "inst"), list(hub.ready("agt")), len(list(hub.ready("agt")))) == (peer, [peer], 1)
    assert hub.find("other", "inst") is None


def test_the_end_of_an_older_connection_does_not_touch_its_successor() -> None:
    hub: Hub[Peer] = Hub()
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
    hub: Hub[Peer] = Hub()
    old, new = Peer("tok", "inst_1"), Peer("tok", "inst_2")
    ready(hub, old)
    hub.arrive(new)
    assert hub.greet(new).holder is old
    hub.leave(old)
    assert hub.admitted(new) == []
    assert list(hub.ready("agt")) == [new]


def test_only_one_connection_is_on_its_way_to_a_seat() -> None:
    hub: Hub[Peer] = Hub()
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
    hub: Hub[Peer] = Hub()
    old, new = Peer("tok_1"), Peer("tok_2")
    ready(hub, old)
    assert ready(hub, new) == [old]
    assert len(list(hub.ready("agt"))) == 1


def test_instances_of_two_agents_with_the_same_id_have_nothing_to_do_with_each_other() -> None:
    hub: Hub[Peer] = Hub()
    one, other = Peer("tok_1", agent_id="one"), Peer("tok_2", agent_id="other")
    assert ready(hub, one) == ready(hub, other) == []
    assert (hub.find("one", "inst"), hub.find("other", "inst")) == (one, other)


def test_nothing_is_kept_of_those_who_left() -> None:
    hub: Hub[Peer] = Hub()
    peers = [Peer(f"tok_{n}", f"inst_{n}", f"agt_{n % 2}") for n in range(4)]
    for peer in peers[:3]:
        ready(hub, peer)
    hub.arrive(peers[3])
    hub.greet(peers[3])
    for peer in peers:
        hub.leave(peer)
        hub.leave(peer)
    assert vars(hub) == {name: {} for name in vars(hub)}
