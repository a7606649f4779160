from __future__ import annotations

import pytest

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.records import TaskFailure
from agentic_atlas.backend.domain.reporting import decide
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import (
    Accept,
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
from agentic_atlas.protocol.tasks import TaskState
from tests.unit.backend.domain.examples import must, running, task

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
        decide(running(), by=InstanceRef("agt_1", "ins_other", 1), latest=1, said=said, now=110.0, asked=asked) is None
    )


@pytest.mark.parametrize("said", REPORTS[2:], ids=lambda said: type(said).__name__)
def test_what_an_older_connection_of_the_instance_says_changes_nothing(said: Report) -> None:
    asked = Question(1, "Sure?")
    older, newer = (decide(running(), by=INSTANCE, latest=n, said=said, now=110.0, asked=asked) for n in (2, 1))
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
    ended = must(decide(running(), by=INSTANCE, latest=1, said=Result("tsk_1", 1, outcome), now=110.0))
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
    ended = must(decide(running(), by=INSTANCE, latest=1, said=result, now=110.0))
    assert ended.error == TaskFailure(kept, "for a reason", b"null")


def test_a_question_that_was_not_to_be_asked_changes_nothing() -> None:
    assert decide(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0) is None
    asking = must(decide(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0, asked=Question(1, "Sure?")))
    assert asking.state is TaskState.INPUT_REQUIRED


def test_a_question_that_cannot_be_asked_ends_its_task() -> None:
    fault = TaskFailure("invalid_question", "its schema is none")
    ended = must(decide(running(), by=INSTANCE, latest=1, said=QUESTION, now=110.0, asked=fault))
    assert (ended.state, ended.error) == (TaskState.FAILED, fault)


def test_an_accepted_attempt_is_accepted_once() -> None:
    claimed = must(lifecycle.claim(task(), "ins_1", 101.0))
    accepted = must(decide(claimed, by=INSTANCE, latest=1, said=Accept("tsk_1", 1), now=102.0))
    assert accepted.accepted_at == 102.0
    assert decide(accepted, by=INSTANCE, latest=1, said=Accept("tsk_1", 1), now=103.0) is None
