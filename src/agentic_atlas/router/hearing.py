"""What a registered agent says, and what it leads to: reports go to the backend, calls are made, beats answered."""

from collections.abc import Callable

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    NULL,
    Accept,
    Beat,
    Call,
    Event,
    Fault,
    Message,
    Outcome,
    Refuse,
    RefuseReason,
    Result,
    Task,
)
from agentic_atlas.protocol.numbers import is_object, numbers_fit
from agentic_atlas.router.calls import Calls
from agentic_atlas.router.delivery import Deliveries
from agentic_atlas.router.office import Office
from agentic_atlas.router.ports import Instance
from agentic_atlas.router.presence import Attempt
from agentic_atlas.router.readiness import Readiness
from agentic_atlas.router.reports import Reports
from agentic_atlas.transport.frames import ControlRate


class Hearing:
    """Takes the messages of one registered connection."""

    def __init__(
        self,
        office: Office,
        instance: Instance,
        reports: Reports,
        deliveries: Deliveries,
        readiness: Readiness,
        calls: Calls,
        answer: Callable[[Message], object],
        freed: Callable[[], None],
    ) -> None:
        """Take what the messages change; `freed` is called when there may be a free slot."""
        self._office = office
        self._instance = instance
        self._reports = reports
        self._deliveries = deliveries
        self._readiness = readiness
        self._calls = calls
        self._answer = answer
        self._freed = freed
        self._beats = ControlRate(office.limits.control_frames_per_second)

    def hear(self, message: Message) -> None:
        """Take a message.

        Raises:
            ProtocolError: over a limit (4107).
        """
        match message:
            case Event():
                self._event(message)
            case Result():
                self._ended(_fitting(message, self._office.limits.payload_bytes))
            case Accept():
                self._readiness.accepted()
                self._report(message)
            case Refuse():
                self._readiness.refused(message.reason, self._office.clock())
                self._ended(message)
            case Beat():
                self._beat(message)
            case Call():
                self._calls.open(message)
            case _:
                raise ProtocolError("this is not for an agent to say")

    def give_back(self, task: Task) -> None:
        """Refuse a task on behalf of an agent that drains, and does not need to see it for that."""
        self._ended(Refuse(task.task, task.attempt, RefuseReason.DRAINING))

    def _event(self, event: Event) -> None:
        most = self._office.limits.event_bytes
        if memoryview(event.data).nbytes > most:
            raise ProtocolError(f"an event is over the limit of {most} bytes", code="event_too_big")
        if event.n > self._office.limits.events_per_task:
            raise ProtocolError("an attempt has more events than it may have", code="too_many_events")
        if not is_object(event.data) or not numbers_fit(bytes(event.data)):
            raise ProtocolError("the data of an event is a JSON object", code="invalid_event")
        self._report(event)

    def _ended(self, report: Refuse | Result) -> None:
        # First the report, so that a task that is claimed for the slot is stored after it, in the same commit.
        self._report(report)
        if self._deliveries.end(Attempt(report.task, report.attempt)):
            self._freed()

    def _report(self, report: Accept | Refuse | Event | Result) -> None:
        self._reports.add(report, self._office.backend.report(self._instance, report), self._office.clock())

    def _beat(self, beat: Beat) -> None:
        self._beats.count(self._office.clock())
        willing_again = self._readiness.lags(beat.lag)
        self._readiness.oldest_result = beat.oldest
        if beat.attempts is not None:
            self._deliveries.named({Attempt(one.task, one.attempt) for one in beat.attempts})
        self._answer(Beat(beat.n))
        if willing_again:
            self._freed()


def _fitting(result: Result, most: int) -> Result:
    """Return the result, or an error in its place when it is too large: its task has to end all the same."""
    detail = result.error.detail if result.error is not None else NULL
    if memoryview(result.output).nbytes <= most and memoryview(detail).nbytes <= most:
        # Passed on as they are: what no reader can take would spoil whatever it is part of.
        if numbers_fit(bytes(result.output)) and numbers_fit(bytes(detail)):
            return result
        unreadable = Fault("invalid_output", "the output holds a number that no reader of JSON could take")
        return Result(result.task, result.attempt, Outcome.FAILED, error=unreadable)
    fault = Fault(
        "payload_too_large", f"the output has more than the {most} bytes allowed: return less, or a link to it"
    )
    return Result(result.task, result.attempt, Outcome.FAILED, error=fault)
