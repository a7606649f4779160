"""Who is connected: connections by token, by agent and by instance. Pure.

A token has at most one seat, so at most one instance, and at most one connection that is on its way to it. Whoever
leaves is removed only where it is the one that is registered: an older connection never takes its successor with it.
"""

from collections.abc import Iterable, Sequence
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
    """All connections of this router."""

    def __init__(self) -> None:
        self._by_token: dict[str, tuple[P, ...]] = {}
        self._by_agent: dict[str, dict[P, None]] = {}
        self._seats: dict[str, P] = {}
        self._coming: dict[str, P] = {}
        self._ready: dict[str, dict[str, P]] = {}

    def arrive(self, peer: P) -> None:
        """A connection was made; it has said nothing yet."""
        self._by_token[peer.identity.token_id] = (*self._by_token.get(peer.identity.token_id, ()), peer)
        self._by_agent.setdefault(peer.identity.agent_id, {})[peer] = None

    def leave(self, peer: P) -> None:
        """A connection ended."""
        token_id, agent_id = peer.identity.token_id, peer.identity.agent_id
        left = tuple(one for one in self._by_token.get(token_id, ()) if one is not peer)
        if left:
            self._by_token[token_id] = left
        else:
            self._by_token.pop(token_id, None)
        _remove(self._by_agent, agent_id, peer)
        for seats in (self._seats, self._coming):
            if seats.get(token_id) is peer:
                del seats[token_id]
        ready = self._ready.get(agent_id, {})
        if ready.get(peer.instance_id) is peer:
            _remove(self._ready, agent_id, peer.instance_id)

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
        ready = self._ready.setdefault(agent_id, {})
        older = dict.fromkeys(one for one in (self._seats.get(token_id), ready.get(peer.instance_id)) if one)
        self._coming.pop(token_id, None)
        self._seats[token_id] = peer
        ready[peer.instance_id] = peer
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
        return self._ready.get(agent_id, {}).get(instance_id)

    def ready(self, agent_id: str) -> Iterable[P]:
        """Return the agent's registered connections."""
        return self._ready.get(agent_id, {}).values()

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


K = TypeVar("K")
V = TypeVar("V")


def _remove(index: dict[str, dict[K, V]], key: str, item: K) -> None:
    items = index.get(key)
    if items is not None:
        items.pop(item, None)
        if not items:
            del index[key]
