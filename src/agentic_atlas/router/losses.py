"""Attempts whose lease has run out: the backend is told, again and again until it has stored that."""

import asyncio
from functools import partial

from agentic_atlas.protocol.inside.messages import Lost, Receipt
from agentic_atlas.router.office import Office
from agentic_atlas.router.presence import Attempt, Expired, Leases


class Losses:
    """The losses that are being stored."""

    def __init__(self, office: Office, leases: Leases) -> None:
        self._office = office
        self._leases = leases
        self._reporting: dict[Attempt, asyncio.Future[None]] = {}

    def __contains__(self, attempt: Attempt) -> bool:
        return attempt in self._reporting

    def report(self, lost: Expired) -> None:
        """Tell the backend that the instance has lost the attempt."""
        attempt = lost.attempt
        self._office.log.warning("attempt_lost", task=attempt.task, attempt=attempt.number, why=lost.why.value)
        self._reporting[attempt] = asyncio.get_running_loop().create_future()
        number = self._office.receipts.expect(partial(self._answered, lost))
        self._office.backend.say(Lost(number, attempt.task, attempt.number, lost.why))

    async def settled(self) -> None:
        """Return when each that is being stored now is, or could not be.

        Whoever compares what an instance holds with what the store says waits for this first: a loss that is on its
        way would come true behind its back, and the instance would go on with what is not its own any more.
        """
        reporting = tuple(self._reporting.values())
        if reporting:
            await asyncio.wait(reporting)

    def _answered(self, lost: Expired, receipt: Receipt) -> None:
        attempt = lost.attempt
        self._reporting.pop(attempt).set_result(None)
        if receipt.failure is None:
            return
        self._office.log.warning(
            "loss_not_stored", task=attempt.task, attempt=attempt.number, code=receipt.failure.code
        )
        if self._leases.instance(attempt) is None:
            until = self._office.clock() + self._office.settings.lost_again
            self._leases.keep(attempt, lost.instance, until, lost.why)
