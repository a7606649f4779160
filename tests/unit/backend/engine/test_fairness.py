from agentic_atlas.backend.engine.fairness import FairOrder


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


def test_after_a_restart_a_flood_that_waits_does_not_come_before_a_new_caller() -> None:
    before = FairOrder()
    flood = [("flood", before.next("flood")) for _ in range(1000)]
    order = FairOrder()
    order.resume(flood, held=[])
    single = order.next("single")
    assert sorted([*(position for _, position in flood), single]).index(single) <= 1
    assert order.next("flood") > flood[-1][1]


def test_after_a_restart_the_clock_is_where_the_last_task_was_served() -> None:
    order = FairOrder()
    order.resume([("retried", 3.0), ("flood", 42.0)], held=[40.0, 41.0])
    assert order.next("single") == 41.0


def test_a_restart_without_open_tasks_begins_anew() -> None:
    order = FairOrder()
    order.resume([], held=[])
    assert order.next("a") == FairOrder().next("a")


def test_a_place_that_is_given_back_is_the_callers_next_one_again() -> None:
    order = FairOrder()
    first = order.next("a")
    for _ in range(400):
        order.give_back("a", order.next("a"))
    assert order.next("a") == first + 1.0


def test_memory_is_bounded_however_many_callers_there_are() -> None:
    order = FairOrder(callers=100)
    for number in range(10_000):
        order.served(order.next(f"caller {number}"))
    assert len(order._last) <= 101
