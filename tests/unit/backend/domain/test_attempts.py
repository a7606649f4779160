"""The attempts of a task are those that its events tell of, each with what it ended by."""

from __future__ import annotations

from typing import Any

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.attempts import AttemptRecord, attempts
from agentic_atlas.backend.domain.lifecycle import Change, ConnectionData
from agentic_atlas.backend.domain.records import Task, TaskEvent, TaskFailure
from agentic_atlas.protocol.messages import Question, RefuseReason
from agentic_atlas.protocol.tasks import Loss
from tests.conformance.store.samples import NOW, task


class Life:
    """A task, and all its events so far."""

    def __init__(self, of: Task) -> None:
        self.task = of
        self.events: list[TaskEvent] = []
        self.becomes(lifecycle.submit(of))

    def becomes(self, change: Change | None) -> None:
        assert change is not None
        self.task = change.task
        self.events += change.events


def told(found: list[AttemptRecord]) -> list[tuple[int, str, float, float | None, float | None, str, str]]:
    return [
        (
            one.number,
            one.instance_id,
            one.began_at - NOW,
            None if one.accepted_at is None else one.accepted_at - NOW,
            None if one.ended_at is None else one.ended_at - NOW,
            one.end.state if one.end else "",
            (one.end.code if one.end else None) or "",
        )
        for one in found
    ]


def test_a_task_that_waits_has_no_attempt_and_one_that_goes_on_has_no_end() -> None:
    life = Life(task())
    assert attempts(life.events) == []
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 1))
    assert told(attempts(life.events)) == [(1, "inst_1", 1, None, None, "", "")]
    life.becomes(lifecycle.accept(life.task, 1, NOW + 2))
    assert told(attempts(life.events)) == [(1, "inst_1", 1, 2, None, "", "")]


def test_each_attempt_says_why_it_ended() -> None:
    life = Life(task(retries=1))
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 1))
    life.becomes(lifecycle.refuse(life.task, 1, NOW + 2))
    life.becomes(lifecycle.claim(life.task, "inst_2", NOW + 3))
    life.becomes(lifecycle.accept(life.task, 2, NOW + 4))
    life.becomes(lifecycle.lose(life.task, 2, NOW + 5, Loss.CUT))
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 6))
    life.becomes(lifecycle.accept(life.task, 3, NOW + 7))
    life.becomes(lifecycle.fail(life.task, 3, TaskFailure("handler_error", "it broke"), NOW + 8))
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 10))
    life.becomes(lifecycle.accept(life.task, 4, NOW + 11))
    life.becomes(lifecycle.complete(life.task, 4, b"1", NOW + 12))
    assert told(attempts(life.events)) == [
        (1, "inst_1", 1, None, 2, "submitted", ""),
        (2, "inst_2", 3, 4, 5, "submitted", "agent_lost"),
        (3, "inst_1", 6, 7, 8, "submitted", "handler_error"),
        (4, "inst_1", 10, 11, 12, "completed", ""),
    ]


def test_a_question_ends_no_attempt_and_begins_none() -> None:
    life = Life(task())
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 1))
    life.becomes(lifecycle.accept(life.task, 1, NOW + 2))
    life.becomes(lifecycle.ask(life.task, 1, 1, Question(1, "Sure?"), NOW + 3))
    life.becomes(lifecycle.answer(life.task, life.task.dialogue.open[0], b"true", "ada", NOW + 4))
    assert told(attempts(life.events)) == [(1, "inst_1", 1, 2, None, "", "")]


def connection(life: Life, said: str, at: float, **more: Any) -> None:
    data = ConnectionData(said, "inst_1", **more)  # type: ignore[arg-type]  # one of two words
    life.becomes(lifecycle.connection(life.task, life.task.attempt, data, NOW + at))


def cuts(life: Life) -> list[tuple[float, float | None, bool, Loss | None]]:
    return [
        (one.began_at - NOW, None if one.ended_at is None else one.ended_at - NOW, one.resumed, one.why)
        for attempt in attempts(life.events)
        for one in attempt.cuts
    ]


def running() -> Life:
    life = Life(task())
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 1))
    life.becomes(lifecycle.accept(life.task, 1, NOW + 2))
    return life


def test_a_cut_lasts_until_the_instance_is_back_or_its_attempt_ends() -> None:
    life = running()
    connection(life, "lost", 3, why=Loss.CUT)
    assert cuts(life) == [(3, None, False, Loss.CUT)]
    connection(life, "resumed", 5, seconds=2.0)
    connection(life, "lost", 37, seconds=31.0, why=Loss.SILENT)
    connection(life, "lost", 40, why=Loss.ABSENT)
    life.becomes(lifecycle.lose(life.task, 1, NOW + 70, Loss.ABSENT))
    assert cuts(life) == [(3, 5, True, Loss.CUT), (6, 70, False, Loss.SILENT)]


def test_a_cut_that_nobody_noticed_is_told_by_the_return() -> None:
    life = running()
    connection(life, "resumed", 5, seconds=0.5)
    assert cuts(life) == [(4.5, 5, True, None)]


def test_an_attempt_whose_result_another_process_has_is_cut_no_more() -> None:
    life = running()
    connection(life, "lost", 3, why=Loss.CUT)
    life.becomes(lifecycle.inherit(life.task, 1, "inst_1", "inst_2", NOW + 9))
    assert cuts(life) == [(3, 9, True, Loss.CUT)]


def test_nothing_is_told_of_a_connection_that_does_not_have_the_attempt() -> None:
    life = running()
    assert lifecycle.connection(life.task, 2, ConnectionData("lost", "inst_1"), NOW + 3) is None
    assert lifecycle.connection(life.task, 1, ConnectionData("lost", "inst_2"), NOW + 3) is None


def test_an_attempt_that_was_given_back_says_why() -> None:
    life = Life(task())
    life.becomes(lifecycle.claim(life.task, "inst_1", NOW + 1))
    life.becomes(lifecycle.refuse(life.task, 1, NOW + 2, RefuseReason.DRAINING))
    (attempt,) = attempts(life.events)
    assert attempt.end is not None
    assert (attempt.end.returned, attempt.end.code) == (RefuseReason.DRAINING, None)


def test_a_task_that_is_canceled_in_the_queue_had_no_attempt() -> None:
    life = Life(task())
    life.becomes(lifecycle.cancel(life.task, "no", NOW + 1))
    assert attempts(life.events) == []
