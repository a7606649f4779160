"""What this process still owes the router (guarantees 2, 4 and 9).

A pure value: no thread, clock or socket. What the runner says goes in by `say`, what is to be sent now comes out of
`next`, and all of it is kept until the router has acknowledged it. A cut needs nothing but `hello` and `welcomed` of
the next connection: whatever the router has not stored comes out of `next` again, in order.

The ledger numbers the events of an attempt itself. So it can leave out what is over a limit without a gap in the
numbers, and says in an event of its own how many were left out. A question is never left out in silence: whoever asked
would wait for ever, and is told instead.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable

import msgspec
from msgspec.structs import replace

from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Call,
    Cancel,
    Drain,
    Event,
    EventAck,
    EventKind,
    Fault,
    Hello,
    Limits,
    Question,
    Refuse,
    RefuseReason,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Welcome,
)
from agentic_atlas.sdk.fitting import Fitted, fit, notice, size
from agentic_atlas.sdk.ledger.open_calls import Key, OpenCalls
from agentic_atlas.sdk.ledger.owed import Owed
from agentic_atlas.sdk.ledger.unacknowledged import Unacknowledged, weight
from agentic_atlas.sdk.ports import Outgoing, Unasked
from agentic_atlas.sdk.spool.port import Estate, NoSpool, Spool

HELD_BYTES = 64 * 1024 * 1024
"""Most bytes that events and results may hold: over it events are left out and new tasks are refused as busy."""
HELD_ATTEMPTS = 1_000
"""Most attempts, running or with a result that is not acknowledged: over it new tasks are refused as busy."""
_REMEMBERED = 1_000


class Resume(msgspec.Struct, frozen=True):
    """What `welcome` means for attempts that were announced."""

    dropped: tuple[RunningAttempt, ...] = ()
    """Attempts that run here and are not ours any more: stop their handlers."""


class Ledger:
    """Everything said and not yet acknowledged, of one process.

    Attributes:
        calls: those of them that are calls to other agents.
        results: those that are results.
    """

    def __init__(
        self,
        *,
        held_bytes: int = HELD_BYTES,
        held_attempts: int = HELD_ATTEMPTS,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._held_bytes = held_bytes
        self._held_attempts = held_attempts
        self._limits = Limits()
        self._ready = False
        self._draining = False
        self._attempts: dict[Key, Unacknowledged] = {}
        self._ended: dict[Key, None] = {}
        self.results = Owed(spool or NoSpool(), clock)
        self.calls = OpenCalls()
        self._bytes = 0
        # What waits to be sent on this connection; empty between two.
        self._at_once: deque[Accept | Refuse | Drain] = deque()
        self._results: dict[Key, None] = {}
        self._events: deque[Key] = deque()
        self._in_flight = 0
        # For the runner: questions that can't be said.
        self._unasked: deque[Unasked] = deque()

    # -- what the router says

    def offer(self, task: Task) -> bool:
        """Take a task; True when it is new and to be given to the runner.

        A repeated one is answered from what is known (its `accept` or its `result` comes out of `next` again), one
        too many is refused as busy.
        """
        key = (task.task, task.attempt)
        attempt = self._attempts.get(key)
        if attempt is not None:
            self._repeat(attempt)
            return False
        if key in self._ended:
            return False
        if len(self._attempts) >= self._held_attempts or self._bytes > self._held_bytes:
            self._refuse(key)
            return False
        self._attempts[key] = Unacknowledged(key, task.skill)
        return True

    def concerns(self, message: Cancel | Answer) -> bool:
        """Tell whether the attempt runs here, so that the runner is to be told."""
        attempt = self._attempts.get((message.task, message.attempt))
        return attempt is not None and attempt.result is None

    def acknowledged(self, ack: EventAck | ResultAck) -> None:
        """The router has stored events, or the result, of an attempt; those are forgotten."""
        attempt = self._attempts.get((ack.task, ack.attempt))
        if attempt is None:
            return
        if isinstance(ack, EventAck):
            self._in_flight -= self._stored(attempt.unacknowledged, ack.n)
        elif attempt.result_sent:
            self._forget(attempt)

    def pending(self, task: str, attempt: int) -> int:
        """Return how many events of an attempt are not stored yet."""
        known = self._attempts.get((task, attempt))
        return 0 if known is None else len(known.unacknowledged) + len(known.waiting)

    # -- what the runner says

    def say(self, message: Outgoing) -> None:
        """Keep what the runner says until it is sent, and acknowledged where that is due."""
        if isinstance(message, Drain):
            self._draining = True
            self._send_at_once(message)
            return
        attempt = self._attempts.get((message.task, message.attempt))
        if attempt is None:
            return
        match message:
            case Call():
                self.calls.add(message)
            case Accept():
                attempt.accepted = True
                self._send_at_once(message)
            case Refuse():
                # Not kept over a cut: an attempt that `hello` does not announce is delivered again.
                self._drop(attempt)
                self._send_at_once(message)
            case Event():
                self._add_event(attempt, message)
            case Result() if attempt.result is None:
                self._add_result(attempt, message)

    # -- a connection's life

    def inherit(self, estate: Estate) -> None:
        """Take over what ended processes left, before the first connection: their results are owed as one's own."""
        for result in self.results.inherit(estate):
            attempt = Unacknowledged((result.task, result.attempt), "")
            attempt.accepted, attempt.result = True, result
            self._attempts[attempt.key] = attempt
            self._bytes += weight(result)

    def hello(self, base: Hello) -> Hello:
        """Return `base` with what is announced after a cut; whatever was on its way counts as not sent."""
        self.cut()
        running = [RunningAttempt(*attempt.key) for attempt in self._attempts.values() if attempt.result is None]
        results, predecessors = self.results.announced()
        return replace(base, running=running, results=results, predecessors=predecessors)

    def welcomed(self, welcome: Welcome) -> Resume:
        """Begin a connection: forget what the router has or does not want, and queue the rest again."""
        self._limits = welcome.limits
        self._ready = True
        if self._draining:
            self._send_at_once(Drain())
        dropped = []
        for verdict in welcome.attempts:
            attempt = self._attempts.get((verdict.task, verdict.attempt))
            if attempt is None:
                continue
            if verdict.keep:
                self._stored(attempt.waiting, verdict.n)
            else:
                if attempt.result is None:
                    dropped.append(RunningAttempt(*attempt.key))
                self._forget(attempt)
        for attempt in self._attempts.values():
            self._queue(attempt)
        self.calls.again()
        self.results.welcomed()
        return Resume(tuple(dropped))

    def cut(self) -> None:
        """The connection is gone; `next` returns nothing until the next `welcomed`."""
        self._ready = False
        self._in_flight = 0
        self._at_once.clear()
        self._events.clear()
        self._results.clear()
        for attempt in self._attempts.values():
            attempt.waiting.extendleft(reversed(attempt.unacknowledged))
            attempt.unacknowledged.clear()
            attempt.result_sent = False

    def next(self) -> Fitted | None:
        """Return the message to send now, or None when there is none or a limit does not let it go yet.

        A `Reply` and an `Unasked` are not to be sent: they are for the runner, the answer to a call that may not be
        sent, and to a question.
        """
        if not self._ready:
            return None
        if self._unasked:
            return self._unasked.popleft()
        if self._at_once:
            return fit(self._at_once.popleft(), self._limits)
        return self.calls.next(self._limits) or self._next_result() or self._next_event()

    # -- what there is

    @property
    def owes(self) -> bool:
        """Whether something is still to be acknowledged, besides what runs."""
        attempts = self._attempts.values()
        return any(attempt.result or attempt.waiting or attempt.unacknowledged for attempt in attempts)

    @property
    def undecided(self) -> bool:
        """Whether a task was neither accepted nor refused yet: it would be lost with this process, though nobody began
        it."""
        return any(not attempt.accepted for attempt in self._attempts.values())

    @property
    def running(self) -> int:
        """Number of attempts that have no result yet."""
        return sum(1 for attempt in self._attempts.values() if attempt.result is None)

    def in_hand(self, running: Collection[Key]) -> list[RunningAttempt]:
        """Return what is in hand: what was not begun yet, what runs, and what has a result that is owed.

        `running` is what the runner says. An attempt that was begun, does not run and has no result is in nobody's.
        """
        return [
            RunningAttempt(*attempt.key)
            for attempt in self._attempts.values()
            if attempt.result is not None or not attempt.accepted or attempt.key in running
        ]

    def running_skills(self) -> Iterable[str]:
        """Return the names of the skills that run, each once, those that began first at the front."""
        started = (attempt for attempt in self._attempts.values() if attempt.accepted and attempt.result is None)
        return tuple(dict.fromkeys(attempt.skill for attempt in started))

    # -- inside

    def _repeat(self, attempt: Unacknowledged) -> None:
        if attempt.result is not None:
            attempt.result_sent = False
            self._queue_result(attempt)
        elif attempt.accepted and len(self._at_once) < self._held_attempts:
            self._send_at_once(Accept(*attempt.key))

    def _refuse(self, key: Key) -> None:
        # A peer that sends tasks and does not read the answers gets no more of them.
        if len(self._at_once) < self._held_attempts:
            self._send_at_once(Refuse(*key, RefuseReason.BUSY, "too much waits to be acknowledged"))

    def _send_at_once(self, message: Accept | Refuse | Drain) -> None:
        if self._ready:
            self._at_once.append(message)

    def _queue(self, attempt: Unacknowledged) -> None:
        if attempt.accepted and attempt.result is None:
            self._at_once.append(Accept(*attempt.key))
        if attempt.waiting:
            self._events.append(attempt.key)
        self._queue_result(attempt)

    def _queue_result(self, attempt: Unacknowledged) -> None:
        if self._ready and attempt.result_ready:
            self._results[attempt.key] = None

    def _add_event(self, attempt: Unacknowledged, event: Event) -> None:
        most = self._limits.events_per_task
        if event.kind is EventKind.QUESTION:
            self._add_question(attempt, event)
            return
        if attempt.result is not None or attempt.last >= most:
            return
        if attempt.last == most - 1:
            text = f"an attempt can have {most} events: this is the last one"
            self._keep(attempt, replace(event, kind=EventKind.LOG, data=notice(text)))
        elif self._bytes + weight(event) > self._held_bytes:
            attempt.left_out += 1
        else:
            self._tell_left_out(attempt)
            self._keep(attempt, event)

    def _add_question(self, attempt: Unacknowledged, event: Event) -> None:
        most = self._limits.events_per_task
        if attempt.result is not None:
            return
        self._tell_left_out(attempt)
        if attempt.last >= most:
            self._refuse_question(event, f"an attempt can have {most} events")
        elif self._bytes + weight(event) > self._held_bytes:
            self._refuse_question(event, "the agent has too much that was not acknowledged")
        else:
            self._keep(attempt, event)

    def _refuse_question(self, event: Event, why: str, code: str = "too_many_events") -> None:
        number = msgspec.json.decode(event.data, type=Question).number
        self._unasked.append(Unasked(event.task, event.attempt, number, Fault(code, why)))

    def _tell_left_out(self, attempt: Unacknowledged) -> None:
        if attempt.left_out and attempt.last < self._limits.events_per_task - 1:
            text = f"{attempt.left_out} events were left out: the agent had too much that was not acknowledged"
            attempt.left_out = 0
            self._keep(attempt, Event(*attempt.key, 1, EventKind.LOG, notice(text)))

    def _keep(self, attempt: Unacknowledged, event: Event) -> None:
        attempt.last += 1
        numbered = event if event.n == attempt.last else replace(event, n=attempt.last)
        self._bytes += weight(numbered)
        if self._ready and not attempt.waiting:
            self._events.append(attempt.key)
        attempt.waiting.append(numbered)

    def _add_result(self, attempt: Unacknowledged, result: Result) -> None:
        self._tell_left_out(attempt)
        attempt.result = result
        self._bytes += weight(result)
        # One that is too large to be sent is too large to be kept: what takes its place will do.
        small = size(result.output) <= self._limits.payload_bytes
        self.results.add(result if small else _replaced(result, self._limits))
        self._queue_result(attempt)

    def _next_result(self) -> Fitted | None:
        while self._results:
            key = next(iter(self._results))
            del self._results[key]
            attempt = self._attempts.get(key)
            if attempt is not None and attempt.result is not None:
                attempt.result_sent = True
                return fit(attempt.result, self._limits)
        return None

    def _next_event(self) -> Fitted | None:
        while self._events and self._in_flight < self._limits.unacknowledged:
            attempt = self._attempts.get(self._events.popleft())
            if attempt is None or not attempt.waiting:
                continue
            event = attempt.waiting.popleft()
            attempt.unacknowledged.append(event)
            self._in_flight += 1
            if attempt.waiting:
                self._events.append(attempt.key)
            self._queue_result(attempt)
            fitted = fit(event, self._limits)
            if fitted is not event and event.kind is EventKind.QUESTION:
                # Only after a reconnect to a router with lower limits: what was asked fitted those of that time.
                self._refuse_question(event, "it is over a limit of the router", "payload_too_large")
            return fitted
        return None

    def _stored(self, events: deque[Event], n: int) -> int:
        """Forget the events up to `n`; return how many those were."""
        before = len(events)
        while events and events[0].n <= n:
            self._bytes -= weight(events.popleft())
        return before - len(events)

    def _forget(self, attempt: Unacknowledged) -> None:
        """The attempt is over for good, and remembered for a while so that it is not started once more."""
        self._drop(attempt)
        self._ended[attempt.key] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _drop(self, attempt: Unacknowledged) -> None:
        self._in_flight -= len(attempt.unacknowledged)
        self._bytes -= attempt.held()
        del self._attempts[attempt.key]
        self.results.forget(attempt.key)
        self.calls.forget_of(attempt.key)


def _replaced(result: Result, limits: Limits) -> Result:
    fitted = fit(result, limits)
    assert isinstance(fitted, Result)
    return fitted
