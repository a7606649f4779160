from agentic_atlas.backend.domain.fairness import FairOrder


def test_a_flood_of_one_caller_does_not_push_back_another() -> None:
    order = FairOrder()
    flood = [order.next("flood") for _ in range(1000)]
    single = order.next("single")
    assert sorted([*flood, single]).index(single) <= 1


def test_callers_take_turns() -> None:
    order = FairOrder()
    queue = [(order.next("a"), "a") for _ in range(3)] + [(order.next("b"), "b") for _ in range(3)]
    assert [caller for _, caller in sorted(queue)] == ["a", "b", "a", "b", "a", "b"]


def test_one_caller_keeps_the_order_of_submission() -> None:
    order = FairOrder()
    positions = [order.next("a") for _ in range(10)]
    assert positions == sorted(set(positions))


def test_whoever_was_silent_has_saved_nothing_up() -> None:
    order = FairOrder()
    for _ in range(100):
        order.served(order.next("busy"))
    assert order.next("silent") >= 99.0


def test_after_a_restart_a_caller_goes_on_behind_its_own_tasks() -> None:
    order = FairOrder()
    order.resume([("a", 41.5), ("a", 40.5)])
    assert order.next("a") > 41.5


def test_after_a_restart_a_flood_that_waits_does_not_push_back_a_newcomer() -> None:
    order = FairOrder()
    order.resume([("flood", 1_000.0 + number) for number in range(1_000)])
    assert order.next("single") <= 1_001.0


def test_memory_is_bounded_however_many_callers_there_are() -> None:
    order = FairOrder(callers=100)
    for number in range(10_000):
        order.served(order.next(f"caller {number}"))
    assert len(order._last) <= 101
