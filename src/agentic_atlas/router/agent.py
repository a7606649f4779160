"""One registered instance: what it said of itself, what it has in hand, and what its messages lead to.

The slots of an instance are granted to the backend as credit: so many tasks in all as it has had, and slots free. A
slot is taken from the moment its task came here, and granted anew when the attempt was refused or has a result.
"""

import asyncio
import math
from collections.abc import Collection, Iterable
from typing import Protocol

from agentic_atlas.protocol.codec import ProtocolError, is_object, numbers_fit
from agentic_atlas.protocol.inside.messages import (
    Called,
    Congested,
    Credit,
    Failure,
    Heard,
    InstanceRef,
    Receipt,
    Reported,
)
from agentic_atlas.protocol.messages import (
    BEAT_BYTES,
    NULL,
    Accept,
    Beat,
    Call,
    Drain,
    Event,
    EventAck,
    Fault,
    Logs,
    Message,
    Outcome,
    PauseReason,
    Refuse,
    RefuseReason,
    Renewal,
    Reply,
    ReplyKind,
    Report,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Verdict,
    Welcome,
)
from agentic_atlas.protocol.tasks import Holdup, TaskState
from agentic_atlas.router.flow import Pause
from agentic_atlas.router.logs import LogIntake
from agentic_atlas.router.ports import RouterContext
from agentic_atlas.transport.frames import ControlRate

BEATS_MISSED = 3
"""Beats in a row that have to leave an attempt out before it counts as one that the agent does not have."""

_LONGEST_PAUSE = 30.0
"""Seconds. One that refuses again and again is asked seldom: each try is on record in its task's events."""


class AgentEnd(Protocol):
    """The connection, as the agent at its other end needs it."""

    def send(self, message: Message) -> bool:
        """Send a message; False when the connection is over."""

    def recorded(self, report: Report, receipt: Receipt) -> None:
        """The backend dealt with what the agent reported; this comes after the end too."""

    def not_stored(self, failure: Failure) -> None:
        """What the agent reported could not be stored, or must not be."""

    def resume(self, reason: Pause) -> None:
        """This reason not to take what comes is gone."""


class RegisteredAgent:
    """An instance from its `welcome` to the end of its connection.

    Attributes:
        instance: its registration.
        deliveries: the attempts that it has in hand.
        logs: its log lines; None: it has sent none.
        readiness: whether it wants new work.
        reports: what it said of attempts and is not stored yet.
        changed: there may be something to tell the backend of it (`tell`).
        congested: what the backend was told last of whether nothing large may be sent to it.
    """

    __slots__ = (
        "_beats",
        "_begun",
        "_behind",
        "_calls",
        "_context",
        "_end",
        "_granted",
        "_log_terms",
        "_received",
        "_said",
        "_slots",
        "changed",
        "congested",
        "deliveries",
        "instance",
        "logs",
        "readiness",
        "reports",
    )

    def __init__(
        self,
        context: RouterContext,
        instance: InstanceRef,
        slots: int,
        running: Iterable[RunningAttempt],
        end: AgentEnd,
        welcome: Welcome,
    ) -> None:
        """Begin with the attempts that it runs already, and with what was said of all that it announced."""
        self.instance = instance
        self.deliveries = Deliveries(running, welcome.attempts)
        self.readiness = AgentReadiness(context.settings.max_lag, context.settings.busy_pause)
        self._context = context
        self._slots = slots
        self._end = end
        self.reports = Reports(context, end)
        self.logs: LogIntake | None = None
        self._log_terms = welcome.logs
        self._beats = ControlRate(context.limits.control_frames_per_second)
        self._received = 0
        self._granted = 0
        # Not a set: an empty one takes three times as much.
        self._calls: dict[str, None] = {}
        self.changed = False
        self.congested = False
        self._begun = False
        # What its last beat said was told at once: a result or an attempt of it was in question.
        self._behind = False
        self._said: Credit | None = None

    def hear(self, message: Message, data: bytes, now: float) -> None:
        """Take a message of the agent's, and the frame that it came in.

        Raises:
            ProtocolError: over a limit, or out of order (4107).
        """
        match message:
            case Beat():
                self._beat(message, len(data), now)
            case Event():
                self._event(message, data, now)
            case Result():
                self.readiness.accepted()
                self._ended(_fitting(message, data, self._context.limits.payload_bytes), now)
            case Accept():
                self._accepted(message)
                self.reports.add(self.instance, message, now)
            case Refuse():
                self._refused(message, now)
            case Call():
                self._call(message)
            case Drain() | Renewal() | Logs():
                self._go_on(message, data, now)
            case _:
                raise ProtocolError("this is not for an agent to say")

    def deliver(self, task: Task, *, granted: bool) -> None:
        """Send a task, now or as soon as the agent has read what was sent before; one that drains gives it back.

        Not one that it has. `granted` is whether it uses up what was granted to the backend on this connection.
        """
        self._received += granted
        self.changed = True
        if self.readiness.draining:
            self._ended(Refuse(task.task, task.attempt, RefuseReason.DRAINING), self._context.clock())
        elif self.deliveries.begin(RunningAttempt(task.task, task.attempt)) and self._end.send(task):
            return
        self.tell(congested=self.congested)

    def drain(self) -> None:
        """Give it no new work any more."""
        if not self.readiness.draining:
            self.readiness.draining = self.changed = True

    @property
    def idle(self) -> bool:
        """Whether it has nothing in hand, and all that it reported is stored."""
        return not len(self.deliveries) and not len(self.reports)

    def abandon(self, attempt: RunningAttempt) -> bool:
        """The agent does not have the attempt; False when it took no slot."""
        self.changed = True
        return self.deliveries.end(attempt)

    def reply(self, reply: Reply) -> None:
        """Answer a call, unless it has been answered."""
        if reply.id in self._calls:
            if reply.kind is ReplyKind.RESULT:
                del self._calls[reply.id]
            self._end.send(reply)

    def tick(self, now: float) -> None:
        """Let time pass."""
        if self.readiness.tick(now):
            self.changed = True

    def begin(self, *, congested: bool) -> None:
        """Let the backend know of it: it may be given tasks."""
        self._begun = self.changed = True
        self.tell(congested=congested)

    def tell(self, *, congested: bool) -> None:
        """Tell the backend what has changed of the instance's credit, and of whether it reads."""
        if not self._begun or not (self.changed or congested != self.congested):
            return
        self.changed = False
        if congested != self.congested:
            self.congested = congested
            self._context.tell(Congested(self.instance, congested))
        self._granted = max(self._granted, self._received + self._slots - len(self.deliveries))
        holdup = self.readiness.holdup or (Holdup.BEHIND if congested else None)
        said = self._said
        if said is None or (said.granted, said.holdup) != (self._granted, holdup):
            self._said = Credit(self.instance, self._slots, self._granted, holdup)
            self._context.tell(self._said)

    def _intake(self) -> LogIntake:
        """Return what takes its log lines: made for the first, since most agents say little."""
        if self._log_terms is None:
            raise ProtocolError("log lines are not taken: welcome did not offer it", code="logs_not_offered")
        if self.logs is None:
            self.logs = LogIntake(self._context, self.instance, self._log_terms, self._end.send)
        return self.logs

    def _go_on(self, said: Drain | Renewal | Logs, data: bytes, now: float) -> None:
        """Take what it says of itself."""
        if isinstance(said, Logs):
            self._intake().take(said, data, now)
        elif isinstance(said, Drain):
            self.drain()
        else:
            self._beats.count(now)
            self._context.renew(self.instance)

    def _event(self, event: Event, data: bytes, now: float) -> None:
        most = self._context.limits.event_bytes
        if len(data) > most and memoryview(event.data).nbytes > most:
            raise ProtocolError(f"an event is over the limit of {most} bytes", code="event_too_big")
        if event.n > self._context.limits.events_per_task:
            raise ProtocolError("an attempt has more events than it may have", code="too_many_events")
        if not is_object(event.data) or not (numbers_fit(data) or numbers_fit(bytes(event.data))):
            raise ProtocolError("the data of an event is a JSON object", code="invalid_event")
        if not self.deliveries.in_turn(RunningAttempt(event.task, event.attempt), event.n):
            # Here already, so that nothing counts that came behind it.
            raise ProtocolError("the events of an attempt are numbered without gaps", code="event_out_of_turn")
        self._accepted(event)
        self.reports.add(self.instance, event, now)

    def _accepted(self, said: Accept | Event) -> None:
        """It has begun the attempt, whether it says no more than that or what the attempt reports."""
        self.readiness.accepted()
        self.deliveries.accept(RunningAttempt(said.task, said.attempt))

    def _refused(self, refuse: Refuse, now: float) -> None:
        if self.deliveries.accepted(RunningAttempt(refuse.task, refuse.attempt)):
            raise ProtocolError("an attempt that was accepted is not given back", code="out_of_order")
        self.readiness.refused(refuse.reason, now)
        self._ended(refuse, now)

    def _ended(self, report: Refuse | Result, now: float) -> None:
        # First the report, so that a task that is claimed for the slot is stored after it, in the same commit.
        self.reports.add(self.instance, report, now)
        self.changed = True
        self.deliveries.end(RunningAttempt(report.task, report.attempt))

    def _beat(self, beat: Beat, size: int, now: float) -> None:
        self._beats.count(now)
        if size > BEAT_BYTES:
            raise ProtocolError(f"a beat is over the limit of {BEAT_BYTES} bytes", code="beat_too_big")
        if (self.readiness.lag, self.readiness.pause) != (beat.lag, beat.pause):
            self.readiness.lag, self.readiness.pause, self.changed = beat.lag, beat.pause, True
        if beat.attempts is not None:
            self.deliveries.named(beat.attempts)
        unheard = self.deliveries.unheard
        heard = Heard(self.instance, beat.oldest, unheard, beat.lag, beat.cpu, beat.memory, beat.resources)
        if beat.oldest or unheard or self._behind:
            self._behind = bool(beat.oldest or unheard)
            self._context.tell(heard)
        else:
            # It says no more than that it is there, as nearly all do.
            self._context.heard.append(heard)
        self._end.send(Beat(beat.n))

    def _call(self, call: Call) -> None:
        """Have a call made. One that is sent again takes the place of the earlier one."""
        limits = self._context.limits
        self._calls.pop(call.id, None)
        if len(self._calls) >= limits.open_calls:
            self._end.send(_failed(call, "too_many_calls", f"more than {limits.open_calls} calls are open"))
        elif memoryview(call.input).nbytes > limits.payload_bytes:
            self._end.send(_failed(call, "payload_too_large", f"the input has more than {limits.payload_bytes} bytes"))
        else:
            self._calls[call.id] = None
            self._context.tell(Called(self.instance, call))


class Deliveries:
    """The attempts that an instance has in hand, each in one slot.

        task sent ──> in hand ── refuse, result ──> ended
                        ^
                        └── announced in `hello`

    A slot is freed exactly once, whatever is said twice or of an attempt that was never here. What was accepted has a
    result in the end: it is not to be refused.
    """

    __slots__ = ("_attempts", "_last", "_missed")

    def __init__(self, attempts: Iterable[RunningAttempt] = (), verdicts: Iterable[Verdict] = ()) -> None:
        self._attempts = dict.fromkeys(attempts, False)
        # Of each that may report, the number of its last event. None while there is nothing: most agents are idle.
        self._last = {RunningAttempt(one.task, one.attempt): one.n for one in verdicts if one.keep} or None
        self._missed: dict[RunningAttempt, int] | None = None

    def __len__(self) -> int:
        return len(self._attempts)

    def begin(self, attempt: RunningAttempt) -> bool:
        """The attempt takes a slot; False when it has one already, so that nothing is to be sent."""
        if attempt in self._attempts:
            return False
        self._attempts[attempt] = False
        if self._last is None:
            self._last = {}
        self._last[attempt] = 0
        return True

    def in_turn(self, attempt: RunningAttempt, n: int) -> bool:
        """Take an event's number; False when those before it are missing. What is not known here is not judged."""
        last = None if self._last is None else self._last.get(attempt)
        if self._last is None or last is None or n <= last:
            return True
        self._last[attempt] = n
        return n == last + 1

    def accept(self, attempt: RunningAttempt) -> None:
        """The agent has begun it."""
        if attempt in self._attempts:
            self._attempts[attempt] = True

    def accepted(self, attempt: RunningAttempt) -> bool:
        """Tell whether the agent has said on this connection that it began it."""
        return self._attempts.get(attempt, False)

    def end(self, attempt: RunningAttempt) -> bool:
        """The attempt was refused or has a result; True when that freed a slot."""
        if self._last is not None:
            self._last.pop(attempt, None)
        if attempt not in self._attempts:
            return False
        del self._attempts[attempt]
        if self._missed is not None:
            self._missed.pop(attempt, None)
        return True

    def named(self, attempts: Collection[RunningAttempt]) -> None:
        """A beat names what the agent has in hand; what is on its way to it may be missing for once."""
        if self._attempts or self._missed:
            named, before = set(attempts), self._missed or {}
            self._missed = {one: before.get(one, 0) + 1 for one in self._attempts if one not in named} or None

    @property
    def unheard(self) -> tuple[RunningAttempt, ...]:
        """Attempts that several beats in a row did not name."""
        if not self._missed:
            return ()
        return tuple(attempt for attempt, beats in self._missed.items() if beats >= BEATS_MISSED)


class AgentReadiness:
    """Whether an instance wants new work, from what it said: not while it drains, pauses, is busy, or its loop lags.

    Attributes:
        draining: it is about to end, for good.
        lag: seconds by which the loop that runs its handlers is late.
        pause: which of its own limits it keeps by taking none.
        busy_until: when it may be given work again, since it refused some; infinite when it may now.
    """

    __slots__ = ("_busy_pause", "_max_lag", "_pause", "busy_until", "draining", "lag", "pause")

    def __init__(self, max_lag: float, busy_pause: float) -> None:
        self.draining = False
        self.lag = 0.0
        self.pause: PauseReason | None = None
        self._max_lag = max_lag
        self._busy_pause = busy_pause
        self._pause = busy_pause
        self.busy_until = math.inf

    @property
    def holdup(self) -> Holdup | None:
        """Why it does not want new work; None when it does."""
        if self.draining:
            return Holdup.DRAINING
        if self.lag > self._max_lag:
            return Holdup.BLOCKED
        if self.pause is not None:
            return Holdup(self.pause)
        return Holdup.REFUSED if self.busy_until < math.inf else None

    def refused(self, reason: RefuseReason, now: float) -> None:
        """It gave a task back. Busy is for a while, longer each time, or it would get the same task at once."""
        if reason is RefuseReason.DRAINING:
            self.draining = True
        elif reason is RefuseReason.BUSY and self.busy_until == math.inf:
            # Several at once, delivered before the first was refused, say no more than one.
            self.busy_until = now + self._pause
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)

    def accepted(self) -> None:
        """It took a task."""
        self._pause = self._busy_pause

    def tick(self, now: float) -> bool:
        """Let time pass; True when it is not busy any more."""
        if now < self.busy_until:
            return False
        self.busy_until = math.inf
        return True


class Reports:
    """What the agent said of its attempts and the backend has not stored yet, in order.

    An acknowledgement goes out only after the commit, and never before that of an earlier report. Events of one attempt
    that were stored together are acknowledged together.
    """

    __slots__ = ("_ack", "_came", "_context", "_end", "_waiting", "full")

    def __init__(self, context: RouterContext, end: AgentEnd) -> None:
        self.full = False
        """No more of them may wait."""
        self._context = context
        self._end = end
        self._waiting: dict[int, tuple[Report, float]] = {}
        """By its number each report, and when it was made."""
        self._came: dict[int, Receipt] = {}
        """Receipts that came before an earlier one."""
        self._ack: EventAck | None = None
        """Of what was stored last; it may still grow in this turn of the loop."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, instance: InstanceRef, report: Report, now: float) -> None:
        """Have the backend store what the instance said."""
        context = self._context
        number = next(context.numbers)
        context.receipts[number] = self._settle
        self._waiting[number] = (report, now)
        self.full = len(self._waiting) >= context.limits.unacknowledged
        context.tell(Reported(number, instance, report))

    def oldest(self) -> float | None:
        """Return when the report was made that has waited longest."""
        return next((since for _, since in self._waiting.values()), None)

    def _settle(self, came: Receipt) -> None:
        self._came[came.to] = came
        while self._waiting:
            number, (report, _) = next(iter(self._waiting.items()))
            receipt = self._came.pop(number, None)
            if receipt is None:
                break
            del self._waiting[number]
            if receipt.failure is not None:
                self._end.not_stored(receipt.failure)
            else:
                self._acknowledge(report, receipt)
                self._end.recorded(report, receipt)
        self.full = len(self._waiting) >= self._context.limits.unacknowledged
        if not self.full:
            self._end.resume(Pause.STORING)

    def _acknowledge(self, report: Report, receipt: Receipt) -> None:
        before = self._ack
        if isinstance(report, Event):
            if before is None:
                asyncio.get_running_loop().call_soon(self._flush)
            elif (before.task, before.attempt) != (report.task, report.attempt):
                self._end.send(before)
            # Nothing stored, of an attempt that does not count any more: the agent may forget it all the same.
            self._ack = EventAck(report.task, report.attempt, receipt.n or report.n)
        elif isinstance(report, Result):
            self._flush()
            self._end.send(ResultAck(report.task, report.attempt, receipt.recorded))

    def _flush(self) -> None:
        ack, self._ack = self._ack, None
        if ack is not None:
            self._end.send(ack)


def to_send(tasks: Iterable[Task], announced: Collection[RunningAttempt]) -> list[Task]:
    """Return what is to be delivered on a connection that has just begun.

    `tasks` are those that the backend says the instance holds, and those that were claimed for it meanwhile. What it
    announced itself it has, and each attempt is sent once.
    """
    wanted = {RunningAttempt(task.task, task.attempt): task for task in tasks}
    return [task for attempt, task in wanted.items() if attempt not in announced]


def _fitting(result: Result, data: bytes, most: int) -> Result:
    """Return the result, or an error in its place when it is too large: its task has to end all the same."""
    detail = result.error.detail if result.error is not None else NULL
    if len(data) > most and max(memoryview(result.output).nbytes, memoryview(detail).nbytes) > most:
        fault = Fault(
            "payload_too_large", f"the output has more than the {most} bytes allowed: return less, or a link to it"
        )
    elif numbers_fit(data) or (numbers_fit(bytes(result.output)) and numbers_fit(bytes(detail))):
        return result
    else:
        # Passed on as they are: what no reader can take would spoil whatever it is part of.
        fault = Fault("invalid_output", "the output holds a number that no reader of JSON could take")
    return Result(result.task, result.attempt, Outcome.FAILED, error=fault)


def _failed(call: Call, code: str, message: str) -> Reply:
    return Reply(call.id, ReplyKind.RESULT, state=TaskState.FAILED.value, error=Fault(code, message))
