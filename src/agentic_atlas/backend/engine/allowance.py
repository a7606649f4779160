"""How often somebody may do something: at most so many times in any window of time. Pure: the clock is an argument."""

from collections import deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from agentic_atlas.errors import Busy


class Allowance:
    """Counts what was done for each key (a user, an address) in a sliding window.

    Memory is bounded: when as many keys as are held were active within the window, a new key has to wait.

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

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until this key may do it again; 0 when it may now."""
        self._expire(now)
        times = self._times.get(key)
        if times is None:
            return self._window if len(self._times) >= self._keys else 0.0
        return 0.0 if len(times) < self._most else max(0.0, times[0] + self._window - now)

    def take(self, key: str, now: float) -> None:
        """The key did it."""
        times = self._times.pop(key, None) or deque(maxlen=self._most)
        times.append(now)
        self._times[key] = times

    def give_back(self, key: str) -> None:
        """What the key did last does not count."""
        times = self._times.get(key)
        if times:
            times.pop()
            if not times:
                del self._times[key]

    def _expire(self, now: float) -> None:
        while self._times:
            key, times = next(iter(self._times.items()))
            if now - times[-1] < self._window:
                return
            del self._times[key]


class Pace:
    """How often each user may ask for something in a second."""

    def __init__(self, per_second: int, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._allowance = Allowance(per_second, 1.0)
        self._clock = clock

    def take(self, user_id: str) -> None:
        """The user asks; raises Busy (`too_many_requests`) when that is too often."""
        now = self._clock()
        wait = self._allowance.wait(user_id, now)
        if wait:
            raise Busy(f"you ask more than {self._per_second} times in a second: ask less often", retry_after=wait)
        self._allowance.take(user_id, now)


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
