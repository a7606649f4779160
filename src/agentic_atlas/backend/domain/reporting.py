"""What an instance says of an attempt, as a change of the task; one that is not its current one's changes nothing."""

from collections.abc import Callable, Mapping

from agentic_atlas.backend.domain import lifecycle
from agentic_atlas.backend.domain.lifecycle import Change
from agentic_atlas.backend.domain.records import Task, TaskEventKind, TaskFailure
from agentic_atlas.protocol import codes
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import Accept, Event, EventKind, Fault, Outcome, Question, Refuse, Report, Result

_ENDS: Mapping[Outcome, Callable[[Task, int, TaskFailure, float], Change | None]] = {
    Outcome.FAILED: lifecycle.fail,
    Outcome.REJECTED: lifecycle.reject,
    Outcome.CANCELED: lifecycle.canceled,
}
_CODES: Mapping[Outcome, Callable[[str], str]] = {
    Outcome.FAILED: codes.of_failure,
    Outcome.REJECTED: codes.of_rejection,
    Outcome.CANCELED: lambda _code: "canceled",
}


def may_report(task: Task, by: InstanceRef, latest: int) -> bool:
    """Tell whether the task is this instance's, and this is the latest of its connections.

    `latest` is that one's generation. What an older one still says was true before the instance came back: it may have
    given back what it has been sent again since.
    """
    return task.instance_id == by.instance_id and by.generation >= latest


def decide(
    task: Task,
    *,
    by: InstanceRef,
    latest: int,
    said: Report,
    now: float,
    asked: Question | TaskFailure | None = None,
) -> Change | None:
    """Return what a report changes; see `may_report` for whose count.

    `asked` is what a `question` asks, or the error with which the task is to end because it can't be asked; None when
    the question was not this instance's to ask.
    """
    if not may_report(task, by, latest):
        return None
    match said:
        case Accept(attempt=attempt):
            return lifecycle.accept(task, attempt, now)
        case Refuse(attempt=attempt, reason=reason):
            return lifecycle.refuse(task, attempt, now, reason)
        case Event(attempt=attempt, n=n, kind=EventKind.QUESTION):
            return None if asked is None else lifecycle.ask(task, attempt, n, asked, now)
        case Event(attempt=attempt, n=n, kind=kind, data=data):
            return lifecycle.report(task, attempt, n, TaskEventKind(kind.value), bytes(data), now)
        case Result(attempt=attempt, outcome=Outcome.COMPLETED, output=output):
            return lifecycle.complete(task, attempt, bytes(output), now)
        case Result(attempt=attempt, outcome=outcome, error=error):
            return _ENDS[outcome](task, attempt, _believed(outcome, error), now)


def _believed(outcome: Outcome, said: Fault | None) -> TaskFailure:
    """Return an agent's reason, without a code that is not its to give."""
    fault = said or Fault("handler_error", "the agent gave no reason")
    return TaskFailure(_CODES[outcome](fault.code), fault.message, bytes(fault.detail))
