from __future__ import annotations

from agentic_atlas.backend.domain.records import SkillRecord
from agentic_atlas.backend.engine.offers import Offers
from agentic_atlas.protocol.messages import Policy


def skill(name: str, schema: bytes = b"{}") -> SkillRecord:
    return SkillRecord("agt", name, "", schema, b"null", Policy(), streams=False, updated_at=0.0)


def names(offers: Offers) -> list[str]:
    return [one.name for one in offers.offered("agt")]


def test_an_agent_offers_what_any_of_its_connected_instances_has() -> None:
    offers = Offers()
    offers.came("agt", "one", [skill("a"), skill("b")], 1)
    offers.came("agt", "two", [skill("b"), skill("c")], 1)
    assert names(offers) == ["a", "b", "c"]
    assert offers.able("agt", "a") == {"one"}
    assert offers.able("agt", "b") is None, "any will do"
    assert offers.takes("agt", "two", {"a", "b", "c"}) == {"b", "c"}


def test_after_the_wrong_process_has_left_the_right_skills_are_offered_again() -> None:
    offers = Offers()
    offers.came("agt", "right", [skill("greet")], 1)
    offers.came("agt", "wrong", [skill("greet", b'{"other":1}'), skill("colour")], 1)
    assert offers.able("agt", "greet") == {"wrong"}, "the last to register says which schema it is"
    assert offers.left("agt", "wrong", 1)
    assert (names(offers), offers.able("agt", "greet")) == (["greet"], None)
    assert offers.offered("agt") == [skill("greet")]


def test_the_end_of_an_older_connection_takes_nothing_from_its_successor() -> None:
    offers = Offers()
    offers.came("agt", "one", [skill("a")], 1)
    offers.came("agt", "one", [skill("b")])
    assert not offers.left("agt", "one", 1)
    offers.came("agt", "one", [skill("b")], 2)
    assert not offers.left("agt", "one", 1)
    assert not offers.left("agt", "one", None)
    assert names(offers) == ["b"]
    assert offers.left("agt", "one", 2)
    assert names(offers) == []


def test_without_a_connected_instance_nothing_is_known_of_who_may_take_a_task() -> None:
    offers = Offers()
    assert offers.able("agt", "a") is None
    assert offers.takes("agt", "one", {"a"}) == {"a"}
    offers.came("agt", "one", [skill("a")], 1)
    assert offers.able("agt", "b") == frozenset()
