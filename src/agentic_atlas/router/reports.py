"""What the agent said of its attempts and the backend has not stored yet, in order.

An acknowledgement goes out only after the commit, and never before that of an earlier report. Events of one attempt
that were stored together are acknowledged together.
"""

from asyncio import CancelledError, Future
from collections import deque
from collections.abc import Callable

from agentic_atlas.protocol.messages import Event, EventAck, Message, Report, Result, ResultAck
from agentic_atlas.router.ports import Receipt


class Reports:
    """The reports of one connection that wait for their receipts."""

    def __init__(
        self,
        say: Callable[[Message], object],
        recorded: Callable[[Report, Receipt], None],
        failed: Callable[[BaseException], None],
        settled: Callable[[], None],
    ) -> None:
        """Take whom to tell: `say` sends to the agent; `settled` is called after each receipt or group of them."""
        self._say = say
        self._recorded = recorded
        self._failed = failed
        self._settled = settled
        self._waiting: deque[tuple[Report, Future[Receipt], float]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, report: Report, receipt: "Future[Receipt]", now: float) -> None:
        """Wait for a report's receipt."""
        self._waiting.append((report, receipt, now))
        receipt.add_done_callback(self._settle)

    def oldest(self) -> float | None:
        """Return when the report was made that has waited longest."""
        return self._waiting[0][2] if self._waiting else None

    def _settle(self, _: "Future[Receipt]") -> None:
        ack: EventAck | None = None
        while self._waiting and self._waiting[0][1].done():
            report, future, _at = self._waiting.popleft()
            receipt = self._receipt(future)
            if receipt is None:
                continue
            self._recorded(report, receipt)
            ack = self._acknowledge(report, receipt, ack)
        if ack is not None:
            self._say(ack)
        self._settled()

    def _receipt(self, future: "Future[Receipt]") -> Receipt | None:
        error = CancelledError() if future.cancelled() else future.exception()
        if error is None:
            return future.result()
        self._failed(error)
        return None

    def _acknowledge(self, report: Report, receipt: Receipt, before: EventAck | None) -> EventAck | None:
        """Acknowledge a report; return what may still grow with the next one."""
        ack: EventAck | None = None
        if isinstance(report, Event):
            # Nothing stored, of an attempt that does not count any more: the agent may forget it all the same.
            ack = EventAck(report.task, report.attempt, receipt.n or report.n)
        if before is not None and (ack is None or (ack.task, ack.attempt) != (before.task, before.attempt)):
            self._say(before)
        if isinstance(report, Result):
            self._say(ResultAck(report.task, report.attempt, receipt.recorded))
        return ack
