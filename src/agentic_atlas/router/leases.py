"""Who is alive, and what an instance keeps while it is away: pulses and leases. The time is passed in.

A lease is the promise that an attempt is being worked on. A live connection holds all of its own; when it ends they
stay for the grace period, so that the instance can come back and go on (guarantee 4). One that runs out is lost, which
is the only thing the backend is told of all this. Time in which this process itself stood still is forgiven: our own
silence is never the agent's.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from agentic_atlas.protocol.inside.messages import Lost, Receipt
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.context import RouterContext


class LeasedAttempt(NamedTuple):
    """One delivery of a task."""

    task: str
    number: int


class Expired(NamedTuple):
    """An attempt whose lease has run out."""

    attempt: LeasedAttempt
    instance: str
    why: Loss


@dataclass
class _Lease:
    instance: str
    holder: int | None
    expires_at: float | None = None
    why: Loss = Loss.CUT
    at_most: float | None = None
    """Until when `prolong` may move it."""


class Leases:
    """Which attempt is held by which instance: by a connection that lives, or until a time.

    A connection is named by its serial number, which is never used again: the end of an older connection therefore
    cannot touch what a newer one holds (guarantee 6).
    """

    def __init__(self) -> None:
        self._leases: dict[LeasedAttempt, _Lease] = {}
        self._held: dict[int, set[LeasedAttempt]] = {}
        self._running_out: set[LeasedAttempt] = set()

    def __len__(self) -> int:
        return len(self._leases)

    def hold(self, attempt: LeasedAttempt, instance: str, holder: int) -> None:
        """A live connection of the instance holds the attempt from now on."""
        self.drop(attempt)
        self._leases[attempt] = _Lease(instance, holder)
        self._held.setdefault(holder, set()).add(attempt)

    def keep(self, attempt: LeasedAttempt, instance: str, until: float, why: Loss = Loss.CUT) -> None:
        """The instance is not connected: the attempt waits for it until then. `why` is what a loss will be due to."""
        self.drop(attempt)
        self._leases[attempt] = _Lease(instance, None, until, why)
        self._running_out.add(attempt)

    def departed(self, holder: int, until: float, why: Loss = Loss.CUT) -> None:
        """A connection ended: what it still holds waits for its instance until then."""
        for attempt in self._held.pop(holder, set()):
            lease = self._leases[attempt]
            lease.holder, lease.expires_at, lease.why = None, until, why
            self._running_out.add(attempt)

    def holder(self, attempt: LeasedAttempt) -> int | None:
        """Return the live connection that holds the attempt."""
        lease = self._leases.get(attempt)
        return None if lease is None else lease.holder

    def instance(self, attempt: LeasedAttempt) -> str | None:
        """Return the instance that the attempt belongs to; None when there is no lease."""
        lease = self._leases.get(attempt)
        return None if lease is None else lease.instance

    def until(self, attempt: LeasedAttempt) -> float | None:
        """Return when the lease runs out; None while a live connection holds it, or when there is none."""
        lease = self._leases.get(attempt)
        return None if lease is None else lease.expires_at

    def expired(self, now: float, returning: Collection[str] = (), patience: float = 0.0) -> list[Expired]:
        """Remove the leases that have run out, and return them in an order that can be repeated.

        Those of an instance that is just being let in again (`returning`) have `patience` seconds more.
        """
        lost = sorted(attempt for attempt in self._running_out if self._over(attempt, now, returning, patience))
        gone = [Expired(attempt, self._leases[attempt].instance, self._leases[attempt].why) for attempt in lost]
        for attempt in lost:
            self.drop(attempt)
        return gone

    def prolong(self, instances: Collection[str], until: float, most: float) -> None:
        """These instances are there, and could not be let in: what they hold waits until then at least.

        By `most` seconds altogether: they say themselves who they are.
        """
        for attempt in self._running_out:
            lease = self._leases[attempt]
            if lease.instance in instances:
                assert lease.expires_at is not None
                lease.at_most = lease.expires_at + most if lease.at_most is None else lease.at_most
                lease.expires_at = max(lease.expires_at, min(until, lease.at_most))

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long."""
        for attempt in self._running_out:
            lease = self._leases[attempt]
            assert lease.expires_at is not None
            lease.expires_at += seconds

    def _over(self, attempt: LeasedAttempt, now: float, returning: Collection[str], patience: float) -> bool:
        lease = self._leases[attempt]
        assert lease.expires_at is not None
        return now >= lease.expires_at + (patience if lease.instance in returning else 0.0)

    def drop(self, attempt: LeasedAttempt) -> None:
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


class Pulse:
    """When a connection was last heard of. Every whole message counts: it shows that this very socket delivers."""

    __slots__ = ("_heard_at", "_patience")

    def __init__(self, now: float, patience: float) -> None:
        self._heard_at = now
        self._patience = patience

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now

    def forgive(self, seconds: float) -> None:
        """This process stood still for so long."""
        self._heard_at += seconds

    def quiet(self, now: float) -> float:
        """Return for how many seconds the connection has been silent."""
        return max(0.0, now - self._heard_at)

    @property
    def until(self) -> float:
        """Until when it may be silent."""
        return self._heard_at + self._patience

    def silent(self, now: float) -> bool:
        """Tell whether the connection has been silent for too long."""
        return self.quiet(now) > self._patience


class ExpiredLeases:
    """Leases that have run out: the backend is told, again and again until it has stored that."""

    def __init__(self, context: RouterContext, leases: Leases) -> None:
        self._context = context
        self._leases = leases
        self._reporting: dict[LeasedAttempt, asyncio.Future[None]] = {}

    def __contains__(self, attempt: LeasedAttempt) -> bool:
        return attempt in self._reporting

    def report(self, lost: Expired) -> None:
        """Tell the backend that the instance has lost the attempt."""
        attempt = lost.attempt
        self._context.log.warning("attempt_lost", task=attempt.task, attempt=attempt.number, why=lost.why.value)
        self._reporting[attempt] = asyncio.get_running_loop().create_future()
        number = self._context.receipts.expect(partial(self._answered, lost))
        self._context.backend.say(Lost(number, attempt.task, attempt.number, lost.why))

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
        self._context.log.warning(
            "loss_not_stored", task=attempt.task, attempt=attempt.number, code=receipt.failure.code
        )
        if self._leases.instance(attempt) is None:
            until = self._context.clock() + self._context.settings.lost_again
            self._leases.keep(attempt, lost.instance, until, lost.why)
