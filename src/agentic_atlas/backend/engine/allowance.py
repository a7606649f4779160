"""How often somebody may do something: at most so many times in any window of time. Pure: the clock is an argument.

What is remembered for it is bounded, and whoever holds most of that room makes place when it is full: a crowd of
addresses keeps out nobody but itself.
"""

from collections import deque
from collections.abc import Collection, Hashable
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)

Networks: TypeAlias = tuple[str, ...]
"""Where somebody is, from the largest network to the smallest."""


class Holders(Generic[K]):
    """Who holds what in a room that is bounded, by where they are; all by equally many networks."""

    def __init__(self) -> None:
        self._where: dict[K, Networks] = {}
        self._held: dict[Networks, dict[str, int]] = {}
        """Of each network how much those in it hold that are the next smaller ones."""
        self._last: dict[Networks, dict[K, None]] = {}
        """Of each of the smallest ones what it holds; what was put last is last."""

    def __len__(self) -> int:
        return len(self._where)

    def put(self, key: K, where: Networks) -> None:
        """Somebody there holds this, as of now."""
        self.drop(key)
        self._where[key] = where
        self._last.setdefault(where, {})[key] = None
        for depth, network in enumerate(where):
            inside = self._held.setdefault(where[:depth], {})
            inside[network] = inside.get(network, 0) + 1

    def drop(self, key: K) -> None:
        """Nobody holds this any more."""
        where = self._where.pop(key, None)
        if where is None:
            return
        del self._last[where][key]
        for depth, network in enumerate(where):
            inside = self._held[where[:depth]]
            inside[network] -= 1
            if not inside[network]:
                del inside[network]
            if not inside:
                del self._held[where[:depth]]
        if not self._last[where]:
            del self._last[where]

    def first_of_the_largest(self) -> K | None:
        """Return the oldest `of_the_largest`; None: nobody holds anything."""
        return next(iter(self.of_the_largest()), None)

    def of_the_largest(self) -> Collection[K]:
        """Return of what one is to go when there is no room, the oldest first: all of the network that holds most.

        It is the smallest one that does, in the next larger one that does.
        """
        where: Networks = ()
        while inside := self._held.get(where):
            where = (*where, max(inside, key=inside.__getitem__))
        return self._last.get(where, {}).keys()


class Allowance:
    """Counts what was done for each key (a user, an address) in a sliding window.

    Memory is bounded: when as many keys as are held were active within the window, a new one takes the place of the
    one that did least in the network that holds most, for to do much once more is not to be had by making up others;
    where it is not known who holds them, of the oldest.

    Args:
        most: times in one window.
        window: seconds.
        keys: most keys that are held.
    """

    def __init__(self, most: int, window: float, *, keys: int = 10_000) -> None:
        self._most = most
        self._window = window
        self._keys = keys
        # The key that was active last is the last one, so what is over is always in front.
        self._times: dict[str, deque[float]] = {}
        self._holders = Holders[str]()

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until this key may do it again; 0 when it may now."""
        self._expire(now)
        times = self._times.get(key)
        return 0.0 if times is None or len(times) < self._most else max(0.0, times[0] + self._window - now)

    def take(self, key: str, now: float, where: Networks = ()) -> None:
        """The key did it; `where`: in which networks whoever holds it is, where that is known."""
        times = self._times.pop(key, None)
        if times is None:
            times = deque(maxlen=self._most)
            if len(self._times) >= self._keys:
                held = self._holders.of_the_largest()
                self._forget(min(held, key=self._did) if held else next(iter(self._times)))
        times.append(now)
        self._times[key] = times
        if where:
            self._holders.put(key, where)

    def give_back(self, key: str) -> None:
        """What the key did last does not count."""
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                self._forget(key)

    def _did(self, key: str) -> int:
        return len(self._times[key])

    def _expire(self, now: float) -> None:
        while self._times:
            key, times = next(iter(self._times.items()))
            if now - times[-1] < self._window:
                return
            self._forget(key)

    def _forget(self, key: str) -> None:
        del self._times[key]
        self._holders.drop(key)


_SHARED = {4: (16, 24, 32), 6: (48, 56, 64)}
"""Bits of the networks that addresses are in: of IPv6 a site's, a customer's and a link's (RFC 6177)."""


def networks(address: str) -> Networks:
    """Return the networks that an address is in; what is not an address is in as many that are called like it."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return (address,) * len(_SHARED[4])
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return tuple(str(ip_network(f"{parsed}/{bits}", strict=False)) for bits in _SHARED[parsed.version])


def neighbourhood(address: str) -> str:
    """Return the part of a network address that one person holds: an IPv4 address, or the first 64 bits of IPv6.

    Whoever has an IPv6 connection has all 2⁶⁴ addresses of it (RFC 6177), so a limit for each would be none. What is
    not an address is returned as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
