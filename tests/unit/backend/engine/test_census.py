from __future__ import annotations

from agentic_atlas.backend.domain.records import CallerRef
from agentic_atlas.backend.engine.census import Census, FairOrder, OpenLimits
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import CALLER, task

OTHER = CallerRef("api_key", "key_2", "usr_1", "ada/desk")
SMALL = OpenLimits(queue_per_agent=2, open_per_caller=3, open_per_user=100, open_tasks=4)


def refusal(census: Census, agent_id: str = "agt_1", caller: CallerRef = CALLER) -> str | None:
    busy = census.check(agent_id, "ada/hello", caller)
    return None if busy is None else busy.code


def test_a_task_is_one_however_often_it_is_seen() -> None:
    census = Census(SMALL)
    for state in (TaskState.SUBMITTED, TaskState.SUBMITTED, TaskState.WORKING, TaskState.SUBMITTED):
        census.see(task(state=state))
    assert len(census) == 1
    assert refusal(census) is None


def test_the_queue_of_an_agent_is_full_whoever_fills_it_and_has_room_when_a_task_is_claimed() -> None:
    census = Census(SMALL)
    census.see(task(id="tsk_1"))
    census.see(task(id="tsk_2", caller=OTHER))
    assert refusal(census) == "agent_queue_full"
    assert refusal(census, "agt_2") is None
    census.see(task(id="tsk_2", caller=OTHER, state=TaskState.WORKING))
    assert refusal(census) is None


def test_a_caller_has_so_many_open_tasks_and_others_are_not_counted() -> None:
    census = Census(SMALL)
    for number in range(3):
        census.see(task(id=f"tsk_{number}", state=TaskState.WORKING))
    assert refusal(census) == "too_many_open_tasks"
    assert refusal(census, caller=OTHER) is None
    census.see(task(id="tsk_0", state=TaskState.COMPLETED))
    assert refusal(census) is None


def test_a_user_has_so_many_open_tasks_however_many_keys_they_use() -> None:
    census = Census(OpenLimits(open_per_user=3))
    for number in range(3):
        census.see(task(id=f"tsk_{number}", caller=CallerRef("api_key", f"key_{number}", "usr_1")))
    assert refusal(census, caller=CallerRef("api_key", "key_9", "usr_1")) == "too_many_open_tasks"
    assert refusal(census, caller=CallerRef("api_key", "key_9", "usr_2")) is None


def test_what_rests_before_a_retry_rests_as_long_when_the_clock_is_set() -> None:
    census = Census()
    census.see(task(not_before=50.0))
    census.shift(100.0)
    assert not census.queues.ready("agt_1", 149.0)
    assert census.queues.ready("agt_1", 150.0)


def test_the_network_has_so_many_open_tasks() -> None:
    census = Census(SMALL)
    for number in range(4):
        caller = CallerRef("api_key", f"key_{number}", "usr_1")
        census.see(task(id=f"tsk_{number}", agent_id=f"agt_{number}", caller=caller))
    assert refusal(census, "agt_9", CallerRef("agent", "agt_1", "usr_1")) == "network_full"


def test_what_has_ended_or_was_not_stored_leaves_nothing_behind() -> None:
    census = Census(SMALL)
    for number in range(100):
        child = task(id=f"tsk_{number}", parent_id="tsk_p", agent_id=f"agt_{number}")
        census.see(child)
        if number % 2:
            census.forget(child.id)
        else:
            census.see(task(id=child.id, parent_id="tsk_p", state=TaskState.FAILED))
    assert len(census) == 0
    assert census.children("tsk_p") == ()
    assert census.queues.agents() == ()
    assert census.held() == ()
    assert not census._by_caller
    assert not census._children


def test_a_task_whose_insert_is_on_its_way_counts_and_nothing_is_done_about_it() -> None:
    census = Census(SMALL)
    census.expect(task(id="tsk_1"))
    census.expect(task(id="tsk_2", state=TaskState.WORKING))
    census.expect(task(id="tsk_3"))
    assert refusal(census) == "agent_queue_full"
    assert not census.queues.ready("agt_1", 1e9)
    assert census.held() == ()
    census.see(task(id="tsk_1"))
    census.see(task(id="tsk_2", state=TaskState.WORKING))
    assert census.queues.ready("agt_1", 1e9)
    assert [held.id for held in census.held()] == ["tsk_2"]


def test_open_children_are_found_by_the_task_that_called_them() -> None:
    census = Census(SMALL)
    census.see(task(id="tsk_1", parent_id="tsk_p"))
    census.see(task(id="tsk_2", parent_id="tsk_p", state=TaskState.WORKING))
    census.see(task(id="tsk_3"))
    assert sorted(census.children("tsk_p")) == ["tsk_1", "tsk_2"]
    census.see(task(id="tsk_2", parent_id="tsk_p", state=TaskState.WORKING, cancel_reason="enough"))
    assert census.children("tsk_p") == ("tsk_1",)


def test_a_task_is_ready_for_its_agent_when_its_time_has_come() -> None:
    census = Census(SMALL)
    census.see(task(id="tsk_1", not_before=50.0))
    assert census.queues.agents() == ("agt_1",)
    assert not census.queues.ready("agt_1", 49.0)
    assert census.queues.ready("agt_1", 50.0)
    census.see(task(id="tsk_1", state=TaskState.WORKING))
    assert not census.queues.ready("agt_1", 50.0)
    assert [held.id for held in census.held()] == ["tsk_1"]


def test_the_states_of_open_tasks_are_counted() -> None:
    census = Census(SMALL)
    for number, state in enumerate((TaskState.SUBMITTED, TaskState.WORKING, TaskState.WORKING, TaskState.FAILED)):
        census.see(task(id=f"tsk_{number}", state=state))
    assert census.states() == {TaskState.SUBMITTED: 1, TaskState.WORKING: 2, TaskState.INPUT_REQUIRED: 0}


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
