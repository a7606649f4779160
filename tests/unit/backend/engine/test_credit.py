from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.backend.domain.records import SkillRecord
from agentic_atlas.backend.engine.credit import HANDICAP, Credits, Offers
from agentic_atlas.protocol.inside.messages import Credit, Departed, Heard, InstanceRef
from agentic_atlas.protocol.messages import Policy, Resources, RunningAttempt
from agentic_atlas.protocol.tasks import Holdup


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
    offers.stays_out("agt", "one")
    assert names(offers) == ["b"]
    assert offers.left("agt", "one", 2)
    assert names(offers) == []


def test_who_is_not_registered_after_all_takes_nothing_from_the_connection_that_is_there() -> None:
    offers = Offers()
    offers.came("agt", "one", [skill("a")], 1)
    offers.came("agt", "two", [skill("b")], 1)
    offers.came("agt", "one", [skill("c")])
    assert names(offers) == ["b", "c"], "it is stored so, if it is"
    offers.stays_out("agt", "one")
    assert names(offers) == ["a", "b"]
    assert offers.able("agt", "a") == {"one"}
    assert offers.left("agt", "one", 1)
    assert offers.left("agt", "two", 1)
    assert offers.able("agt", "a") is None, "nobody is known"


def test_a_connection_that_ends_while_its_successor_comes_does_not_count_again() -> None:
    offers = Offers()
    offers.came("agt", "one", [skill("a")], 1)
    offers.came("agt", "one", [skill("b")])
    assert not offers.left("agt", "one", 1)
    assert names(offers) == ["b"]
    offers.stays_out("agt", "one")
    assert names(offers) == []


def test_a_task_goes_past_older_ones_only_to_instances_that_may_take_none_of_them() -> None:
    offers = Offers()
    offers.came("agt", "one", [skill("greet")], 1)
    offers.came("agt", "two", [skill("greet"), skill("part")], 1)
    assert offers.able_beside("agt", "greet", []) is None
    assert offers.able_beside("agt", "greet", ["gone"]) is None
    assert offers.able_beside("agt", "greet", ["gone", "part"]) == {"one"}
    assert offers.able_beside("agt", "part", ["gone"]) == {"two"}
    assert not offers.able_beside("agt", "part", ["part"])
    assert offers.able_beside("agt", "part", ["greet"]) == offers.able_beside("new", "greet", ["greet"]) == ()


def test_without_a_connected_instance_nothing_is_known_of_who_may_take_a_task() -> None:
    offers = Offers()
    assert offers.able("agt", "a") is None
    assert offers.takes("agt", "one", {"a"}) == {"a"}
    offers.came("agt", "one", [skill("a")], 1)
    assert offers.able("agt", "b") == frozenset()


GRACE = 30.0


def ref(name: str = "inst", generation: int = 1) -> InstanceRef:
    return InstanceRef("agt", name, generation)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def of(*said: Credit, clock: Clock | None = None) -> Credits:
    credits = Credits(clock or Clock())
    for one in said:
        credits.granted(one)
    return credits


def test_no_more_is_given_than_was_granted() -> None:
    credits = of(Credit(ref(), 2, 2))
    assert [credits.reserve("agt") for _ in range(3)] == [ref(), ref(), None]
    assert credits.give(ref()) == ref()
    assert credits.free("agt") == 0
    assert not credits.granted(Credit(ref(), 2, 2)), "said again, it grants nothing"
    assert credits.granted(Credit(ref(), 2, 3))
    assert credits.free("agt") == 1


def test_a_slot_that_was_not_used_can_be_used_again() -> None:
    credits = of(Credit(ref(), 1, 1))
    credits.reserve("agt")
    credits.release(ref())
    credits.release(ref())
    assert credits.free("agt") == 1


def test_the_least_loaded_instance_is_chosen_and_among_equals_each_in_its_turn() -> None:
    credits = of(*(Credit(ref(name), 10, 10) for name in ("a", "b", "c")), Credit(ref("small"), 2, 1))
    chosen = [credits.reserve("agt") for _ in range(9)]
    assert Counter(chosen) == {ref("a"): 3, ref("b"): 3, ref("c"): 3}
    assert credits.reserve("agt", {"small"}) == ref("small")
    assert credits.reserve("agt", {"small"}) is None
    assert credits.reserve("nobody") is None


def test_an_instance_that_is_held_up_is_given_nothing_and_counts_unless_it_is_about_to_end() -> None:
    credits = of(Credit(ref("a"), 1, 1, Holdup.BLOCKED), Credit(ref("b"), 1, 1, Holdup.DRAINING))
    assert (credits.reserve("agt"), credits.free("agt"), credits.online("agt")) == (None, 0, 1)
    assert credits.granted(Credit(ref("a"), 1, 1))
    assert credits.reserve("agt") == ref("a")


def test_nothing_is_given_once_a_router_is_about_to_end() -> None:
    credits = of(Credit(ref(), 1, 1))
    credits.close()
    assert credits.reserve("agt") is None


def test_what_is_reserved_of_an_instance_stays_reserved_when_it_comes_back() -> None:
    credits = of(Credit(ref(), 2, 2))
    credits.reserve("agt")
    credits.departed(Departed(ref(), 0.0, GRACE))
    assert credits.online("agt") == 0
    credits.granted(Credit(ref(generation=2), 2, 2))
    assert [credits.reserve("agt"), credits.reserve("agt")] == [ref(generation=2), None]
    assert credits.give(ref()) == ref(generation=2), "the task goes to the connection that is there"
    credits.release(ref())
    assert credits.free("agt") == 1


def test_a_task_waits_for_an_instance_that_has_left_unless_it_drained() -> None:
    credits = of(Credit(ref("a"), 1, 1), Credit(ref("b"), 1, 1, Holdup.DRAINING))
    for name in ("a", "b"):
        credits.departed(Departed(ref(name), 0.0, GRACE))
    assert credits.give(ref("a")) == ref("a")
    assert credits.give(ref("b")) is None


def test_what_an_older_connection_still_says_is_of_no_account() -> None:
    credits = of(Credit(ref(generation=2), 1, 1))
    credits.departed(Departed(ref(), 0.0, GRACE))
    assert not credits.granted(Credit(ref(), 5, 5))
    assert (credits.online("agt"), credits.free("agt")) == (1, 1)
    credits.instances.registered(ref(generation=3))
    assert not credits.granted(Credit(ref(generation=2), 1, 2))
    assert credits.instances.latest("inst") == 3


def test_an_instance_says_how_long_it_is_waited_for() -> None:
    clock = Clock()
    credits = of(Credit(ref(), 1, 1), clock=clock)
    assert credits.awaits("agt", "inst") is None
    credits.departed(Departed(ref(), 0.0, GRACE))
    clock.now += 10.0
    assert credits.awaits("agt", "inst") == 20.0
    credits.instances.waits("inst", 25.0)
    assert credits.awaits("agt", "inst") == 25.0
    assert credits.awaits("agt", "another") == 0.0


def test_what_beats_say_is_kept_until_the_next_one() -> None:
    clock, lost = Clock(), RunningAttempt("task", 1)
    credits = of(Credit(ref(), 4, 2), clock=clock)
    credits.beats.heard(Heard(ref(), 7.0, (lost,)))
    clock.now += 3.0
    assert credits.beats.oldest_results() == [("inst", 3.0)], "it could not be acknowledged before"
    assert credits.beats.unheard() == [lost]
    assert credits.beats.silent() == {"agt": 3.0}
    assert [(one.used, one.slots, one.silent) for one in credits.usage("agt")] == [(2, 4, 3.0)]
    credits.beats.abandon(lost)
    assert credits.beats.unheard() == []
    credits.beats.heard(Heard(ref(), 0.0, (lost, RunningAttempt("task", 2))))
    credits.beats.ended(ref(), lost)
    assert credits.beats.unheard() == [RunningAttempt("task", 2)], "what has ended was there"
    credits.beats.heard(Heard(ref()))
    assert credits.beats.oldest_results() == []


def test_what_beats_say_goes_with_their_connection() -> None:
    lost = RunningAttempt("task", 1)
    credits = of(Credit(ref(generation=1), 4, 2), Credit(ref("another"), 4, 2))
    for instance in (ref(generation=1), ref("another")):
        credits.beats.heard(Heard(instance, 7.0, (lost,)))
    credits.granted(Credit(ref(generation=2), 4, 2))
    assert [name for name, _ in credits.beats.oldest_results()] == ["another"], "a newer one has said nothing yet"
    credits.departed(Departed(ref("another"), 0.0, GRACE))
    assert (credits.beats.oldest_results(), credits.beats.unheard()) == ([], [])


def test_reservations_are_told_by_instance() -> None:
    credits = of(Credit(ref("a"), 3, 3), Credit(ref("b"), 1, 1))
    assert credits.reservations() == []
    credits.reserve("agt", {"a"})
    credits.reserve("agt", {"a"})
    assert credits.reservations() == [(ref("a"), 2)]
    credits.release(ref("b"))
    credits.release(ref("a"))
    assert credits.reservations() == [(ref("a"), 1)], "one that has none gives none back"
    credits.release(ref("a"))
    assert credits.reservations() == []


class Far:
    """The router's end of one connection after the other, to and from which messages take their time."""

    def __init__(self, credits: Credits, slots: int) -> None:
        self.credits, self.slots = credits, slots
        self.to_backend: list[Credit] = []
        self.to_router: list[InstanceRef] = []
        self.in_hand = self.received = self.granted = 0
        self.instance = ref(generation=1)
        self.tell()

    def tell(self) -> None:
        self.granted = max(self.granted, self.received + self.slots - self.in_hand)
        self.to_backend.append(Credit(self.instance, self.slots, self.granted))

    def again(self) -> None:
        """The instance comes back, with what it has in hand."""
        self.instance = ref(generation=self.instance.generation + 1)
        self.received = self.granted = 0
        self.tell()

    def step(self, what: str) -> None:
        match what:
            case "hear" if self.to_backend:
                self.credits.granted(self.to_backend.pop(0))
            case "give":
                slot = self.credits.reserve("agt")
                instance = None if slot is None else self.credits.give(slot)
                if instance is not None:
                    self.to_router.append(instance)
            case "arrive" if self.to_router:
                self.received += self.to_router.pop(0) == self.instance
                self.in_hand += 1
            case "end" if self.in_hand:
                self.in_hand -= 1
                self.tell()


@given(st.lists(st.sampled_from(["hear", "give", "arrive", "end"]), max_size=80), st.integers(1, 4))
def test_a_connection_never_has_more_in_hand_than_slots_however_late_everything_comes(
    steps: list[str], slots: int
) -> None:
    far = Far(Credits(Clock()), slots)
    for step in steps:
        far.step(step)
        assert far.in_hand + len(far.to_router) <= slots


@given(st.lists(st.sampled_from(["hear", "give", "arrive", "end", "again"]), max_size=80), st.integers(1, 4))
def test_all_slots_are_free_again_in_the_end_however_often_the_connection_changed(steps: list[str], slots: int) -> None:
    far = Far(Credits(Clock()), slots)
    for step in steps:
        far.again() if step == "again" else far.step(step)
    while far.to_router or far.to_backend or far.in_hand:
        for step in ("arrive", "end", "hear"):
            far.step(step)
    assert far.credits.free("agt") == slots


def test_a_connection_stands_once_it_is_stored_and_until_there_is_a_newer_one() -> None:
    instances = Credits(lambda: 0.0).instances
    instances.registered(ref())
    assert not instances.stands("inst", "tok")
    instances.stored(ref(), "tok")
    assert instances.stands("inst", "tok")
    assert not instances.stands("inst", "other")
    instances.registered(ref(generation=2))
    assert not instances.stands("inst", "tok")
    instances.stored(ref(), "tok")
    assert not instances.stands("inst", "tok"), "what is stored is not the latest"
    instances.stored(ref(generation=2), "tok")
    assert instances.stands("inst", "tok")


def test_an_instance_of_which_nothing_is_known_does_not_stand() -> None:
    instances = Credits(lambda: 0.0).instances
    instances.stored(ref(), "tok")
    assert not instances.stands("inst", "tok")
    instances.waits("inst", 30.0)
    assert not instances.stands("inst", "")


@given(st.lists(st.floats(0, 100) | st.none(), min_size=1, max_size=6), st.integers(0, 3))
def test_among_equals_the_less_loaded_machine_is_preferred_and_none_is_forgotten(
    loads: list[float | None], others: int
) -> None:
    here = [ref(f"i{number}") for number in range(len(loads))]
    credits = of(*(Credit(one, 4, 4) for one in here), Credit(InstanceRef("other", "x", 1), 4, 4))
    for one, load in zip(here, loads, strict=True):
        if load is not None:
            credits.beats.heard(Heard(one, resources=Resources(cores=2.0, machine_cpu=load)))
    quarters = [min(3, int((load or 0.0) // 25)) for load in loads]
    longest = len(loads) + 3 * HANDICAP * len(loads)
    chosen = []
    for _ in range(3 * longest):
        slot = credits.reserve("agt")
        assert slot is not None
        credits.release(slot)
        chosen.append(here.index(slot))
        for _ in range(others):
            busy = credits.reserve("other")
            assert busy is not None, "what another agent is given is nothing to this one"
            credits.release(busy)
    assert quarters[chosen[0]] == min(quarters)
    for begin in range(2 * longest):
        assert set(chosen[begin : begin + longest]) == set(range(len(loads))), "nobody is forgotten"
    taken = Counter(chosen)
    for one, other in ((a, b) for a in taken for b in taken if quarters[a] < quarters[b]):
        assert taken[one] > taken[other]


def test_free_slots_count_before_the_load_of_a_machine() -> None:
    credits = of(Credit(ref("a"), 2, 1), Credit(ref("b"), 2, 2))
    credits.beats.heard(Heard(ref("b"), resources=Resources(cores=1.0, machine_cpu=100.0)))
    slot = credits.reserve("agt")
    assert slot is not None
    assert slot.instance_id == "b"


def test_instances_and_slots_of_all_agents_are_counted_together() -> None:
    credit = Credits(lambda: 0.0)
    assert credit.totals() == (Counter(), 0, 0)
    first, second = InstanceRef("agt_1", "ins_1", 1), InstanceRef("agt_2", "ins_2", 1)
    credit.granted(Credit(first, 3, 3))
    credit.granted(Credit(second, 2, 2, Holdup.DRAINING))
    slot = credit.reserve("agt_1")
    assert slot == first
    assert credit.totals() == (Counter({None: 1, Holdup.DRAINING: 1}), 1, 5)
    credit.departed(Departed(second, 0.0, 30.0, expected=True))
    assert credit.totals() == (Counter({None: 1}), 1, 3)
