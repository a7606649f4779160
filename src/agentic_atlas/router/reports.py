"""What the agent said of its attempts and the backend has not stored yet, in order.

An acknowledgement goes out only after the commit, and never before that of an earlier report. Events of one attempt
that were stored together are acknowledged together.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from agentic_atlas.protocol.inside.messages import Failure, InstanceRef, Receipt, Reported
from agentic_atlas.protocol.messages import Event, EventAck, Message, Report, Result, ResultAck
from agentic_atlas.router.context import RouterContext


@dataclass
class _Waiting:
    report: Report
    since: float
    receipt: Receipt | None = None


class Reports:
    """The reports of one connection that wait for their receipts."""

    __slots__ = ("_ack", "_context", "_failed", "_recorded", "_say", "_settled", "_waiting")

    def __init__(
        self,
        context: RouterContext,
        say: Callable[[Message], object],
        recorded: Callable[[Report, Receipt], None],
        failed: Callable[[Failure], None],
        settled: Callable[[], None],
    ) -> None:
        """Take whom to tell: `say` sends to the agent; `settled` is called after each receipt or group of them."""
        self._context = context
        self._say = say
        self._recorded = recorded
        self._failed = failed
        self._settled = settled
        self._waiting: dict[int, _Waiting] = {}
        self._ack: EventAck | None = None
        """Of what was stored last; it may still grow in this turn of the loop."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, instance: InstanceRef, report: Report) -> None:
        """Have the backend store what the instance said."""
        number = self._context.receipts.expect(self._settle)
        self._waiting[number] = _Waiting(report, self._context.clock())
        self._context.backend.say(Reported(number, instance, report))

    def oldest(self) -> float | None:
        """Return when the report was made that has waited longest."""
        return next((one.since for one in self._waiting.values()), None)

    def _settle(self, came: Receipt) -> None:
        self._waiting[came.to].receipt = came
        while self._waiting:
            number, one = next(iter(self._waiting.items()))
            if one.receipt is None:
                break
            del self._waiting[number]
            if one.receipt.failure is not None:
                self._failed(one.receipt.failure)
            else:
                self._acknowledge(one.report, one.receipt)
                self._recorded(one.report, one.receipt)
        self._settled()

    def _acknowledge(self, report: Report, receipt: Receipt) -> None:
        before = self._ack
        if isinstance(report, Event):
            if before is None:
                asyncio.get_running_loop().call_soon(self._flush)
            elif (before.task, before.attempt) != (report.task, report.attempt):
                self._say(before)
            # Nothing stored, of an attempt that does not count any more: the agent may forget it all the same.
            self._ack = EventAck(report.task, report.attempt, receipt.n or report.n)
        elif isinstance(report, Result):
            self._flush()
            self._say(ResultAck(report.task, report.attempt, receipt.recorded))

    def _flush(self) -> None:
        ack, self._ack = self._ack, None
        if ack is not None:
            self._say(ack)
