"""Who is connected, and what an instance keeps while it is away: connections and leases. The time is passed in.

Connections are found by token, by agent and by instance. The tokens that came out of one, its lineage, have at most one
seat, so at most one instance, and at most one connection that is on its way to it. Whoever leaves is removed only where
it is the one that is registered: an older connection never takes its successor with it.

A lease is the promise that an attempt is being worked on. A live connection holds all of its own; when it ends they
stay for the grace period, so that the instance can come back and go on (guarantee 4). One that runs out is lost, which
is the only thing the backend is told of all this. Time in which this process itself stood still is forgiven: our own
silence is never the agent's.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from agentic_atlas.protocol.inside.messages import Identity, Lost, Receipt
from agentic_atlas.protocol.messages import RunningAttempt
from agentic_atlas.protocol.tasks import Loss
from agentic_atlas.router.connection import Connection
from agentic_atlas.router.ports import RouterContext

InstanceLineage: TypeAlias = tuple[str, str]
"""An instance and the lineage of its token, which is empty where it is not known."""


@dataclass(frozen=True)
class Claim:
    """What a connection that said `hello` has to do for its lineage's seat: nothing, when nobody is in its way."""

    taken: bool = False
    """Another instance is on its way to the seat."""
    holder: Connection | None = None
    """Another instance that has it: find out whether that one is alive."""
    superseded: Connection | None = None
    """An older connection of the same instance that was on its way too, and is not any more."""


class Hub:
    """All connections of this router.

    Few tokens and agents have more than one, so a tuple takes less than a dictionary would.
    """

    def __init__(self) -> None:
        self._by_token: dict[str, tuple[Connection, ...]] = {}
        self._by_agent: dict[str, tuple[Connection, ...]] = {}
        self._seats: dict[str, Connection] = {}
        self._coming: dict[str, Connection] = {}
        self._ready: dict[tuple[str, str], Connection] = {}

    def arrive(self, peer: Connection) -> None:
        """A connection was made; it has said nothing yet."""
        _add(self._by_token, peer.identity.token_id, peer)
        _add(self._by_agent, peer.identity.agent_id, peer)

    def leave(self, peer: Connection) -> None:
        """A connection ended."""
        agent_id = peer.identity.agent_id
        _take_out(self._by_token, peer.identity.token_id, peer)
        _take_out(self._by_agent, agent_id, peer)
        for seats in (self._seats, self._coming):
            if seats.get(peer.identity.root) is peer:
                del seats[peer.identity.root]
        if self._ready.get((agent_id, peer.instance_id)) is peer:
            del self._ready[agent_id, peer.instance_id]

    def renewed(self, peer: Connection, identity: Identity) -> None:
        """A connection has another token of its lineage from now on."""
        _take_out(self._by_token, peer.identity.token_id, peer)
        peer.identity = identity
        _add(self._by_token, identity.token_id, peer)

    def greet(self, peer: Connection) -> Claim:
        """A connection said `hello`: with it, it sets out for its lineage's seat. `admitted` or `leave` follows."""
        root = peer.identity.root
        rival = self._coming.get(root)
        if rival is not None and rival.instance_id != peer.instance_id:
            return Claim(taken=True)
        self._coming[root] = peer
        holder = self._seats.get(root)
        if holder is None or holder.instance_id == peer.instance_id:
            return Claim(superseded=rival)
        return Claim(holder=holder, superseded=rival)

    def admitted(self, peer: Connection) -> list[Connection]:
        """The connection is registered from now on; return the older ones that it takes the place of."""
        root, agent_id = peer.identity.root, peer.identity.agent_id
        instance = agent_id, peer.instance_id
        older = dict.fromkeys(one for one in (self._seats.get(root), self._ready.get(instance)) if one)
        self._coming.pop(root, None)
        self._seats[root] = peer
        self._ready[instance] = peer
        return list(older)

    def coming(self, agent_id: str, instance_id: str) -> Connection | None:
        """Return the instance's connection that is just being let in."""
        if not self._coming:
            return None
        for peer in self._by_agent.get(agent_id, ()):
            if peer.instance_id == instance_id and self._coming.get(peer.identity.root) is peer:
                return peer
        return None

    def on_their_way(self) -> list[Connection]:
        """Return the connections that are just being let in."""
        return list(self._coming.values())

    def find(self, agent_id: str, instance_id: str) -> Connection | None:
        """Return the instance's registered connection."""
        return self._ready.get((agent_id, instance_id))

    def ready(self, agent_id: str) -> Iterator[Connection]:
        """Yield the agent's registered connections."""
        return (peer for peer in self._by_agent.get(agent_id, ()) if self.find(agent_id, peer.instance_id) is peer)

    def silent(self, token_id: str) -> int:
        """Return how many connections of this token have said nothing yet."""
        return sum(not peer.instance_id for peer in self._by_token.get(token_id, ()))

    def with_tokens(self, token_ids: Sequence[str]) -> list[Connection]:
        """Return all connections made with these tokens, registered or not."""
        return [peer for token_id in token_ids for peer in self._by_token.get(token_id, ())]

    def of_agent(self, agent_id: str) -> list[Connection]:
        """Return all connections of this agent, registered or not."""
        return list(self._by_agent.get(agent_id, ()))

    def everyone(self) -> list[Connection]:
        """Return all connections."""
        return [peer for peers in self._by_agent.values() for peer in peers]


def _add(index: dict[str, tuple[Connection, ...]], key: str, peer: Connection) -> None:
    index[key] = (*index.get(key, ()), peer)


def _take_out(index: dict[str, tuple[Connection, ...]], key: str, peer: Connection) -> None:
    left = tuple(one for one in index.get(key, ()) if one is not peer)
    if left:
        index[key] = left
    else:
        index.pop(key, None)


@dataclass(slots=True)
class Lease:
    """An instance's hold on an attempt.

    Attributes:
        lineage: of the token with which it was delivered; empty when that is not known here.
        holder: serial number of the live connection that holds it.
        expires_at: when it runs out; None while a connection holds it.
        why: what a loss will be due to.
    """

    attempt: RunningAttempt
    instance: str
    lineage: str = ""
    holder: int | None = None
    expires_at: float | None = None
    why: Loss = Loss.CUT
    at_most: float | None = None
    """Until when `prolong` may move it."""

    def over(self, now: float, returning: Collection[InstanceLineage], patience: float) -> bool:
        """Tell whether it has run out; one of somebody on the way in has `patience` seconds more."""
        assert self.expires_at is not None
        return now >= self.expires_at and (
            now >= self.expires_at + patience or (self.instance, self.lineage) not in returning
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

    def hold(self, attempt: RunningAttempt, instance: str, holder: int, lineage: str) -> None:
        """A live connection of the instance, made with a token of this lineage, holds the attempt from now on."""
        if attempt in self._leases:
            self.drop(attempt)
        self._leases[attempt] = Lease(attempt, instance, lineage, holder)
        self._held.setdefault(holder, set()).add(attempt)

    def keep(
        self, attempt: RunningAttempt, instance: str, until: float, why: Loss = Loss.CUT, lineage: str = ""
    ) -> None:
        """The instance is not connected: the attempt waits for it until then. `why` is what a loss will be due to."""
        self.drop(attempt)
        self._leases[attempt] = Lease(attempt, instance, lineage, None, until, why)
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
    def running_out(self) -> int:
        """How many attempts wait for an instance that is not connected."""
        return len(self._running_out)

    def expired(self, now: float, returning: Collection[InstanceLineage] = (), patience: float = 0.0) -> list[Lease]:
        """Remove the leases that have run out, and return them in an order that can be repeated.

        Those of somebody who is just being let in (`returning`) have `patience` seconds more.
        """
        waiting = [self._leases[attempt] for attempt in self._running_out]
        lost = [lease for lease in waiting if lease.over(now, returning, patience)]
        for lease in lost:
            self.drop(lease.attempt)
        return sorted(lost, key=lambda lease: (lease.attempt.task, lease.attempt.attempt))

    def prolong(self, theirs: Collection[InstanceLineage], until: float, most: float) -> set[str]:
        """Somebody is there and could not be let in: what these hold waits until then at least.

        By `most` seconds altogether: agents say themselves whose place they take. Returns the instances it is kept for.
        """
        prolonged = set()
        for attempt in self._running_out:
            lease = self._leases[attempt]
            if (lease.instance, lease.lineage) in theirs:
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
        self._context.log.warning(
            "attempt_lost", instance=lost.instance, task=attempt.task, attempt=attempt.attempt, why=lost.why.value
        )
        self._reporting[attempt] = asyncio.get_running_loop().create_future()
        number = next(self._context.numbers)
        self._context.receipts[number] = partial(self._answered, lost)
        self._context.tell(Lost(number, attempt.task, attempt.attempt, lost.why))

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
            "loss_not_stored",
            instance=lost.instance,
            task=attempt.task,
            attempt=attempt.attempt,
            code=receipt.failure.code,
        )
        if self._leases.instance(attempt) is None:
            until = self._context.clock() + self._context.settings.lost_again
            self._leases.keep(attempt, lost.instance, until, lost.why, lost.lineage)
