"""The attempts in hand: what each has said and the router has not stored yet, whom it calls, which results are owed.

What the router would have to refuse never leaves this process. A message over a limit, or one that is not of the
protocol (an output nested too deeply, a number that JSON does not have), would close the connection, and would do so
again after each reconnect. Of events and outputs the payload is looked at, for nothing else in them is of a user's
making; every other message is read back as the router reads it. One that does not pass is replaced by one that says so.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Call,
    Cancel,
    Drain,
    Event,
    EventKind,
    Fault,
    Limits,
    Outcome,
    Predecessor,
    Refuse,
    Reply,
    ReplyKind,
    Result,
    RunningAttempt,
)
from agentic_atlas.sdk.ports import Outgoing, UnsaidQuestion
from agentic_atlas.sdk.spool.port import Handover, Spool

Key: TypeAlias = tuple[str, int]
"""Task and attempt."""
Sendable: TypeAlias = Outgoing | Reply | UnsaidQuestion
"""A message that may be sent; or, for the runner, what takes the place of an answer to one that may not."""

_REMEMBERED = 1_000
_OVERHEAD = 256
"""Bytes a kept message takes beside its payload."""
_MESSAGE_LENGTH = 1_000
_AROUND = 1_024
"""Bytes that a message may have around its payload."""


class OpenAttempt:
    """One attempt, from its task until its result is acknowledged.

    Attributes:
        accepted: the runner has started it.
        unacknowledged: events sent on this connection, oldest first.
        waiting: events not yet sent on it, which follow those.
        last: number of the last event.
        left_out: events left out since the last one that was kept.
        result_sent: the result went out on this connection.
    """

    __slots__ = (
        "accepted", "key", "last", "left_out", "result", "result_sent", "skill", "unacknowledged", "waiting",
    )  # fmt: skip

    def __init__(self, key: Key, skill: str) -> None:
        self.key = key
        self.skill = skill
        self.accepted = False
        self.unacknowledged: deque[Event] = deque()
        self.waiting: deque[Event] = deque()
        self.last = 0
        self.left_out = 0
        self.result: Result | None = None
        self.result_sent = False

    @property
    def result_ready(self) -> bool:
        """The result may go: it is there, has not gone, and no event is left to go before it."""
        return self.result is not None and not self.result_sent and not self.waiting

    def cut(self) -> None:
        """The connection is gone: what was on its way counts as not sent."""
        self.waiting.extendleft(reversed(self.unacknowledged))
        self.unacknowledged.clear()
        self.result_sent = False

    def held(self) -> int:
        """Return the bytes its kept messages take."""
        events = sum(weight(event) for queue in (self.unacknowledged, self.waiting) for event in queue)
        return events + (weight(self.result) if self.result else 0)


class OpenAttempts:
    """All attempts of one process, and the bytes they hold; those that have ended are remembered for a while."""

    def __init__(self, held_bytes: int, held_attempts: int) -> None:
        self._held_bytes = held_bytes
        self._held_attempts = held_attempts
        self._attempts: dict[Key, OpenAttempt] = {}
        self._ended: dict[Key, None] = {}
        self._bytes = 0

    def __iter__(self) -> Iterator[OpenAttempt]:
        return iter(self._attempts.values())

    def get(self, task: str, attempt: int) -> OpenAttempt | None:
        """Return an attempt, or None when it is not in hand."""
        return self._attempts.get((task, attempt))

    def has_ended(self, key: Key) -> bool:
        """Tell whether the attempt was here not long ago, so that it is not started once more."""
        return key in self._ended

    @property
    def full(self) -> bool:
        """Whether no more tasks may be taken."""
        return len(self._attempts) >= self._held_attempts or self._bytes > self._held_bytes

    def has_room(self, event: Event) -> bool:
        """Tell whether the event may be kept."""
        return self._bytes + weight(event) <= self._held_bytes

    def add(self, key: Key, skill: str) -> OpenAttempt:
        """Begin with an attempt."""
        attempt = self._attempts[key] = OpenAttempt(key, skill)
        return attempt

    def keep(self, attempt: OpenAttempt, event: Event) -> None:
        """Keep an event under the attempt's next number."""
        attempt.last += 1
        numbered = event if event.n == attempt.last else replace(event, n=attempt.last)
        self._bytes += weight(numbered)
        attempt.waiting.append(numbered)

    def end(self, attempt: OpenAttempt, result: Result) -> None:
        """Keep the result."""
        attempt.result = result
        self._bytes += weight(result)

    def stored(self, events: deque[Event], n: int) -> int:
        """Forget the events up to `n`; return how many those were."""
        before = len(events)
        while events and events[0].n <= n:
            self._bytes -= weight(events.popleft())
        return before - len(events)

    def drop(self, attempt: OpenAttempt) -> None:
        """The attempt is not in hand any more."""
        self._bytes -= attempt.held()
        del self._attempts[attempt.key]

    def remember(self, key: Key) -> None:
        """The attempt is over for good."""
        self._ended[key] = None
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]

    # -- what there is

    @property
    def owes(self) -> bool:
        """Whether something is still to be acknowledged, besides what runs."""
        return any(attempt.result or attempt.waiting or attempt.unacknowledged for attempt in self)

    @property
    def undecided(self) -> bool:
        """Whether a task was neither accepted nor refused yet: it would be lost with this process, though nobody began
        it."""
        return any(not attempt.accepted for attempt in self)

    @property
    def running(self) -> int:
        """Number of attempts that have no result yet."""
        return sum(1 for attempt in self if attempt.result is None)

    def concerns(self, message: Cancel | Answer) -> bool:
        """Tell whether the attempt runs here, so that the runner is to be told."""
        attempt = self.get(message.task, message.attempt)
        return attempt is not None and attempt.result is None

    def pending(self, task: str, attempt: int) -> int:
        """Return how many events of an attempt are not stored yet."""
        known = self.get(task, attempt)
        return 0 if known is None else len(known.unacknowledged) + len(known.waiting)

    def in_hand(self, running: Collection[Key]) -> list[RunningAttempt]:
        """Return what is in hand: what was not begun yet, what runs, and what has a result that is owed.

        `running` is what the runner says. An attempt that was begun, does not run and has no result is in nobody's.
        """
        return [
            RunningAttempt(*attempt.key)
            for attempt in self
            if attempt.result is not None or not attempt.accepted or attempt.key in running
        ]

    def running_skills(self) -> Iterable[str]:
        """Return the names of the skills that run, each once, those that began first at the front."""
        started = (attempt for attempt in self if attempt.accepted and attempt.result is None)
        return tuple(dict.fromkeys(attempt.skill for attempt in started))


class OpenCalls:
    """The calls of all attempts to other agents, each until its last reply.

    Within the router's limit they are sent, those over it wait for others to end. After a cut each is sent again, with
    the number of the last event seen, and is still the same call.
    """

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        """As they would be sent now: `after` is the `seq` of the last event seen."""
        self._of: dict[Key, set[str]] = {}
        # Of this connection; empty between two.
        self._waiting: deque[str] = deque()
        self._sent: set[str] = set()

    def add(self, call: Call) -> None:
        """Take a call; the same one again changes nothing."""
        if call.id not in self._calls:
            self._calls[call.id] = call
            self._of.setdefault((call.task, call.attempt), set()).add(call.id)
            self._waiting.append(call.id)

    def reply(self, reply: Reply) -> bool:
        """Take a reply; True when it is new and someone waits for it."""
        call = self._calls.get(reply.id)
        if call is None:
            return False
        if reply.kind is ReplyKind.RESULT:
            self.forget(reply.id)
            return True
        if reply.seq <= call.after:
            return False
        self._calls[reply.id] = replace(call, after=reply.seq)
        return True

    def forget(self, call_id: str) -> None:
        """Nobody waits for this call's replies any more."""
        call = self._calls.pop(call_id, None)
        self._sent.discard(call_id)
        if call is None:
            return
        key = (call.task, call.attempt)
        self._of[key].discard(call_id)
        if not self._of[key]:
            del self._of[key]

    def forget_of(self, key: Key) -> None:
        """The attempt is over, and its calls with it."""
        for call_id in list(self._of.get(key, ())):
            self.forget(call_id)

    def again(self) -> None:
        """Whatever was sent is to be sent once more, in the order of the first time."""
        self._sent.clear()
        self._waiting = deque(self._calls)

    def next(self, limits: Limits) -> Call | Reply | None:
        """Return the call to send now, or the answer to one that may not be sent, or None."""
        while self._waiting and len(self._sent) < limits.open_calls:
            call = self._calls.get(self._waiting.popleft())
            if call is None:
                continue
            message = fit(call, limits)
            if isinstance(message, Reply):
                self.forget(message.id)
                return message
            self._sent.add(call.id)
            return call
        return None


class PendingResults:
    """Which results are not acknowledged yet, since when, and whose they were.

    Each is in the spool until it is forgotten. Those that ended processes have left are owed like one's own, and
    announced under the name of their process until the router has been told of it.
    """

    def __init__(self, spool: Spool, clock: Callable[[], float]) -> None:
        self._spool = spool
        self._clock = clock
        # When each came; the one that has waited longest is the first.
        self._since: dict[Key, float] = {}
        # Until the router has been told of them: the ended processes, and whose result is whose.
        self._predecessors: tuple[str, ...] = ()
        self._left: dict[Key, str] = {}

    def __len__(self) -> int:
        return len(self._since)

    @property
    def oldest(self) -> float:
        """Seconds that the oldest has waited; 0 without any."""
        return max(0.0, self._clock() - next(iter(self._since.values()))) if self._since else 0.0

    def take_over(self, handover: Handover) -> Iterable[Result]:
        """Take over what ended processes left; return their results."""
        self._predecessors = handover.processes
        for left in handover.results:
            self._left[left.key] = left.process
            self._since[left.key] = self._clock() - max(0.0, handover.at - left.at)
        return [left.result() for left in handover.results]

    def add(self, result: Result) -> None:
        """A handler has ended."""
        self._since[result.task, result.attempt] = self._clock()
        self._spool.keep(result)

    def forget(self, key: Key) -> None:
        """The result is acknowledged, or of no account any more."""
        if self._since.pop(key, None) is not None:
            self._spool.forget(*key)

    def announced(self) -> tuple[list[RunningAttempt], list[Predecessor]]:
        """Return what `hello` says: this process's own results, and the ended processes with theirs."""
        own = [RunningAttempt(*key) for key in self._since if key not in self._left]
        return own, [Predecessor(process, self._left_by(process)) for process in self._predecessors]

    def welcomed(self) -> None:
        """The router knows: from now on all of them are this process's own."""
        self._predecessors = ()
        self._left.clear()
        self._spool.settled()

    def _left_by(self, process: str) -> list[RunningAttempt]:
        return [RunningAttempt(*key) for key, owner in self._left.items() if owner == process]


def weight(message: Event | Result) -> int:
    """Return the bytes that a kept message takes."""
    payload = message.data if isinstance(message, Event) else message.output
    return size(payload) + _OVERHEAD


def fit(message: Outgoing, limits: Limits) -> Sendable:
    """Return the message itself, or what takes its place; a call that may not be sent comes back as its last reply."""
    fault = None if isinstance(message, Accept | Drain) else fault_of(message, limits)
    if fault is None:
        return message
    match message:
        case Event():
            return replace(message, kind=EventKind.LOG, data=notice(f"an event was left out: {fault.message}"))
        case Result():
            return _failed(message, fault, limits)
        case Call():
            return Reply(message.id, ReplyKind.RESULT, state="failed", error=fault)
        case Refuse():
            return replace(message, message="")
        case _:
            return message


def notice(text: str) -> Raw:
    """Return the data of a log event in which the SDK itself says something."""
    return Raw(msgspec.json.encode({"level": "warning", "event": text[:_MESSAGE_LENGTH], "fields": {}}))


def size(payload: Raw) -> int:
    """Return the length of a payload in bytes."""
    return memoryview(payload).nbytes


def _failed(result: Result, fault: Fault, limits: Limits) -> Result:
    """Keep the handler's own error as far as it can be said: its code, and its message shortened."""
    if result.error is not None:
        text = result.error.message.encode("utf-8", "replace").decode()[:_MESSAGE_LENGTH]
        shortened = Result(result.task, result.attempt, result.outcome, error=Fault(result.error.code[:64], text))
        if fault_of(shortened, limits) is None:
            return shortened
    return Result(result.task, result.attempt, Outcome.FAILED, error=fault)


def fault_of(message: Outgoing, limits: Limits) -> Fault | None:
    """Return why the message may not be sent, or None."""
    payload, limit = _payload(message, limits)
    if payload > limit:
        return Fault(
            "payload_too_large", f"{payload} bytes are more than the {limit} allowed: return less, or a link to it"
        )
    code = "invalid_input" if isinstance(message, Call) else "invalid_output"
    try:
        if isinstance(message, Event) and not bytes(message.data).lstrip().startswith(b"{"):
            raise ProtocolError("the data of an event is a JSON object", code="invalid_event")
        _read_back(message, limits)
    except ProtocolError as error:
        too_large = error.code in ("message_too_big", "too_deep", "too_many_containers")
        return Fault("payload_too_large" if too_large else code, error.message[:_MESSAGE_LENGTH])
    except UnicodeEncodeError:
        return Fault(code, "a text in it is not Unicode (it has half of a surrogate pair)")
    return None


def _read_back(message: Outgoing, limits: Limits) -> None:
    """Raise what the router would say of the message: ProtocolError, or UnicodeEncodeError for what can't be sent."""
    alone = _alone(message)
    if alone is None or size(alone) + _AROUND > limits.message_bytes:
        codec.decode(codec.encode(message), limits)
    else:
        # One level and one object less: the message is around it.
        codec.check_payload(bytes(alone), limits.depth - 1, codec.CONTAINERS - 1)


def _alone(message: Outgoing) -> Raw | None:
    """Return the payload of a message in which nothing else is of a user's making."""
    match message:
        case Event():
            return message.data
        case Result(error=None):
            return message.output
        case _:
            return None


def _payload(message: Outgoing, limits: Limits) -> tuple[int, int]:
    match message:
        case Event():
            return size(message.data), limits.event_bytes
        case Result():
            return size(message.output), limits.payload_bytes
        case Call():
            return size(message.input), limits.payload_bytes
        case _:
            return 0, 0
