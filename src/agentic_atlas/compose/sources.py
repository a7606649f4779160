"""The real world's clock, ids and randomness, and how often somebody asks by that clock."""

import logging
import secrets
import socket
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from agentic_atlas.backend.domain.names import RANDOM_BITS, sortable
from agentic_atlas.sdk.environment import variables

_JUMP = 1.0
"""Seconds within one look at the clock: more than any slow correction takes, less than any limit that would suffer."""

wall = time.time
"""Seconds since the epoch."""

monotonic = time.monotonic
"""Seconds that only ever pass."""

_AT_ONCE = 4_096
"""Bytes of randomness read from the system at a time."""


_BURST: Final = 2
"""Seconds whose requests may come at once."""
_USERS: Final = 10_000
"""Most users whose requests are counted at the same time; one more takes the place of who asked least recently."""


def machine_names() -> tuple[str, ...]:
    """Return the names that this machine has by itself, `.local` for those who find it by multicast DNS (RFC 6762)."""
    name = socket.gethostname()
    return name, f"{name.partition('.')[0]}.local"


class Entropy:
    """Cryptographic randomness, read from the system in blocks, for each time lets other threads run. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._block = b""
        self._used = 0

    def __call__(self, size: int) -> bytes:
        """Return so many bytes, which are given to nobody else."""
        with self._lock:
            begin, end = self._used, self._used + size
            if end > len(self._block):
                self._block, begin, end = secrets.token_bytes(max(size, _AT_ONCE)), 0, size
            self._used = end
            return self._block[begin:end]


class WallClock:
    """The wall clock, which notices that it was set, or that the machine slept: it then disagrees with the monotonic
    one. Slow corrections are followed without a word. For one thread.

    Attributes:
        jumped: told by how many seconds, before anybody gets the new time.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.jumped: Callable[[float], None] | None = None
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        """Return the seconds since the epoch."""
        now = self._wall()
        before, self._offset = self._offset, now - self._monotonic()
        jump = self._offset - before
        if abs(jump) > _JUMP and self.jumped is not None:
            self.jumped(jump)
        return now


class SortableIds:
    """Ids that sort by the time of their making, as ULIDs do: 48 bits of milliseconds, then 80 bits of randomness.

    Within one millisecond the random part counts up, so the order holds within a process. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._entropy = Entropy()
        self._last_ms = 0
        self._random = 0

    def __call__(self, prefix: str) -> str:
        """Return a new id `prefix_…` of 26 digits in Crockford's base 32."""
        with self._lock:
            now = int(wall() * 1000)
            if now > self._last_ms:
                self._last_ms = now
                # The top bit stays free, so that counting up does not run over.
                self._random = int.from_bytes(self._entropy(RANDOM_BITS // 8), "big") >> 1
            else:
                self._random += 1
            stamp, random = self._last_ms, self._random
        return sortable(prefix, stamp, random)


def quiet(*names: str) -> None:
    """Keep other people's loggers to warnings; at lower levels some of them show headers, tokens included."""
    for name in names:
        logging.getLogger(name).setLevel(logging.WARNING)


_OF_PYTHON: Final = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG")


def python_environ() -> dict[str, str]:
    """Return what Python may need of the environment to start, and nothing else: no setting, no secret."""
    given = variables()
    return {name: given[name] for name in _OF_PYTHON if name in given}


def pacer(per_second: int) -> Callable[[str, int], float]:
    """Return what counts the requests of each user (`ports.Pace`), by the monotonic clock, in a bounded room."""
    # Loaded where it is used, for commands have no use for it.
    from throttled import MemoryStore, RateLimiterRegistry, per_sec

    burst = _BURST * per_second
    store = MemoryStore(options={"MAX_SIZE": _USERS})
    limiter = RateLimiterRegistry.get("gcra")(per_sec(per_second, burst), store)

    def pace(user_id: str, times: int) -> float:
        # What is more than may ever come at once waits until all of that may.
        result = limiter.limit(user_id, min(times, burst))
        return result.state.retry_after if result.limited else 0.0

    return pace
