"""The attempts of a task, each with how long it waited, was delivered and ran, and why it ended."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from agentic_atlas.platform.page import View
from agentic_atlas.platform.task.event_lines import RETURNED
from agentic_atlas.platform.task.timeline import Stretch, cut_words, cuts, run_time, stretches
from agentic_atlas.platform.wording import duration, visible
from agentic_atlas.protocol.caller.traces import TraceAttempt, TraceTask

_MOST_REASON = 500


class Times(View, frozen=True):
    """How long a task took, in words.

    Attributes:
        took: from its making to its end, or until now.
        waited: for a slot, in all attempts.
        delivery: from a slot to its beginning there, likewise.
        ran: likewise, without waiting for people; empty: it never did.
        people: for how long it waited for them; empty: for none.
        cut: for how long the connection of who had it was lost; empty: it never was.
    """

    took: str
    waited: str
    delivery: str
    ran: str
    people: str
    cut: str


class AttemptRow(View, frozen=True):
    """One attempt.

    Attributes:
        number: 1, 2, …
        instance: its id.
        host: where that ran; empty: nobody remembers.
        began_at: when it was given to the instance.
        delivery: how long until the instance had begun it; empty: it never had.
        ran: how long it ran, or does so far, without waiting for people.
        end: a state, `given back` or `tried again`; empty while it goes on.
        reason: why it ended.
        cuts: how often and how long its connection was lost.
    """

    number: int
    instance: str
    host: str
    began_at: datetime
    delivery: str
    ran: str
    end: str
    reason: str
    cuts: Sequence[str]


_MOST_CUTS: Final = 10


def times(task: TraceTask, now: datetime) -> Times:
    """Return how long a task took."""
    sums = dict.fromkeys(("queue", "delivery", "run", "people"), 0.0)
    found = stretches(task, now)
    for kind, at, to in found:
        sums[kind] += run_time(at, to, found) if kind == "run" else to - at
    ran = any(kind == "run" for kind, _, _ in found)
    lost = [to - at for (_, at, to), _ in cuts(task, now)]
    ended = task.task.ended_at or now
    return Times(
        took=duration((ended - task.task.created_at).total_seconds()),
        waited=duration(sums["queue"]),
        delivery=duration(sums["delivery"]) if task.attempts else "",
        ran=duration(sums["run"]) if ran else "",
        people=duration(sums["people"]) if sums["people"] else "",
        cut=duration(sum(lost)) if lost else "",
    )


def attempt_rows(task: TraceTask, now: datetime) -> Sequence[AttemptRow]:
    """Return the attempts of a task in their order."""
    found = stretches(task, now)
    return [_row(attempt, now, found) for attempt in task.attempts]


def _row(attempt: TraceAttempt, now: datetime, found: Sequence[Stretch]) -> AttemptRow:
    accepted, ended = attempt.accepted_at, attempt.ended_at or now
    return AttemptRow(
        number=attempt.number,
        instance=attempt.instance_id,
        host=visible(attempt.host),
        began_at=attempt.began_at,
        delivery="" if accepted is None else duration((accepted - attempt.began_at).total_seconds()),
        ran="" if accepted is None else duration(run_time(accepted.timestamp(), ended.timestamp(), found)),
        end=_ended(attempt),
        reason=_reason(attempt),
        cuts=_cuts(attempt, now),
    )


def _cuts(attempt: TraceAttempt, now: datetime) -> list[str]:
    """Return its last cuts in words, and how many there were before."""
    before = len(attempt.cuts) - _MOST_CUTS
    last = [cut_words(cut, now) for cut in attempt.cuts[-_MOST_CUTS:]]
    return [f"{before:,} before", *last] if before > 0 else last


def _ended(attempt: TraceAttempt) -> str:
    if attempt.returned is not None:
        return "given back"
    return "tried again" if attempt.end == "submitted" else attempt.end or ""


def _reason(attempt: TraceAttempt) -> str:
    if attempt.returned is not None:
        return RETURNED.get(attempt.returned, "given back")
    if attempt.error is None:
        return ""
    code, message = attempt.error.code, attempt.error.message[:_MOST_REASON]
    return visible(message if code == attempt.end else f"{code}: {message}", lines=True)
