"""Who is connected: connections by token, by agent and by instance. Pure.

A token has at most one seat, so at most one instance, and at most one connection that is on its way to it. Whoever
leaves is removed only where it is the one that is registered: an older connection never takes its successor with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from agentic_atlas.protocol.inside.messages import Identity


class Peer(Protocol):
    """A connection, as the hub sees it; compared and hashed by identity.

    Attributes:
        instance_id: empty before `hello`.
    """

    instance_id: str

    @property
    def identity(self) -> Identity:
        """Who its token says it is."""


P = TypeVar("P", bound=Peer)


@dataclass(frozen=True)
class Claim(Generic[P]):
    """What a connection that said `hello` has to do for its token's seat: nothing, when nobody is in its way."""

    taken: bool = False
    """Another instance is on its way to the seat."""
    holder: P | None = None
    """Another instance that has it: find out whether that one is alive."""
    superseded: P | None = None
    """An older connection of the same instance that was on its way too, and is not any more."""


class Hub(Generic[P]):
    """All connections of this router.

    Few tokens and agents have more than one, so a tuple takes less than a dictionary would.
    """

    def __init__(self) -> None:
        self._by_token: dict[str, tuple[P, ...]] = {}
        self._by_agent: dict[str, tuple[P, ...]] = {}
        self._seats: dict[str, P] = {}
        self._coming: dict[str, P] = {}
        self._ready: dict[tuple[str, str], P] = {}

    def arrive(self, peer: P) -> None:
        """A connection was made; it has said nothing yet."""
        for index, key in ((self._by_token, peer.identity.token_id), (self._by_agent, peer.identity.agent_id)):
            index[key] = (*index.get(key, ()), peer)

    def leave(self, peer: P) -> None:
        """A connection ended."""
        token_id, agent_id = peer.identity.token_id, peer.identity.agent_id
        for index, key in ((self._by_token, token_id), (self._by_agent, agent_id)):
            left = tuple(one for one in index.get(key, ()) if one is not peer)
            if left:
                index[key] = left
            else:
                index.pop(key, None)
        for seats in (self._seats, self._coming):
            if seats.get(token_id) is peer:
                del seats[token_id]
        if self._ready.get((agent_id, peer.instance_id)) is peer:
            del self._ready[agent_id, peer.instance_id]

    def greet(self, peer: P) -> Claim[P]:
        """A connection said `hello`: with it, it sets out for its token's seat. `admitted` or `leave` follows."""
        token_id = peer.identity.token_id
        rival = self._coming.get(token_id)
        if rival is not None and rival.instance_id != peer.instance_id:
            return Claim(taken=True)
        self._coming[token_id] = peer
        holder = self._seats.get(token_id)
        if holder is None or holder.instance_id == peer.instance_id:
            return Claim(superseded=rival)
        return Claim(holder=holder, superseded=rival)

    def admitted(self, peer: P) -> list[P]:
        """The connection is registered from now on; return the older ones that it takes the place of."""
        token_id, agent_id = peer.identity.token_id, peer.identity.agent_id
        instance = agent_id, peer.instance_id
        older = dict.fromkeys(one for one in (self._seats.get(token_id), self._ready.get(instance)) if one)
        self._coming.pop(token_id, None)
        self._seats[token_id] = peer
        self._ready[instance] = peer
        return list(older)

    def coming(self, agent_id: str, instance_id: str) -> P | None:
        """Return the instance's connection that is just being let in."""
        if not self._coming:
            return None
        for peer in self._by_agent.get(agent_id, ()):
            if peer.instance_id == instance_id and self._coming.get(peer.identity.token_id) is peer:
                return peer
        return None

    def on_their_way(self) -> list[P]:
        """Return the connections that are just being let in."""
        return list(self._coming.values())

    def find(self, agent_id: str, instance_id: str) -> P | None:
        """Return the instance's registered connection."""
        return self._ready.get((agent_id, instance_id))

    def ready(self, agent_id: str) -> Iterator[P]:
        """Yield the agent's registered connections."""
        return (peer for peer in self._by_agent.get(agent_id, ()) if self.find(agent_id, peer.instance_id) is peer)

    def silent(self, token_id: str) -> int:
        """Return how many connections of this token have said nothing yet."""
        return sum(not peer.instance_id for peer in self._by_token.get(token_id, ()))

    def with_tokens(self, token_ids: Sequence[str]) -> list[P]:
        """Return all connections made with these tokens, registered or not."""
        return [peer for token_id in token_ids for peer in self._by_token.get(token_id, ())]

    def of_agent(self, agent_id: str) -> list[P]:
        """Return all connections of this agent, registered or not."""
        return list(self._by_agent.get(agent_id, ()))

    def everyone(self) -> list[P]:
        """Return all connections."""
        return [peer for peers in self._by_agent.values() for peer in peers]
