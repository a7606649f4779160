"""The life of a task as a table, for every part that decides or shows a state.

The diagram in the documentation is drawn from `TRANSITIONS`, and a test keeps the two equal. State names are those of
the A2A protocol.
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is in its life."""

    SUBMITTED = "submitted"
    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"
    REJECTED = "rejected"


class Trigger(StrEnum):
    """What can happen to a task."""

    CLAIM = "claim"
    """An instance with a free slot is found: an attempt begins."""
    REFUSE = "refuse"
    """The instance gives the attempt back before it began (busy, draining): no attempt is used up."""
    RETRY = "retry"
    """The handler failed and its policy has retries left."""
    LOSE = "lose"
    """The attempt was lost with its instance, and the policy allows another one."""
    ASK = "ask"
    """The handler asks a person and waits."""
    ANSWER = "answer"
    """The question was answered."""
    COMPLETE = "complete"
    FAIL = "fail"
    """An error that is final: of the handler, a deadline, a lost attempt without another one."""
    CANCEL = "cancel"
    REJECT = "reject"
    """The handler declined the task (`ctx.reject`)."""


class Loss(StrEnum):
    """What is known of why an attempt was lost."""

    CUT = "cut"
    """Its connection ended without a word: the process was killed, or the network cut."""
    SILENT = "silent"
    """It was connected and said nothing any more."""
    LEFT = "left"
    """It closed its connection, and did not come back."""
    ENDED = "ended"
    """Its process has ended: the one that takes its place says so."""
    FORGOTTEN = "forgotten"
    """It is connected, and does not know the attempt."""
    ABSENT = "absent"
    """It did not come back after a start of the server."""
    SHUT_OUT = "shut_out"
    """Its connection was closed: its token had ended, or its agent was disabled."""
    REPLACED = "replaced"
    """It gave no sign of life, and another process with its token took its place."""


class Holdup(StrEnum):
    """Why an instance is given no new tasks for now, whatever slots it has free."""

    DRAINING = "draining"
    """It is about to end."""
    BLOCKED = "blocked"
    """Its event loop is late."""
    REFUSED = "refused"
    """It gave a task back as busy, and is left alone for a while."""
    BEHIND = "behind"
    """It has not read yet what was sent to it."""
    MEMORY = "memory"
    """It takes more memory than its `max_memory`."""
    CPU = "cpu"
    """It takes more of the processor than its `max_cpu`."""
    BATTERY = "battery"
    """Its machine runs on its battery, and it was told to pause then."""
    QUIET_HOURS = "quiet_hours"
    """It was told to pause at this time of the day."""


TERMINAL = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELED, TaskState.REJECTED})
"""States that never change again."""

LEASED = frozenset({TaskState.WORKING, TaskState.INPUT_REQUIRED})
"""States in which an instance holds an attempt."""

TRANSITIONS: dict[TaskState, dict[Trigger, TaskState]] = {
    TaskState.SUBMITTED: {
        Trigger.CLAIM: TaskState.WORKING,
        Trigger.CANCEL: TaskState.CANCELED,
        Trigger.FAIL: TaskState.FAILED,
    },
    TaskState.WORKING: {
        Trigger.REFUSE: TaskState.SUBMITTED,
        Trigger.RETRY: TaskState.SUBMITTED,
        Trigger.LOSE: TaskState.SUBMITTED,
        Trigger.ASK: TaskState.INPUT_REQUIRED,
        Trigger.COMPLETE: TaskState.COMPLETED,
        Trigger.FAIL: TaskState.FAILED,
        Trigger.CANCEL: TaskState.CANCELED,
        Trigger.REJECT: TaskState.REJECTED,
    },
    TaskState.INPUT_REQUIRED: {
        Trigger.ANSWER: TaskState.WORKING,
        Trigger.RETRY: TaskState.SUBMITTED,
        Trigger.LOSE: TaskState.SUBMITTED,
        Trigger.COMPLETE: TaskState.COMPLETED,
        Trigger.FAIL: TaskState.FAILED,
        Trigger.CANCEL: TaskState.CANCELED,
        Trigger.REJECT: TaskState.REJECTED,
    },
    TaskState.COMPLETED: {},
    TaskState.FAILED: {},
    TaskState.CANCELED: {},
    TaskState.REJECTED: {},
}


def after(state: TaskState, trigger: Trigger) -> TaskState | None:
    """Return the state that follows, or None when the trigger does not apply (a late result, a second cancel)."""
    return TRANSITIONS[state].get(trigger)
