"""Every change of a task, as pure functions: the task as it is and what happened in, the task as it becomes out.

Each returns a `Change`, or None when what happened does not count any more: the trigger does not apply in this state,
or it speaks of an attempt that is not the current one (fencing). Which state follows is decided by the table in
`protocol.tasks` alone; here is what goes with it: numbers, clocks, events. The store runs these on its writer, between
reading and writing the task, so two changes of one task never overlap. At the end is what an instance is told of its
attempt, and what its reports of it change.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Raw

from agentic_atlas.backend.domain.questions import MOST_ASKED, TaskQuestion, size_of
from agentic_atlas.backend.domain.records import Task, TaskEvent, TaskEventKind, TaskFailure
from agentic_atlas.protocol import codes, messages
from agentic_atlas.protocol.codec import passed_on
from agentic_atlas.protocol.inside.messages import InstanceRef
from agentic_atlas.protocol.messages import (
    NULL,
    Accept,
    Delivery,
    Event,
    EventKind,
    Fault,
    Outcome,
    Question,
    Refuse,
    RefuseReason,
    Report,
    Result,
)
from agentic_atlas.protocol.tasks import LEASED, Loss, TaskState, Trigger, after


class Change(msgspec.Struct, frozen=True):
    """The task after a change, and the events that belong to it; stored in one commit."""

    task: Task
    events: tuple[TaskEvent, ...] = ()


class StateData(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of a `state` event."""

    state: TaskState
    attempt: int = 0
    instance: str | None = None
    code: str | None = None
    message: str | None = None
    accepted: bool = False
    """The instance has the attempt and has started it."""
    returned: RefuseReason | None = None
    """Why the instance gave the attempt back without having started it."""


class AnswerData(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of an `answer` event."""

    question: int
    """Its number."""
    answer: Raw = NULL
    expired: bool = False
    """Nobody answered in time: `answer` says nothing."""
    by: str = ""
    """Who answered."""


class ConnectionData(msgspec.Struct, frozen=True, omit_defaults=True):
    """Data of a `connection` event."""

    connection: Literal["lost", "resumed"]
    instance: str
    seconds: float = 0.0
    """For how long it had been lost by then."""
    why: Loss | None = None
    """Of one that is lost: what is known of why; `absent` since a start of the server."""


def submit(task: Task) -> Change:
    """A new task, in state `submitted`, with its first event."""
    return _moved(task, task, task.created_at)


def claim(task: Task, instance_id: str, now: float) -> Change | None:
    """An instance with a free slot takes the task: its next attempt begins."""
    state = after(task.state, Trigger.CLAIM)
    if state is None:
        return None
    claimed = msgspec.structs.replace(
        task,
        state=state,
        attempt=task.attempt + 1,
        instance_id=instance_id,
        accepted_at=None,
        last_n=0,
        not_before=None,
        updated_at=now,
        dialogue=task.dialogue.resumed() if task.dialogue.questions else task.dialogue,
    )
    return _moved(task, claimed, now)


def accept(task: Task, attempt: int, now: float) -> Change | None:
    """The instance has the attempt and starts it; its timeout runs from here."""
    if not _current(task, attempt) or task.accepted_at is not None:
        return None
    accepted = msgspec.structs.replace(task, accepted_at=now, updated_at=now)
    return _logged(accepted, StateData(task.state, task.attempt, task.instance_id, accepted=True), now)


def refuse(task: Task, attempt: int, now: float, reason: RefuseReason = RefuseReason.BUSY) -> Change | None:
    """The instance gives the attempt back unstarted: the task waits for another one, without having lost anything.

    It may be the only one there is. So a task that would be refused again at once rests first, longer each time.
    """
    if not _current(task, attempt) or task.accepted_at is not None:
        return None
    if task.cancel_reason is not None:
        return _end(task, Trigger.CANCEL, now, error=TaskFailure("canceled", task.cancel_reason))
    if reason in _OF_THE_TASK:
        rest = min(2.0 ** min(attempt, 10), _LONGEST_REST)
        task = msgspec.structs.replace(task, not_before=now + rest)
    return _requeue(task, Trigger.REFUSE, now, returned=reason)


_OF_THE_TASK = (RefuseReason.UNKNOWN_SKILL, RefuseReason.GUARD)
"""Refusals that say nothing of the instance, which therefore gets more tasks at once."""
_LONGEST_REST = 60.0
"""Seconds; who can take the task may be there any time."""


def connection(task: Task, attempt: int, said: ConnectionData, now: float) -> Change | None:
    """The connection of the instance that has the attempt was lost, or is there again; the attempt goes on."""
    if not _current(task, attempt) or task.instance_id != said.instance:
        return None
    seq = task.last_seq + 1
    event = TaskEvent(task.id, seq, now, TaskEventKind.CONNECTION, msgspec.json.encode(said), attempt)
    return Change(msgspec.structs.replace(task, last_seq=seq, updated_at=now), (event,))


def report(task: Task, attempt: int, n: int, kind: TaskEventKind, data: bytes, now: float) -> Change | None:
    """The running attempt reports its event number `n`; one that is already stored, or is out of turn, is ignored."""
    if not _current(task, attempt) or n != task.last_n + 1:
        return None
    seq = task.last_seq + 1
    event = TaskEvent(task.id, seq, now, kind, data, attempt)
    return Change(msgspec.structs.replace(task, last_n=n, last_seq=seq, updated_at=now), (event,))


def ask(task: Task, attempt: int, n: int, asked: Question | TaskFailure, now: float) -> Change | None:
    """The running attempt asks a person, in its event number `n`: the task waits while any of its questions is open.

    One that can't be asked ends the task with the error that is given in its place: the handler would wait for ever.
    """
    if not _current(task, attempt) or n != task.last_n + 1:
        return None
    if isinstance(asked, TaskFailure):
        return _end(task, Trigger.FAIL, now, error=asked)
    fault = _fault(task, asked)
    if fault is not None:
        return _end(task, Trigger.FAIL, now, error=fault)
    seq = task.last_seq + 1
    event = TaskEvent(task.id, seq, now, TaskEventKind.QUESTION, msgspec.json.encode(asked), attempt)
    dialogue = task.dialogue.ask(asked, now)
    asking = msgspec.structs.replace(task, last_n=n, last_seq=seq, updated_at=now, dialogue=dialogue)
    return _follow(Change(asking, (event,)), after(task.state, Trigger.ASK), now)


def answer(task: Task, question: TaskQuestion, value: bytes, by: str, now: float) -> Change | None:
    """Somebody answers a question; nothing when it is not open any more, exactly as they saw it."""
    if task.dialogue.find(question.number) != question or not question.open:
        return None
    return _settle(task, AnswerData(question.number, Raw(value), by=by), now)


def expire_question(task: Task, now: float) -> Change | None:
    """Nobody answered in time: what the first question that is overdue gets instead is no refusal."""
    for question in task.dialogue.open:
        if question.expires_at is not None and now >= question.expires_at:
            return _settle(task, AnswerData(question.number, expired=True), now)
    return None


def settled(task: Task, events: Sequence[TaskEvent]) -> list[TaskQuestion]:
    """Return the questions that these events are the reactions to."""
    numbers = [
        msgspec.json.decode(one.data, type=AnswerData).question for one in events if one.kind is TaskEventKind.ANSWER
    ]
    return [question for question in map(task.dialogue.find, numbers) if question is not None]


def complete(task: Task, attempt: int, output: bytes, now: float) -> Change | None:
    """The attempt returned an output."""
    return _end(task, Trigger.COMPLETE, now, output=output) if _current(task, attempt) else None


def fail(task: Task, attempt: int, error: TaskFailure, now: float) -> Change | None:
    """The attempt failed by itself; `handler_error` is tried again while the policy has retries left.

    A task that must not start twice is not, whatever its skill says of retries: its caller may have asked for that.
    """
    if not _current(task, attempt):
        return None
    retries = task.retries if task.delivery is Delivery.AT_LEAST_ONCE else 0
    if error.code == "handler_error" and task.failures < retries and task.cancel_reason is None:
        wait = min(task.backoff * 2**task.failures, 3600.0)
        retried = msgspec.structs.replace(task, failures=task.failures + 1, not_before=now + wait)
        return _requeue(retried, Trigger.RETRY, now, error)
    return _end(task, Trigger.FAIL, now, error=error)


def reject(task: Task, attempt: int, error: TaskFailure, now: float) -> Change | None:
    """The handler declined the task."""
    return _end(task, Trigger.REJECT, now, error=error) if _current(task, attempt) else None


def canceled(task: Task, attempt: int, error: TaskFailure, now: float) -> Change | None:
    """The attempt stopped because it was asked to."""
    return _end(task, Trigger.CANCEL, now, error=error) if _current(task, attempt) else None


def cancel(task: Task, reason: str, now: float) -> Change | None:
    """Somebody cancels the task. One that waits ends at once; one that runs is asked to stop first (see `force`)."""
    if task.terminal or task.cancel_reason is not None:
        return None
    if task.state in LEASED:
        return Change(msgspec.structs.replace(task, cancel_reason=reason, cancel_at=now, updated_at=now))
    return _end(task, Trigger.CANCEL, now, error=TaskFailure("canceled", reason))


def force(task: Task, attempt: int | None, error: TaskFailure, now: float) -> Change | None:
    """End the task without its agent's answer: a deadline, a timeout, a cancel that was not answered in time.

    With `attempt`, only while that attempt is the current one. A `canceled` error ends it canceled, others failed.
    """
    if task.terminal or (attempt is not None and attempt != task.attempt):
        return None
    return _end(task, Trigger.CANCEL if error.code == "canceled" else Trigger.FAIL, now, error=error)


def give_up(task: Task, error: TaskFailure, now: float) -> Change | None:
    """No instance will take the task: it ends, unless one has taken it meanwhile."""
    return _end(task, Trigger.FAIL, now, error=error) if task.state is TaskState.SUBMITTED else None


def inherit(task: Task, attempt: int, ended: str, heir: str, now: float) -> Change | None:
    """The process that ran the attempt has ended, and another one has its result: the attempt is that one's."""
    if not _current(task, attempt) or task.instance_id != ended:
        return None
    inherited = msgspec.structs.replace(task, instance_id=heir, updated_at=now)
    return _logged(inherited, StateData(task.state, task.attempt, heir, accepted=task.accepted_at is not None), now)


def lose(task: Task, attempt: int, now: float, why: Loss = Loss.CUT) -> Change | None:
    """The attempt's instance is gone for longer than the grace period, or for certain; see `Delivery` for what follows.

    An instance may have started what it had not yet accepted: of an at-most-once task nobody knows, and it is over.
    While it waits for a person a loss is none of those that are counted: what people take days for must not use up
    what a restart of the agent's machine may take.
    """
    if not _current(task, attempt):
        return None
    if task.cancel_reason is not None:
        return _end(task, Trigger.CANCEL, now, error=TaskFailure("canceled", task.cancel_reason))
    counts = task.state is not TaskState.INPUT_REQUIRED
    lost = msgspec.structs.replace(task, losses=task.losses + counts)
    if task.delivery is Delivery.AT_MOST_ONCE:
        return _end(lost, Trigger.FAIL, now, error=outcome_unknown(why))
    error = agent_lost(lost.losses, why)
    if counts and lost.losses >= task.max_attempts:
        return _end(lost, Trigger.FAIL, now, error=error)
    return _requeue(lost, Trigger.LOSE, now, error)


WAITS_AGAIN = 24 * 3600.0
"""Seconds a task that was begun waits for another attempt at the most."""

_HOW = {
    Loss.CUT: "its connection was cut or its process killed, and it did not come back in time",
    Loss.SILENT: "it was not heard any more, and did not come back in time",
    Loss.LEFT: "it closed its connection, and did not come back in time",
    Loss.ENDED: "its process has ended",
    Loss.FORGOTTEN: "it does not run the task any more and gave no result",
    Loss.ABSENT: "it did not come back after the server was started",
    Loss.SHUT_OUT: "its connection was closed, for its token had ended or its agent was disabled",
    Loss.REPLACED: "another process with its token took its place",
}


def agent_lost(times: int, why: Loss) -> TaskFailure:
    """Return the error of an attempt that was lost; `times` is how many losses count by now."""
    often = f" {times} times; the last time" if times > 1 else ":"
    return TaskFailure("agent_lost", f"the agent that ran this task was lost{often} {_HOW[why]}")


def outcome_unknown(why: Loss) -> TaskFailure:
    """Return the error of a lost attempt of a task that must not run twice."""
    return TaskFailure(
        "outcome_unknown",
        f"the agent was lost while it ran this task ({_HOW[why]}), which must not run twice: check what it did "
        "before trying again",
    )


def may_report(task: Task, by: InstanceRef, latest: int) -> bool:
    """Tell whether the task is this instance's, and this is the latest of its connections.

    `latest` is that one's generation. What an older one still says was true before the instance came back: it may have
    given back what it has been sent again since.
    """
    return task.instance_id == by.instance_id and by.generation >= latest


def on_report(
    task: Task,
    *,
    by: InstanceRef,
    latest: int,
    said: Report,
    now: float,
    asked: Question | TaskFailure | None = None,
) -> Change | None:
    """Return what an instance's report changes; see `may_report` for whose count.

    `asked` is what a `question` asks, or the error with which the task is to end because it can't be asked; None when
    the question was not this instance's to ask. What is said first of an attempt accepts it, whatever it is: an agent
    leaves its `accept` out when the result is there as soon.
    """
    if not may_report(task, by, latest):
        return None
    accepted = None if isinstance(said, Accept | Refuse) else accept(task, said.attempt, now)
    if accepted is None:
        return _reported(task, said, now, asked)
    change = _reported(accepted.task, said, now, asked)
    return None if change is None else Change(change.task, accepted.events + change.events)


def _reported(task: Task, said: Report, now: float, asked: Question | TaskFailure | None) -> Change | None:
    match said:
        case Accept(attempt=attempt):
            return accept(task, attempt, now)
        case Refuse(attempt=attempt, reason=reason):
            return refuse(task, attempt, now, reason)
        case Event(attempt=attempt, n=n, kind=EventKind.QUESTION):
            return None if asked is None else ask(task, attempt, n, asked, now)
        case Event(attempt=attempt, n=n, kind=kind, data=data):
            return report(task, attempt, n, TaskEventKind(kind.value), bytes(data), now)
        case Result(attempt=attempt, outcome=Outcome.COMPLETED, output=output):
            return complete(task, attempt, bytes(output), now)
        case Result(attempt=attempt, outcome=outcome, error=error):
            return _ENDS[outcome](task, attempt, _believed(outcome, error), now)


def assignment(task: Task) -> messages.Task:
    """Return the message that delivers the task's current attempt."""
    return passed_on(
        messages.Task,
        task,
        task=task.id,
        input=Raw(task.input),
        caller=messages.Caller(kind=task.caller.kind, id=task.caller.id, name=task.caller.name),
        parent=task.parent_id,
        answers=task.dialogue.reactions if task.dialogue.questions else [],
    )


def stop_order(task: Task) -> messages.Cancel:
    """Return what has the task's current attempt stopped: it is to be canceled, or ended without its agent."""
    reason = task.cancel_reason or (task.error.message if task.error else "")
    return messages.Cancel(task.id, task.attempt, reason[: messages.LINE])


_ENDS: Mapping[Outcome, Callable[[Task, int, TaskFailure, float], Change | None]] = {
    Outcome.FAILED: fail,
    Outcome.REJECTED: reject,
    Outcome.CANCELED: canceled,
}
_CODES: Mapping[Outcome, Callable[[str], str]] = {
    Outcome.FAILED: codes.of_failure,
    Outcome.REJECTED: codes.of_rejection,
    Outcome.CANCELED: lambda _code: "canceled",
}


def _believed(outcome: Outcome, said: Fault | None) -> TaskFailure:
    """Return an agent's reason, without a code that is not its to give."""
    fault = said or Fault("handler_error", "the agent gave no reason")
    return TaskFailure(_CODES[outcome](fault.code), fault.message, bytes(fault.detail))


def _current(task: Task, attempt: int) -> bool:
    return task.state in LEASED and task.attempt == attempt


def _end(
    task: Task, trigger: Trigger, now: float, *, output: bytes | None = None, error: TaskFailure | None = None
) -> Change | None:
    state = after(task.state, trigger)
    if state is None:
        return None
    ended = msgspec.structs.replace(
        task,
        state=state,
        output=output,
        error=error,
        ended_at=now,
        updated_at=now,
        cancel_reason=None,
        cancel_at=None,
        dialogue=task.dialogue.closed(now) if task.dialogue.questions else task.dialogue,
    )
    return _moved(task, ended, now, error)


def _requeue(
    task: Task,
    trigger: Trigger,
    now: float,
    error: TaskFailure | None = None,
    *,
    returned: RefuseReason | None = None,
) -> Change | None:
    state = after(task.state, trigger)
    if state is None:
        return None
    queue = task.queue_expires_at
    if task.accepted_at is not None:
        # How long it was to wait for its first agent says nothing any more: it was begun, and has attempts left.
        queue = max(queue or 0.0, now + WAITS_AGAIN)
    waiting = msgspec.structs.replace(
        task,
        state=state,
        instance_id=None,
        accepted_at=None,
        queue_expires_at=queue,
        updated_at=now,
        dialogue=task.dialogue.closed(now) if task.dialogue.questions else task.dialogue,
    )
    return _moved(task, waiting, now, error, returned)


def _settle(task: Task, data: AnswerData, now: float) -> Change | None:
    if task.state not in LEASED:
        return None
    dialogue = task.dialogue.settle(data.question, now, answer=data.answer, expired=data.expired, by=data.by)
    seq = task.last_seq + 1
    event = TaskEvent(task.id, seq, now, TaskEventKind.ANSWER, msgspec.json.encode(data), task.attempt)
    told = msgspec.structs.replace(task, last_seq=seq, updated_at=now, dialogue=dialogue)
    return _follow(Change(told, (event,)), None if dialogue.open else after(task.state, Trigger.ANSWER), now)


def _follow(change: Change, state: TaskState | None, now: float) -> Change:
    """Have the task move on to this state, when it is one, in the same commit."""
    if state is None:
        return change
    moved = _moved(change.task, msgspec.structs.replace(change.task, state=state), now)
    return Change(moved.task, change.events + moved.events)


def _fault(task: Task, asked: Question) -> TaskFailure | None:
    if task.dialogue.find(asked.number) is not None:
        return TaskFailure("invalid_question", f"question {asked.number} was asked already")
    if task.dialogue.asked_bytes + size_of(asked.question, asked.schema) > MOST_ASKED:
        return TaskFailure("too_many_questions", f"the questions of a task are over {MOST_ASKED} bytes together")
    return None


def _moved(
    before: Task, task: Task, now: float, error: TaskFailure | None = None, returned: RefuseReason | None = None
) -> Change:
    data = StateData(
        task.state,
        task.attempt,
        task.instance_id or before.instance_id,
        error.code if error else None,
        error.message if error else None,
        returned=returned,
    )
    return _logged(task, data, now)


def _logged(task: Task, data: StateData, now: float) -> Change:
    seq = task.last_seq + 1
    event = TaskEvent(task.id, seq, now, TaskEventKind.STATE, msgspec.json.encode(data), task.attempt)
    return Change(msgspec.structs.replace(task, last_seq=seq), (event,))
