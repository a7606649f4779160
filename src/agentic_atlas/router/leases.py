"""What an instance keeps while it is away: leases. The time is passed in.

A lease is the promise that an attempt is being worked on. A live connection holds all of its own; when it ends they
stay for the grace period, so that the instance can come back and go on (guarantee 4). One that runs out is lost, which
is the only thing the backend is told of all this. Time in which this process itself stood still is forgiven: our own
silence is never the agent's.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from agentic_atlas.protocol.inside.messages import Lost, Receipt
from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.ports import RouterContext

InstanceToken: TypeAlias = tuple[str, str]
"""An instance and its token, which is empty where it is not known."""


@dataclass(slots=True)
class Lease:
    """An instance's hold on an attempt.

    Attributes:
        token_id: with which it was delivered; empty when that is not known here.
        holder: serial number of the live connection that holds it.
        expires_at: when it runs out; None while a connection holds it.
        why: what a loss will be due to.
    """

    attempt: RunningAttempt
    instance: str
    token_id: str = ""
    holder: int | None = None
    expires_at: float | None = None
    why: Loss = Loss.CUT
    at_most: float | None = None
    """Until when `prolong` may move it."""

    def over(self, now: float, returning: Collection[InstanceToken], patience: float) -> bool:
        """Tell whether it has run out; one of somebody on the way in has `patience` seconds more."""
        assert self.expires_at is not None
        return now >= self.expires_at and (
            now >= self.expires_at + patience or (self.instance, self.token_id) not in returning
        )


class Leases:
    """Which attempt is held by which instance: by a connection that lives, or until a time.

    A connection is named by its serial number, which is never used again: the end of an older connection therefore
    cannot touch what a newer one holds (guarantee 6).
    """

    def __init__(self) -> None:
        self._leases: dict[RunningAttempt, Lease] = {}
        self._held: dict[int, set[RunningAttempt]] = {}
        self._running_out: set[RunningAttempt] = set()

    def __len__(self) -> int:
        return len(self._leases)

    def hold(self, attempt: RunningAttempt, instance: str, holder: int, token_id: str) -> None:
        """A live connection of the instance, made with this token, holds the attempt from now on."""
        if attempt in self._leases:
            self.drop(attempt)
        self._leases[attempt] = Lease(attempt, instance, token_id, holder)
        self._held.setdefault(holder, set()).add(attempt)

    def keep(
        self, attempt: RunningAttempt, instance: str, until: float, why: Loss = Loss.CUT, token_id: str = ""
    ) -> None:
        """The instance is not connected: the attempt waits for it until then. `why` is what a loss will be due to."""
        self.drop(attempt)
        self._leases[attempt] = Lease(attempt, instance, token_id, None, until, why)
        self._running_out.add(attempt)

    def departed(self, holder: int, until: float, why: Loss = Loss.CUT) -> None:
        """A connection ended: what it still holds waits for its instance until then."""
        for attempt in self._held.pop(holder, set()):
            lease = self._leases[attempt]
            lease.holder, lease.expires_at, lease.why = None, until, why
            self._running_out.add(attempt)

    def holder(self, attempt: RunningAttempt) -> int | None:
        """Return the live connection that holds the attempt."""
        lease = self._leases.get(attempt)
        return None if lease is None else lease.holder

    def instance(self, attempt: RunningAttempt) -> str | None:
        """Return the instance that the attempt belongs to; None when there is no lease."""
        lease = self._leases.get(attempt)
        return None if lease is None else lease.instance

    @property
    def running_out(self) -> bool:
        """True while any attempt waits for an instance that is not connected."""
        return bool(self._running_out)

    def expired(self, now: float, returning: Collection[InstanceToken] = (), patience: float = 0.0) -> list[Lease]:
        """Remove the leases that have run out, and return them in an order that can be repeated.

        Those of somebody who is just being let in (`returning`) have `patience` seconds more.
        """
        waiting = [self._leases[attempt] for attempt in self._running_out]
        lost = [lease for lease in waiting if lease.over(now, returning, patience)]
        for lease in lost:
            self.drop(lease.attempt)
        return sorted(lost, key=lambda lease: (lease.attempt.task, lease.attempt.attempt))

    def prolong(self, theirs: Collection[InstanceToken], until: float, most: float) -> set[str]:
        """Somebody is there and could not be let in: what these hold waits until then at least.

        By `most` seconds altogether: agents say themselves whose place they take. Returns the instances it is kept for.
        """
        prolonged = set()
        for attempt in self._running_out:
            lease = self._leases[attempt]
            if (lease.instance, lease.token_id) in theirs:
                assert lease.expires_at is not None
                lease.at_most = lease.expires_at + most if lease.at_most is None else lease.at_most
                lease.expires_at = max(lease.expires_at, min(until, lease.at_most))
                prolonged.add(lease.instance)
        return prolonged

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long."""
        for attempt in self._running_out:
            lease = self._leases[attempt]
            assert lease.expires_at is not None
            lease.expires_at += seconds

    def drop(self, attempt: RunningAttempt) -> None:
        """The attempt has ended, or is not this instance's any more."""
        lease = self._leases.pop(attempt, None)
        if lease is None:
            return
        self._running_out.discard(attempt)
        if lease.holder is not None:
            held = self._held[lease.holder]
            held.discard(attempt)
            if not held:
                del self._held[lease.holder]


class ExpiredLeases:
    """Leases that have run out: the backend is told, again and again until it has stored that."""

    def __init__(self, context: RouterContext, leases: Leases) -> None:
        self._context = context
        self._leases = leases
        self._reporting: dict[RunningAttempt, asyncio.Future[None]] = {}

    def __contains__(self, attempt: RunningAttempt) -> bool:
        return attempt in self._reporting

    def report(self, lost: Lease) -> None:
        """Tell the backend that the instance has lost the attempt."""
        attempt = lost.attempt
        self._context.log.warning("attempt_lost", task=attempt.task, attempt=attempt.attempt, why=lost.why.value)
        self._reporting[attempt] = asyncio.get_running_loop().create_future()
        number = next(self._context.numbers)
        self._context.receipts[number] = partial(self._answered, lost)
        self._context.backend.say(Lost(number, attempt.task, attempt.attempt, lost.why))

    async def settled(self) -> None:
        """Return when each that is being stored now is, or could not be.

        Whoever compares what an instance holds with what the store says waits for this first: a loss that is on its
        way would come true behind its back, and the instance would go on with what is not its own any more.
        """
        reporting = tuple(self._reporting.values())
        if reporting:
            await asyncio.wait(reporting)

    def _answered(self, lost: Lease, receipt: Receipt) -> None:
        attempt = lost.attempt
        self._reporting.pop(attempt).set_result(None)
        if receipt.failure is None:
            return
        self._context.log.warning(
            "loss_not_stored", task=attempt.task, attempt=attempt.attempt, code=receipt.failure.code
        )
        if self._leases.instance(attempt) is None:
            until = self._context.clock() + self._context.settings.lost_again
            self._leases.keep(attempt, lost.instance, until, lost.why, lost.token_id)
