"""Attempts whose lease has run out: the backend is told, again and again until it has stored that."""

import asyncio

from agentic_atlas.errors import AtlasError
from agentic_atlas.router.office import Office
from agentic_atlas.router.presence import Attempt, Leases, Lost


class Losses:
    """The losses that are being stored."""

    def __init__(self, office: Office, leases: Leases) -> None:
        self._office = office
        self._leases = leases
        self._reporting: dict[Attempt, asyncio.Task[None]] = {}

    def __contains__(self, attempt: Attempt) -> bool:
        return attempt in self._reporting

    def report(self, lost: Lost) -> None:
        """Tell the backend that the instance has lost the attempt."""
        attempt = lost.attempt
        self._office.log.warning("attempt_lost", task=attempt.task, attempt=attempt.number, why=lost.why.value)
        reporting = self._office.spawn(self._report(lost))
        if reporting is not None:
            self._reporting[attempt] = reporting

    async def settled(self) -> None:
        """Return when each that is being stored now is, or could not be.

        Whoever compares what an instance holds with what the store says waits for this first: a loss that is on its
        way would come true behind its back, and the instance would go on with what is not its own any more.
        """
        reporting = tuple(self._reporting.values())
        if reporting:
            await asyncio.wait(reporting)

    async def _report(self, lost: Lost) -> None:
        attempt = lost.attempt
        try:
            await self._office.backend.lost(attempt.task, attempt.number, lost.why)
        except AtlasError as error:
            self._office.log.warning("loss_not_stored", task=attempt.task, attempt=attempt.number, code=error.code)
            self._again(lost)
        except Exception as bug:  # a fault of ours with one task must not end the router
            self._office.log.error("loss_failed", task=attempt.task, attempt=attempt.number, exc_info=bug)
            self._again(lost)
        finally:
            self._reporting.pop(attempt, None)

    def _again(self, lost: Lost) -> None:
        if self._leases.instance(lost.attempt) is None:
            until = self._office.clock() + self._office.settings.lost_again
            self._leases.keep(lost.attempt, lost.instance, until, lost.why)
