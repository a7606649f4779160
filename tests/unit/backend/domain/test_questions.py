"""Questions to people: what is open, what is kept for the next attempt, and what the waiting counts for."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from agentic_atlas.backend.domain import lifecycle, terms
from agentic_atlas.backend.domain.lifecycle import Change, assignment
from agentic_atlas.backend.domain.questions import SILENCE, read_question
from agentic_atlas.backend.domain.records import Task, TaskEventKind, TaskFailure
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import Delivery, Question, Reaction
from agentic_atlas.protocol.tasks import Loss, TaskState
from tests.unit.backend.domain.examples import must, running

BROKEN = TaskFailure("handler_error", "ValueError: no")


def asking(number: int = 1, *, now: float = 103.0, of: Task | None = None, **more: object) -> Task:
    before = of or running()
    asked = Question(number, f"Question {number}?", **more)  # type: ignore[arg-type]
    return must(lifecycle.ask(before, before.attempt, before.last_n + 1, asked, now))


def answered(before: Task, number: int = 1, value: bytes = b"true", now: float = 110.0) -> Task:
    question = before.dialogue.find(number)
    assert question is not None
    return must(lifecycle.answer(before, question, value, "ada/laptop", now))


def kinds(change: Change | None) -> list[str]:
    assert change is not None
    return [event.kind.value for event in change.events]


def test_a_question_and_the_state_it_leads_to_are_stored_together() -> None:
    change = lifecycle.ask(running(), 1, 1, Question(1, "Really?", Raw(b'{"type":"boolean"}'), 60.0), 103.0)
    assert change is not None
    assert kinds(change) == ["question", "state"]
    assert change.task.state is TaskState.INPUT_REQUIRED
    assert [event.seq for event in change.events] == [change.task.last_seq - 1, change.task.last_seq]
    assert change.task.last_n == 1
    (question,) = change.task.dialogue.open
    assert (question.text, question.expires_at, bytes(question.schema)) == ("Really?", 163.0, b'{"type":"boolean"}')
    assert msgspec.json.decode(change.events[0].data) == {
        "number": 1,
        "question": "Really?",
        "schema": {"type": "boolean"},
        "timeout": 60.0,
    }


def test_the_last_answer_lets_the_task_go_on() -> None:
    both = asking(2, of=asking(1))
    assert both.state is TaskState.INPUT_REQUIRED
    first = lifecycle.answer(both, both.dialogue.questions[0], b'"yes"', "ada/laptop", 108.0)
    assert kinds(first) == ["answer"]
    second = lifecycle.answer(must(first), must(first).dialogue.questions[1], b"null", "bob/phone", 113.0)
    assert kinds(second) == ["answer", "state"]
    assert must(second).state is TaskState.WORKING
    assert must(second).dialogue.reactions == [Reaction(1, Raw(b'"yes"')), Reaction(2, Raw(b"null"))]
    assert second is not None
    assert msgspec.json.decode(second.events[0].data) == {"question": 2, "answer": None, "by": "bob/phone"}


def test_a_question_is_answered_once_and_only_as_it_was_seen() -> None:
    before = asking(1)
    (question,) = before.dialogue.open
    done = answered(before)
    assert lifecycle.answer(done, question, b"false", "bob/phone", 111.0) is None
    lost = must(lifecycle.lose(before, 1, 140.0))
    again = asking(1, of=must(lifecycle.claim(lost, "ins_2", 141.0)), now=142.0)
    assert lifecycle.answer(again, question, b"true", "ada/laptop", 143.0) is None


def test_an_event_that_asks_twice_or_out_of_turn_is_ignored() -> None:
    before = asking(1)
    assert lifecycle.ask(before, 1, 1, Question(1, "Really?"), 104.0) is None
    assert lifecycle.ask(before, 1, 3, Question(2, "Sure?"), 104.0) is None
    assert lifecycle.ask(before, 2, 2, Question(2, "Sure?"), 104.0) is None


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (Question(1, "Again?"), "invalid_question"),
        (TaskFailure("invalid_question", "question 2: not a JSON Schema"), "invalid_question"),
    ],
)
def test_a_question_that_cannot_be_asked_ends_the_task(asked: Question | TaskFailure, code: str) -> None:
    ended = must(lifecycle.ask(asking(1), 1, 2, asked, 104.0))
    assert ended.state is TaskState.FAILED
    assert ended.error is not None
    assert ended.error.code == code
    assert ended.dialogue == SILENCE


@pytest.mark.parametrize(
    "data",
    [b"null", b"{}", b'{"number":0,"question":"x"}', b'{"number":1,"question":""}', b'{"number":1}', b"[1,2]",
     b'{"number":101,"question":"x"}', b'{"number":1,"question":"x","timeout":0}', b'{"number":1,"question":5}'],
)  # fmt: skip
def test_data_of_another_form_is_no_question(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_question(data)
    assert refused.value.code == "invalid_question"


def test_all_that_a_task_asks_has_a_limit_and_a_schema_counts_while_its_question_is_open() -> None:
    schema = Raw(b'{"description":"%s"}' % (b"x" * 60_000))
    asking_much = running()
    for number in range(1, 9):
        asking_much = asking(number, of=asking_much, schema=schema)
    over = must(lifecycle.ask(asking_much, 1, 9, Question(9, "?", schema), 104.0))
    assert over.error is not None
    assert over.error.code == "too_many_questions"
    assert asking(9, of=answered(asking_much), schema=schema).state is TaskState.INPUT_REQUIRED


def test_a_lost_attempt_leaves_its_answers_to_the_next_one_and_its_open_questions_to_nobody() -> None:
    lost = must(lifecycle.lose(asking(3, of=answered(asking(2, of=asking(1)), 2)), 1, 140.0))
    assert lost.state is TaskState.SUBMITTED
    assert [question.number for question in lost.dialogue.questions] == [2]
    second = must(lifecycle.claim(lost, "ins_2", 141.0))
    assert assignment(second).answers == [Reaction(2, Raw(b"true"))]
    assert [question.number for question in asking(1, of=second).dialogue.questions] == [1, 2]


def test_a_handler_that_is_tried_again_finds_its_answers() -> None:
    retried = must(lifecycle.fail(answered(asking(1, of=running(retries=1))), 1, BROKEN, 120.0))
    assert retried.state is TaskState.SUBMITTED
    assert retried.dialogue.reactions == [Reaction(1, Raw(b"true"))]


def test_an_at_most_once_task_that_is_lost_while_it_waits_has_an_unknown_outcome() -> None:
    lost = must(lifecycle.lose(asking(1, of=running(delivery=Delivery.AT_MOST_ONCE)), 1, 140.0))
    assert lost.error == lifecycle.outcome_unknown(Loss.CUT)


def test_a_waiting_task_can_be_canceled_and_asks_nothing_any_more() -> None:
    asked = must(lifecycle.cancel(asking(1), "enough", 104.0))
    assert asked.state is TaskState.INPUT_REQUIRED
    ended = must(lifecycle.canceled(asked, 1, TaskFailure("canceled", "enough"), 105.0))
    assert (ended.state, ended.dialogue.open) == (TaskState.CANCELED, ())


def test_a_handler_that_gives_up_its_question_can_still_complete() -> None:
    ended = must(lifecycle.complete(asking(1), 1, b"1", 104.0))
    assert (ended.state, ended.dialogue) == (TaskState.COMPLETED, SILENCE)


def test_a_question_expires_and_the_task_goes_on() -> None:
    waiting = asking(1, timeout=30.0)
    assert terms.due_at(waiting, 103.0) == 133.0
    assert terms.expire(waiting, 132.9) is None
    change = terms.expire(waiting, 133.0)
    assert kinds(change) == ["answer", "state"]
    assert must(change).state is TaskState.WORKING
    assert must(change).dialogue.reactions == [Reaction(1, expired=True)]
    assert change is not None
    assert lifecycle.settled(change.task, change.events) == list(change.task.dialogue.questions)


def test_the_timeout_stands_still_while_a_person_is_waited_for() -> None:
    waiting = asking(1, of=running(timeout=10.0), now=104.0)
    assert terms.due_at(waiting, 104.0) is None
    assert terms.expire(waiting, 1e6) is None
    going_on = answered(waiting, now=204.0)
    assert going_on.dialogue.waited == 100.0
    assert terms.due_at(going_on, 204.0) == 102.0 + 10.0 + 100.0 + terms.MARGIN


def test_two_questions_at_once_are_waited_for_once() -> None:
    both = asking(2, of=asking(1, now=110.0), now=115.0)
    assert answered(answered(both, 1, now=120.0), 2, now=130.0).dialogue.waited == 20.0


def test_the_next_attempt_has_its_whole_timeout() -> None:
    lost = must(lifecycle.lose(answered(asking(1, of=running(timeout=10.0)), now=203.0), 1, 240.0))
    second = must(lifecycle.claim(lost, "ins_2", 241.0))
    accepted = must(lifecycle.accept(second, 2, 242.0))
    assert terms.due_at(accepted, 242.0) == 252.0 + terms.MARGIN


def test_the_deadline_holds_while_a_person_is_waited_for() -> None:
    waiting = asking(1, of=running(deadline=120.0), timeout=500.0)
    assert terms.due_at(waiting, 103.0) == 120.0 + terms.MARGIN
    ended = must(terms.expire(waiting, 125.0))
    assert ended.error == terms.DEADLINE


class Asker:
    """An attempt that asks as the protocol says: its k-th question is question k, unless that has a reaction."""

    def __init__(self, before: Task) -> None:
        self.reactions = {reaction.question for reaction in assignment(before).answers}
        self.asked = 0

    def ask(self, before: Task, now: float) -> Change | None:
        self.asked += 1
        if self.asked in self.reactions:
            return None
        return lifecycle.ask(before, before.attempt, before.last_n + 1, Question(self.asked, "?", timeout=7.0), now)


@given(st.lists(st.tuples(st.sampled_from(["ask", "answer", "expire", "lose"]), st.integers(0, 3)), max_size=40))
def test_any_order_of_asking_answering_and_losing_keeps_every_answer(steps: list[tuple[str, int]]) -> None:
    current = running(max_attempts=100)
    asker, said, seq, now = Asker(current), dict[int, bytes](), current.last_seq, 103.0
    for step, which in steps:
        now += 1.0
        change: Change | None = None
        if step == "ask":
            change = asker.ask(current, now)
        elif step == "answer" and current.dialogue.open:
            question = current.dialogue.open[which % len(current.dialogue.open)]
            change = lifecycle.answer(current, question, b"%d" % now, "ada", now)
            said[question.number] = b"%d" % now
        elif step == "expire":
            change = lifecycle.expire_question(current, now)
        elif step == "lose":
            change = lifecycle.lose(current, current.attempt, now)
        if change is None:
            continue
        assert [event.seq for event in change.events] == list(range(seq + 1, change.task.last_seq + 1))
        current, seq = change.task, change.task.last_seq
        if current.state is TaskState.SUBMITTED:
            assert current.dialogue.open == ()
            current = must(lifecycle.claim(current, "ins_1", now))
            asker, seq = Asker(current), current.last_seq
        assert (current.state is TaskState.INPUT_REQUIRED) == bool(current.dialogue.open)
        kept = {one.question: bytes(one.data) for one in current.dialogue.reactions if not one.expired}
        assert kept == said


def test_events_that_are_no_reactions_settle_nothing() -> None:
    change = lifecycle.report(running(), 1, 1, TaskEventKind.LOG, b"{}", 103.0)
    assert change is not None
    assert lifecycle.settled(change.task, change.events) == []
