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
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from agentic_atlas.protocol.messages import (
    Accept,
    Call,
    Drain,
    Event,
    EventAck,
    EventKind,
    Fault,
    Hello,
    Limits,
    Logs,
    LogsAck,
    Question,
    Refuse,
    RefuseReason,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Welcome,
)
from agentic_atlas.sdk.ledger.attempts import (
    Key,
    OpenAttempt,
    OpenAttempts,
    OpenCalls,
    PendingResults,
    Sendable,
    fit,
    notice,
    size,
)
from agentic_atlas.sdk.lines.flow import LogFlow
from agentic_atlas.sdk.ports import Outgoing, UnsaidQuestion
from agentic_atlas.sdk.spool.port import Handover, Spool

HELD_BYTES = 64 * 1024 * 1024
"""Most bytes that events and results may hold: over it events are left out and new tasks are refused as busy."""
HELD_ATTEMPTS = 1_000
"""Most attempts, running or with a result that is not acknowledged: over it new tasks are refused as busy."""


class SendQueue:
    """What waits to be sent on this connection; empty between two.

    Attributes:
        ready: there is a connection, and its router has said welcome.
        in_flight: events that were sent and are not acknowledged.
    """

    def __init__(self, most: int, *, keep_back: bool) -> None:
        """Begin; a peer that sends tasks and does not read the answers gets no more than `most` of them."""
        self._keep_back = keep_back
        self.ready = False
        self.in_flight = 0
        self._most = most
        self._at_once: deque[Accept | Refuse | Drain] = deque()
        # Attempts whose `accept` is kept back, and since when; the one that has waited longest is the first.
        self._kept_back: dict[Key, float] = {}
        self._results: dict[Key, None] = {}
        self._events: deque[Key] = deque()

    def cut(self) -> None:
        """The connection is gone."""
        self.ready = False
        self.in_flight = 0
        self._at_once.clear()
        self._kept_back.clear()
        self._events.clear()
        self._results.clear()

    def say(self, message: Accept | Refuse | Drain) -> None:
        """Send this before events and results."""
        if self.ready:
            self._at_once.append(message)

    def answer(self, message: Accept | Refuse) -> None:
        """Send this as `say` does, unless too many wait already."""
        if len(self._at_once) < self._most:
            self.say(message)

    def accepted(self, attempt: OpenAttempt, now: float) -> None:
        """Say that the attempt was accepted, perhaps not yet: its result may say so."""
        if self.ready and self._keep_back:
            self._kept_back[attempt.key] = now
        else:
            self.say(Accept(*attempt.key))

    @property
    def keeps_back(self) -> bool:
        """Whether an `accept` is kept back, for the result that says the same: `Ledger.let_go` is to be called soon."""
        return bool(self._kept_back)

    def accept(self, attempt: OpenAttempt) -> bool:
        """Say it now, for something else follows; False when it was not kept back."""
        if self._kept_back.pop(attempt.key, None) is None:
            return False
        self._at_once.append(Accept(*attempt.key))
        return True

    def let_go(self, before: float) -> None:
        """Say of all now that were accepted before this time that they were."""
        while self._kept_back:
            key, since = next(iter(self._kept_back.items()))
            if since > before:
                return
            del self._kept_back[key]
            self._at_once.append(Accept(*key))

    def add_events(self, attempt: OpenAttempt) -> None:
        """Send what the attempt has waiting; called when there was nothing before."""
        if self.ready:
            self._events.append(attempt.key)

    def add_result(self, attempt: OpenAttempt) -> None:
        """Send the attempt's result, if it may go."""
        if self.ready and attempt.result_ready:
            self._kept_back.pop(attempt.key, None)
            self._results[attempt.key] = None

    def add(self, attempt: OpenAttempt) -> None:
        """Send all that the router has not got of an attempt, on a new connection."""
        if attempt.accepted and attempt.result is None:
            self._at_once.append(Accept(*attempt.key))
        if attempt.waiting:
            self._events.append(attempt.key)
        self.add_result(attempt)

    def next_message(self) -> Accept | Refuse | Drain | None:
        """Return what goes before all else, or None."""
        return self._at_once.popleft() if self._at_once else None

    def next_result(self) -> Key | None:
        """Return the attempt whose result goes next, or None."""
        key = next(iter(self._results), None)
        if key is not None:
            del self._results[key]
        return key

    def next_event(self, most: int) -> Key | None:
        """Return the attempt whose event goes next; None too while `most` are not acknowledged."""
        return self._events.popleft() if self._events and self.in_flight < most else None


class Ledger:
    """Everything said and not yet acknowledged, of one process.

    Attributes:
        attempts: the attempts in hand, each with its events and its result.
        results: which of the results are owed, and since when.
        calls: those of the attempts to other agents.
        queue: what of all this waits to be sent on this connection.
        lines: those of the agent's log, which go when nothing else does; None: it tells none.
    """

    def __init__(
        self,
        *,
        held_bytes: int = HELD_BYTES,
        held_attempts: int = HELD_ATTEMPTS,
        spool: Spool | None = None,
        clock: Callable[[], float] = time.monotonic,
        keep_back: bool = False,
        lines: LogFlow | None = None,
    ) -> None:
        """Begin; with `keep_back`, whoever has it looks after what its `queue` keeps back."""
        self.attempts = OpenAttempts(held_bytes, held_attempts)
        self.results = PendingResults(spool or Spool(), clock)
        self.calls = OpenCalls()
        self.lines = lines
        self._clock = clock
        self._limits = Limits()
        self._draining = False
        self.queue = SendQueue(held_attempts, keep_back=keep_back)
        # For the runner: questions that can't be said.
        self._unsaid: deque[UnsaidQuestion] = deque()

    # -- what the router says

    def offer(self, task: Task) -> bool:
        """Take a task; True when it is new and to be given to the runner.

        A repeated one is answered from what is known (its `accept` or its `result` comes out of `next` again), one
        too many is refused as busy.
        """
        key = (task.task, task.attempt)
        attempt = self.attempts.get(*key)
        if attempt is not None:
            if attempt.result is not None:
                attempt.result_sent = False
                self.queue.add_result(attempt)
            elif attempt.accepted and not self.queue.accept(attempt):
                self.queue.answer(Accept(*key))
            return False
        if self.attempts.has_ended(key):
            return False
        if self.attempts.full:
            self.queue.answer(Refuse(*key, RefuseReason.BUSY, "too much waits to be acknowledged"))
            return False
        self.attempts.add(key, task.skill)
        return True

    def acknowledged(self, ack: EventAck | ResultAck | LogsAck) -> None:
        """The router has stored events, or the result, of an attempt, or lines of the log; those are forgotten."""
        if isinstance(ack, LogsAck):
            if self.lines is not None:
                self.lines.kept(ack)
            return
        attempt = self.attempts.get(ack.task, ack.attempt)
        if attempt is None:
            return
        if isinstance(ack, EventAck):
            self.queue.in_flight -= self.attempts.stored(attempt.unacknowledged, ack.n)
        elif attempt.result_sent:
            self._forget(attempt)

    # -- what the runner says

    def say(self, message: Outgoing) -> None:
        """Keep what the runner says until it is sent, and acknowledged where that is due."""
        if isinstance(message, Drain):
            self._draining = True
            self.let_go()
            self.queue.say(message)
            return
        attempt = self.attempts.get(message.task, message.attempt)
        if attempt is None:
            return
        match message:
            case Call():
                self.queue.accept(attempt)
                self.calls.add(message)
            case Accept():
                attempt.accepted = True
                self.queue.accepted(attempt, self._clock())
            case Refuse():
                # Not kept over a cut: an attempt that `hello` does not announce is delivered again.
                self._drop(attempt)
                self.queue.say(message)
            case Event() if attempt.result is None:
                self._add_event(attempt, message)
            case Result() if attempt.result is None:
                self._add_result(attempt, message)

    def let_go(self, kept: float = 0.0) -> None:
        """Have those go that were kept back for so many seconds."""
        self.queue.let_go(self._clock() - kept)

    # -- a connection's life

    def take_over(self, handover: Handover) -> None:
        """Take over what ended processes left, before the first connection: their results are owed as one's own."""
        for result in self.results.take_over(handover):
            attempt = self.attempts.add((result.task, result.attempt), "")
            attempt.accepted = True
            self.attempts.end(attempt, result)

    def hello(self, base: Hello) -> Hello:
        """Return `base` with what is announced after a cut; whatever was on its way counts as not sent."""
        self.cut()
        running = [RunningAttempt(*attempt.key) for attempt in self.attempts if attempt.result is None]
        results, predecessors = self.results.announced()
        return replace(base, running=running, results=results, predecessors=predecessors)

    def welcomed(self, welcome: Welcome) -> list[RunningAttempt]:
        """Begin a connection: forget what the router has or does not want, and queue the rest again.

        Returns the attempts that run here and are not ours any more: their handlers are to be stopped.
        """
        self._limits = welcome.limits
        self.queue.ready = True
        if self.lines is not None:
            self.lines.begin(welcome.logs)
        if self._draining:
            self.queue.say(Drain())
        dropped = []
        for verdict in welcome.attempts:
            attempt = self.attempts.get(verdict.task, verdict.attempt)
            if attempt is None:
                continue
            if verdict.keep:
                self.attempts.stored(attempt.waiting, verdict.n)
            else:
                if attempt.result is None:
                    dropped.append(RunningAttempt(*attempt.key))
                self._forget(attempt)
        for attempt in self.attempts:
            self.queue.add(attempt)
        self.calls.again()
        self.results.welcomed()
        return dropped

    def cut(self) -> None:
        """The connection is gone; `next` returns nothing until the next `welcomed`."""
        self.queue.cut()
        if self.lines is not None:
            self.lines.cut()
        for attempt in self.attempts:
            attempt.cut()

    def next(self) -> Sendable | Logs | None:
        """Return the message to send now, or None when there is none or a limit does not let it go yet.

        A `Reply` and an `UnsaidQuestion` are not to be sent: they are for the runner, the answer to a call that may
        not be sent, and to a question.
        """
        if not self.queue.ready:
            return None
        if self._unsaid:
            return self._unsaid.popleft()
        message = self.queue.next_message()
        if message is not None:
            return fit(message, self._limits)
        said = self.calls.next(self._limits) or self._next_result() or self._next_event()
        if said is None and self.lines is not None and self.lines.ring.waiting:
            return self.lines.next()
        return said

    # -- inside

    def _add_event(self, attempt: OpenAttempt, event: Event) -> None:
        most = self._limits.events_per_task
        if event.kind is EventKind.QUESTION:
            self._add_question(attempt, event)
        elif attempt.last >= most:
            return
        elif attempt.last == most - 1:
            text = f"an attempt can have {most} events: this is the last one"
            self._keep(attempt, replace(event, kind=EventKind.LOG, data=notice(text)))
        elif not self.attempts.has_room(event):
            attempt.left_out += 1
        else:
            self._tell_left_out(attempt)
            self._keep(attempt, event)

    def _add_question(self, attempt: OpenAttempt, event: Event) -> None:
        most = self._limits.events_per_task
        self._tell_left_out(attempt)
        if attempt.last >= most:
            self._refuse_question(event, f"an attempt can have {most} events")
        elif not self.attempts.has_room(event):
            self._refuse_question(event, "the agent has too much that was not acknowledged")
        else:
            self._keep(attempt, event)

    def _refuse_question(self, event: Event, why: str, code: str = "too_many_events") -> None:
        number = msgspec.json.decode(event.data, type=Question).number
        self._unsaid.append(UnsaidQuestion(event.task, event.attempt, number, Fault(code, why)))

    def _tell_left_out(self, attempt: OpenAttempt) -> None:
        if attempt.left_out and attempt.last < self._limits.events_per_task - 1:
            text = f"{attempt.left_out} events were left out: the agent had too much that was not acknowledged"
            attempt.left_out = 0
            self._keep(attempt, Event(*attempt.key, 1, EventKind.LOG, notice(text)))

    def _keep(self, attempt: OpenAttempt, event: Event) -> None:
        self.queue.accept(attempt)
        if not attempt.waiting:
            self.queue.add_events(attempt)
        self.attempts.keep(attempt, event)

    def _add_result(self, attempt: OpenAttempt, result: Result) -> None:
        self._tell_left_out(attempt)
        self.attempts.end(attempt, result)
        # One that is too large to be sent is too large to be kept: what takes its place will do.
        small = size(result.output) <= self._limits.payload_bytes
        self.results.add(result if small else _replaced(result, self._limits))
        self.queue.add_result(attempt)

    def _next_result(self) -> Sendable | None:
        while (key := self.queue.next_result()) is not None:
            attempt = self.attempts.get(*key)
            if attempt is not None and attempt.result is not None:
                attempt.result_sent = True
                return fit(attempt.result, self._limits)
        return None

    def _next_event(self) -> Sendable | None:
        while (key := self.queue.next_event(self._limits.unacknowledged)) is not None:
            attempt = self.attempts.get(*key)
            if attempt is None or not attempt.waiting:
                continue
            event = attempt.waiting.popleft()
            attempt.unacknowledged.append(event)
            self.queue.in_flight += 1
            if attempt.waiting:
                self.queue.add_events(attempt)
            self.queue.add_result(attempt)
            fitted = fit(event, self._limits)
            if fitted is not event and event.kind is EventKind.QUESTION:
                # Only after a reconnect to a router with lower limits: what was asked fitted those of that time.
                self._refuse_question(event, "it is over a limit of the router", "payload_too_large")
            return fitted
        return None

    def _forget(self, attempt: OpenAttempt) -> None:
        """The attempt is over for good."""
        self._drop(attempt)
        self.attempts.remember(attempt.key)

    def _drop(self, attempt: OpenAttempt) -> None:
        self.queue.in_flight -= len(attempt.unacknowledged)
        self.attempts.drop(attempt)
        self.results.forget(attempt.key)
        self.calls.forget_of(attempt.key)


def _replaced(result: Result, limits: Limits) -> Result:
    fitted = fit(result, limits)
    assert isinstance(fitted, Result)
    return fitted
