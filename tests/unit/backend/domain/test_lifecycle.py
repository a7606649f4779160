from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change, on_report
from agentic_atlas.backend.domain.records import Task, TaskEventKind, TaskFailure
from agentic_atlas.protocol import messages
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import (
    Accept,
    Delivery,
    Event,
    EventKind,
    Fault,
    Outcome,
    Question,
    Raw,
    Refuse,
    RefuseReason,
    Report,
    Result,
)
from agentic_atlas.protocol.tasks import LEASED, TERMINAL, Loss, TaskState
from tests.unit.backend.domain.examples import must, running, task

BROKEN = TaskFailure("handler_error", "ValueError: no")


def test_a_task_goes_from_submit_to_completed_with_events_numbered_without_gaps() -> None:
    changes = [lifecycle.submit(task())]
    for step in (
        lambda now: lifecycle.claim(now, "ins_1", 101.0),
        lambda now: lifecycle.accept(now, 1, 102.0),
        lambda now: lifecycle.report(now, 1, 1, TaskEventKind.PROGRESS, b'{"fraction":0.5}', 103.0),
        lambda now: lifecycle.complete(now, 1, b'"done"', 104.0),
    ):
        change = step(changes[-1].task)
        assert change is not None
        changes.append(change)
    ended = changes[-1].task
    assert (ended.state, ended.output, ended.ended_at, ended.attempt) == (TaskState.COMPLETED, b'"done"', 104.0, 1)
    events = [event for change in changes for event in change.events]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert [event.kind.value for event in events] == ["state", "state", "state", "progress", "state"]
    assert msgspec.json.decode(events[2].data) == {
        "state": "working",
        "attempt": 1,
        "instance": "ins_1",
        "accepted": True,
    }


def test_a_terminal_task_never_changes_again() -> None:
    ended = must(lifecycle.complete(running(), 1, b"1", 103.0))
    assert lifecycle.complete(ended, 1, b"2", 104.0) is None
    assert lifecycle.fail(ended, 1, BROKEN, 104.0) is None
    assert lifecycle.cancel(ended, "why", 104.0) is None
    assert lifecycle.force(ended, None, BROKEN, 104.0) is None
    assert lifecycle.lose(ended, 1, 104.0) is None
    assert lifecycle.claim(ended, "ins_2", 104.0) is None


def test_what_is_said_of_an_older_attempt_changes_nothing() -> None:
    second = must(lifecycle.claim(must(lifecycle.lose(running(), 1, 140.0)), "ins_2", 141.0))
    assert second.attempt == 2
    assert lifecycle.complete(second, 1, b"1", 142.0) is None
    assert lifecycle.report(second, 1, 1, TaskEventKind.LOG, b"{}", 142.0) is None
    assert lifecycle.lose(second, 1, 142.0) is None
    assert lifecycle.accept(second, 1, 142.0) is None


def test_an_event_that_is_stored_already_or_out_of_turn_is_ignored() -> None:
    first = must(lifecycle.report(running(), 1, 1, TaskEventKind.LOG, b"{}", 103.0))
    assert lifecycle.report(first, 1, 1, TaskEventKind.LOG, b"{}", 104.0) is None
    assert lifecycle.report(first, 1, 3, TaskEventKind.LOG, b"{}", 104.0) is None
    assert must(lifecycle.report(first, 1, 2, TaskEventKind.LOG, b"{}", 104.0)).last_n == 2


def test_a_handler_error_is_retried_as_often_as_the_policy_says_and_later_each_time() -> None:
    first = must(lifecycle.fail(running(retries=2, backoff=4.0), 1, BROKEN, 110.0))
    assert (first.state, first.not_before) == (TaskState.SUBMITTED, 114.0)
    second = must(lifecycle.claim(first, "ins_1", 114.0))
    again = must(lifecycle.fail(second, 2, BROKEN, 120.0))
    assert (again.state, again.not_before) == (TaskState.SUBMITTED, 128.0)
    third = must(lifecycle.claim(again, "ins_1", 128.0))
    last = must(lifecycle.fail(third, 3, BROKEN, 130.0))
    assert (last.state, last.error) == (TaskState.FAILED, BROKEN)


def test_a_handler_error_of_an_at_most_once_task_is_final_whatever_retries_say() -> None:
    once = running(retries=5, delivery=Delivery.AT_MOST_ONCE)
    assert must(lifecycle.fail(once, 1, BROKEN, 110.0)).state is TaskState.FAILED


def test_other_errors_are_final() -> None:
    invalid = TaskFailure("invalid_output", "not JSON")
    assert must(lifecycle.fail(running(retries=5), 1, invalid, 110.0)).state is TaskState.FAILED


def test_a_lost_attempt_is_repeated_while_the_policy_has_some_left() -> None:
    again = must(lifecycle.lose(running(max_attempts=2), 1, 140.0))
    assert (again.state, again.losses) == (TaskState.SUBMITTED, 1)
    second = must(lifecycle.claim(again, "ins_2", 141.0))
    lost = must(lifecycle.lose(second, 2, 180.0))
    assert (lost.state, lost.losses) == (TaskState.FAILED, 2)


def test_a_task_that_was_lost_for_good_says_how_often_and_why() -> None:
    often = running(max_attempts=3)
    for attempt, why in enumerate((Loss.SILENT, Loss.ENDED, Loss.LEFT), 1):
        often = must(lifecycle.lose(often, attempt, 140.0, why))
        if not often.terminal:
            often = must(lifecycle.claim(often, "ins_2", 141.0))
    assert often.error is not None
    assert (often.error.code, often.error.message) == (
        "agent_lost",
        "the agent that ran this task was lost 3 times; the last time it closed its connection, and did not come back "
        "in time",
    )


@pytest.mark.parametrize("why", list(Loss))
def test_each_loss_says_in_the_log_of_its_task_what_is_known_of_it(why: Loss) -> None:
    change = lifecycle.lose(running(), 1, 140.0, why)
    assert change is not None
    told = msgspec.json.decode(change.events[0].data, type=lifecycle.StateData)
    assert (told.code, told.message) == ("agent_lost", lifecycle.agent_lost(1, why).message)
    texts = {lifecycle.agent_lost(1, one).message for one in Loss}
    assert len(texts) == len(Loss)


def test_a_loss_while_the_task_waits_for_a_person_is_none_of_those_that_are_counted() -> None:
    asks = messages.Question(1, "Go on?")
    waiting = running(max_attempts=2)
    for attempt in range(1, 6):
        waiting = must(lifecycle.ask(waiting, attempt, 1, asks, 103.0))
        waiting = must(lifecycle.lose(waiting, attempt, 140.0))
        assert (waiting.state, waiting.losses) == (TaskState.SUBMITTED, 0)
        waiting = must(lifecycle.claim(waiting, "ins_2", 141.0))
    assert must(lifecycle.lose(waiting, 6, 180.0)).losses == 1


def test_a_task_that_must_not_run_twice_is_over_when_it_is_lost_while_it_waits_for_a_person() -> None:
    asked = must(lifecycle.ask(running(delivery=Delivery.AT_MOST_ONCE), 1, 1, messages.Question(1, "Go on?"), 103.0))
    assert must(lifecycle.lose(asked, 1, 140.0)).state is TaskState.FAILED


def test_a_task_that_was_lost_is_not_ended_by_how_long_it_was_to_wait_for_its_first_agent() -> None:
    again = must(lifecycle.lose(running(created_at=100.0, queue_expires_at=160.0), 1, 500.0))
    assert again.queue_expires_at == 500.0 + lifecycle.WAITS_AGAIN


def test_a_task_that_was_refused_waits_no_longer_than_it_was_to() -> None:
    claimed = must(lifecycle.claim(task(queue_expires_at=160.0), "ins_1", 101.0))
    assert must(lifecycle.refuse(claimed, 1, 102.0)).queue_expires_at == 160.0


def test_an_at_most_once_task_that_was_lost_is_never_repeated_accepted_or_not() -> None:
    at_most_once = {"delivery": Delivery.AT_MOST_ONCE}
    claimed = must(lifecycle.claim(task(**at_most_once), "ins_1", 101.0))
    for attempt in (running(**at_most_once), claimed):
        lost = must(lifecycle.lose(attempt, 1, 140.0))
        assert (lost.state, lost.error) == (TaskState.FAILED, lifecycle.outcome_unknown(Loss.CUT))


def test_an_at_most_once_task_is_not_started_again_after_an_error_of_its_skill_either() -> None:
    failed = must(lifecycle.fail(running(delivery=Delivery.AT_MOST_ONCE, retries=2), 1, BROKEN, 110.0))
    assert (failed.state, failed.error) == (TaskState.FAILED, BROKEN)


def test_an_at_most_once_task_that_was_refused_unstarted_is_delivered_again() -> None:
    claimed = must(lifecycle.claim(task(delivery=Delivery.AT_MOST_ONCE), "ins_1", 101.0))
    assert must(lifecycle.refuse(claimed, 1, 102.0)).state is TaskState.SUBMITTED


@pytest.mark.parametrize("reason", [RefuseReason.UNKNOWN_SKILL, RefuseReason.GUARD])
def test_a_task_that_would_be_refused_again_at_once_rests_longer_each_time(reason: RefuseReason) -> None:
    rests = []
    waiting = task()
    for attempt in range(1, 9):
        claimed = must(lifecycle.claim(waiting, "ins_1", 101.0))
        waiting = must(lifecycle.refuse(claimed, attempt, 102.0, reason))
        assert waiting.not_before is not None
        rests.append(waiting.not_before - 102.0)
    assert rests == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_a_task_refused_for_the_moment_waits_for_the_next_free_slot() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    assert must(lifecycle.refuse(claimed, 1, 102.0, RefuseReason.DRAINING)).not_before is None


def test_a_task_that_is_refused_while_it_is_canceled_is_canceled() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    asked = must(lifecycle.cancel(claimed, "not needed", 102.0))
    ended = must(lifecycle.refuse(asked, 1, 103.0))
    assert (ended.state, ended.error) == (TaskState.CANCELED, TaskFailure("canceled", "not needed"))


def test_a_refused_attempt_uses_up_nothing() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    back = must(lifecycle.refuse(claimed, 1, 102.0))
    assert (back.state, back.losses, back.failures, back.instance_id) == (TaskState.SUBMITTED, 0, 0, None)
    assert lifecycle.refuse(running(), 1, 103.0) is None


def test_cancelling_a_waiting_task_ends_it_and_a_running_one_is_asked_first() -> None:
    ended = must(lifecycle.cancel(task(), "not needed", 101.0))
    assert (ended.state, ended.error) == (TaskState.CANCELED, TaskFailure("canceled", "not needed"))
    asked = must(lifecycle.cancel(running(), "not needed", 103.0))
    assert (asked.state, asked.cancel_reason, asked.cancel_at) == (TaskState.WORKING, "not needed", 103.0)
    assert lifecycle.cancel(asked, "again", 104.0) is None
    assert must(lifecycle.canceled(asked, 1, TaskFailure("canceled", "stopped"), 105.0)).state is TaskState.CANCELED


def test_a_result_that_was_on_its_way_wins_over_a_cancel() -> None:
    asked = must(lifecycle.cancel(running(), "late", 103.0))
    assert must(lifecycle.complete(asked, 1, b"1", 104.0)).state is TaskState.COMPLETED


def test_a_canceled_task_whose_agent_is_lost_is_canceled_and_not_repeated() -> None:
    asked = must(lifecycle.cancel(running(), "stop", 103.0))
    assert must(lifecycle.lose(asked, 1, 140.0)).state is TaskState.CANCELED


HAPPENINGS: dict[str, Callable[[Task, int, float], Change | None]] = {
    "claim": lambda task, attempt, now: lifecycle.claim(task, "ins_1", now),
    "accept": lifecycle.accept,
    "refuse": lifecycle.refuse,
    "event": lambda task, attempt, now: lifecycle.report(task, attempt, task.last_n + 1, TaskEventKind.LOG, b"{}", now),
    "complete": lambda task, attempt, now: lifecycle.complete(task, attempt, b"1", now),
    "fail": lambda task, attempt, now: lifecycle.fail(task, attempt, BROKEN, now),
    "reject": lambda task, attempt, now: lifecycle.reject(task, attempt, BROKEN, now),
    "cancel": lambda task, attempt, now: lifecycle.cancel(task, "x", now),
    "lose": lifecycle.lose,
    "force": lambda task, attempt, now: lifecycle.force(task, attempt, BROKEN, now),
}


@given(
    st.lists(st.tuples(st.sampled_from(list(HAPPENINGS)), st.integers(0, 4)), max_size=40),
    st.sampled_from(list(Delivery)),
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_any_order_of_happenings_keeps_a_task_whole(
    steps: list[tuple[str, int]], delivery: Delivery, max_attempts: int, retries: int
) -> None:
    change = lifecycle.submit(task(delivery=delivery, max_attempts=max_attempts, retries=retries))
    events, current = list(change.events), change.task
    for number, (step, attempt) in enumerate(steps):
        following = HAPPENINGS[step](current, attempt, 101.0 + number)
        if following is None:
            continue
        assert not current.terminal
        assert following.task.attempt - current.attempt in (0, 1)
        current = following.task
        events += following.events
        assert (current.ended_at is not None) == current.terminal
        assert (current.instance_id is not None) or current.state not in LEASED
        assert current.losses < max_attempts or current.terminal
        assert current.failures <= retries
    assert [event.seq for event in events] == list(range(1, current.last_seq + 1))
    states = [msgspec.json.decode(event.data).get("state") for event in events]
    assert sum(state in set(TERMINAL) for state in states) == (1 if current.terminal else 0)


def test_an_attempt_is_inherited_with_its_number_and_said_so_in_an_event() -> None:
    before = running()
    change = lifecycle.inherit(before, 1, "ins_1", "ins_2", 103.0)
    heir = must(change)
    assert (heir.instance_id, heir.attempt, heir.losses, heir.state) == ("ins_2", 1, 0, TaskState.WORKING)
    assert change is not None
    [event] = change.events
    assert (event.seq, msgspec.json.decode(event.data)) == (
        before.last_seq + 1,
        {"state": "working", "attempt": 1, "instance": "ins_2", "accepted": True},
    )
    assert must(lifecycle.complete(heir, 1, b"1", 104.0)).state is TaskState.COMPLETED


def test_only_the_current_attempt_of_the_process_that_ended_is_inherited() -> None:
    assert lifecycle.inherit(running(), 1, "ins_other", "ins_2", 103.0) is None
    assert lifecycle.inherit(running(), 2, "ins_1", "ins_2", 103.0) is None
    waiting = must(lifecycle.lose(running(), 1, 140.0))
    assert lifecycle.inherit(waiting, 1, "ins_1", "ins_2", 141.0) is None
    ended = must(lifecycle.complete(running(), 1, b"1", 103.0))
    assert lifecycle.inherit(ended, 1, "ins_1", "ins_2", 104.0) is None


INSTANCE = InstanceRef("agt_1", "ins_1", 1)
QUESTION = Event("tsk_1", 1, 1, EventKind.QUESTION, Raw(b'{"number":1,"question":"Sure?"}'))
REPORTS: list[Report] = [
    Accept("tsk_1", 1),
    Refuse("tsk_1", 1, RefuseReason.BUSY),
    Event("tsk_1", 1, 1, EventKind.LOG, Raw(b"{}")),
    Result("tsk_1", 1, Outcome.COMPLETED, Raw(b"1")),
    QUESTION,
]


@pytest.mark.parametrize("said", REPORTS, ids=lambda said: type(said).__name__)
def test_what_another_instance_says_changes_nothing(said: Report) -> None:
    asked = Question(1, "Sure?")
    assert (
        on_report(running(), by=InstanceRef("agt_1", "ins_other", 1), latest=1, said=said, now=110.0, asked=asked)
        is None
    )


@pytest.mark.parametrize("said", REPORTS[2:], ids=lambda said: type(said).__name__)
def test_what_an_older_connection_of_the_instance_says_changes_nothing(said: Report) -> None:
    asked = Question(1, "Sure?")
    older, newer = (on_report(running(), by=INSTANCE, latest=n, said=said, now=110.0, asked=asked) for n in (2, 1))
    assert older is None
    assert newer is not None


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        (Outcome.FAILED, TaskState.FAILED, "handler_error"),
        (Outcome.REJECTED, TaskState.REJECTED, "rejected"),
        (Outcome.CANCELED, TaskState.CANCELED, "canceled"),
    ],
)
def test_a_result_without_an_output_has_an_error_though_its_agent_gave_none(
    outcome: Outcome, state: TaskState, code: str
) -> None:
    ended = must(on_report(running(), by=INSTANCE, latest=1, said=Result("tsk_1", 1, outcome), now=110.0))
    assert (ended.state, ended.error) == (state, TaskFailure(code, "the agent gave no reason", b"null"))


@pytest.mark.parametrize(
    ("outcome", "said", "kept"),
    [
        (Outcome.FAILED, "agent_lost", "handler_error"),
        (Outcome.FAILED, "outcome_unknown", "handler_error"),
        (Outcome.FAILED, "timeout", "timeout"),
        (Outcome.FAILED, "its_own", "its_own"),
        (Outcome.REJECTED, "agent_lost", "rejected"),
        (Outcome.REJECTED, "timeout", "rejected"),
        (Outcome.REJECTED, "403", "403"),
        (Outcome.CANCELED, "agent_lost", "canceled"),
    ],
)
def test_a_code_that_is_the_networks_own_is_not_believed_of_an_agent(outcome: Outcome, said: str, kept: str) -> None:
    result = Result("tsk_1", 1, outcome, error=Fault(said, "for a reason"))
    ended = must(on_report(running(), by=INSTANCE, latest=1, said=result, now=110.0))
    assert ended.error == TaskFailure(kept, "for a reason", b"null")


def test_a_question_that_was_not_to_be_asked_changes_nothing() -> None:
    assert on_report(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0) is None
    asking = must(on_report(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0, asked=Question(1, "Sure?")))
    assert asking.state is TaskState.INPUT_REQUIRED


def test_a_question_that_cannot_be_asked_ends_its_task() -> None:
    fault = TaskFailure("invalid_question", "its schema is none")
    ended = must(on_report(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0, asked=fault))
    assert (ended.state, ended.error) == (TaskState.FAILED, fault)


def test_an_accepted_attempt_is_accepted_once() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    accepted = must(on_report(claimed, by=INSTANCE, latest=1, said=Accept("tsk_1", 1), now=102.0))
    assert accepted.accepted_at == 102.0
    assert on_report(accepted, by=INSTANCE, latest=1, said=Accept("tsk_1", 1), now=103.0) is None


FIRST: list[Report] = [
    Event("tsk_1", 1, 1, EventKind.LOG, Raw(b"{}")),
    QUESTION,
    Result("tsk_1", 1, Outcome.COMPLETED, Raw(b"1")),
    Result("tsk_1", 1, Outcome.FAILED, error=Fault("handler_error", "no")),
    Result("tsk_1", 1, Outcome.CANCELED),
]


@pytest.mark.parametrize("said", FIRST, ids=["log", "question", "completed", "failed", "canceled"])
@pytest.mark.parametrize("retries", [0, 1])
def test_what_is_said_first_of_an_attempt_accepts_it_as_if_that_had_been_said_before(
    said: Report, retries: int
) -> None:
    asked = Question(1, "Sure?")
    claimed = must(lifecycle.claim(task(retries=retries, queue_expires_at=200.0), "ins_1", 101.0))
    at_once = on_report(claimed, by=INSTANCE, latest=1, said=said, now=102.0, asked=asked)
    accepted = on_report(claimed, by=INSTANCE, latest=1, said=Accept("tsk_1", 1), now=102.0)
    assert accepted is not None
    after = on_report(accepted.task, by=INSTANCE, latest=1, said=said, now=102.0, asked=asked)
    assert at_once is not None
    assert after is not None
    assert at_once.task == after.task
    assert at_once.events == accepted.events + after.events


def test_what_does_not_count_accepts_nothing_either() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    gap = Event("tsk_1", 1, 2, EventKind.LOG, Raw(b"{}"))
    old = Result("tsk_1", 0, Outcome.COMPLETED, Raw(b"1"))
    for said in (gap, old):
        assert on_report(claimed, by=INSTANCE, latest=1, said=said, now=102.0) is None
