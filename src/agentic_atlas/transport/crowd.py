"""Descriptors, and who uses them up: connections whose peers have shown no credentials that are good.

Every connection is one descriptor, and without any the system accepts nobody, whoever they are. So some are kept back,
and when they are reached the stranger goes that has waited longest, of the address that has most of them: whoever sits
on connections, and not who has just come to show a token. A limit for each address by itself holds before that; it
leaves room for many agents that come back at once from behind one proxy, and for none that would stay.

Neither do they use up the event loop: a stranger's first request is answered at once, as that of everybody who comes to
show a key, and the others wait in one line for all strangers together. So do the first ones of an address from which
very many strangers come in a second, for each connection could be a new one.
"""

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentic_atlas.observe.logs import Log

_PLENTY = 1_048_576
"""Asked for where the system names no limit."""
_MODEST = 10_240
"""What every system gives."""
_KEPT = 128
"""Descriptors kept back, for files and for those that come in one moment; a quarter of them where there are few."""
_MOST_OF_ADDRESS = 1_000
_AT_ONCE = 50
"""Strangers of one address that are answered at once in a second."""
_TURN = 0.001
"""Seconds from one stranger's turn to the next, which costs a small part of it."""
_TELL_AGAIN = 60.0
"""Seconds between two lines in the log."""


def raise_limit() -> int:
    """Have as many descriptors as the system lets this process have; return how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (_PLENTY if hard == resource.RLIM_INFINITY else hard, _MODEST):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS names no limit, and has one
            continue
        return wanted
    return soft


class Crowd:
    """The connections at both doors, and the strangers among them; see the module."""

    def __init__(self, descriptors: int, log: "Log", clock: Callable[[], float]) -> None:
        self._most = descriptors - min(_KEPT, descriptors // 4)
        self._most_of_address = min(_MOST_OF_ADDRESS, max(1, self._most // 4))
        self._open = 0
        self._log = log
        self._clock = clock
        self._tell_at = float("-inf")
        self._turn_at = float("-inf")
        self._addresses: dict[asyncio.Transport, str] = {}
        self._strangers: dict[str, dict[asyncio.Transport, bool]] = {}
        """Those of each address, the oldest first; whether each has had a turn."""
        self._second = float("-inf")
        self._answered: Counter[str] = Counter()
        """Of each address, the strangers that had their first turn since then."""

    def enter(self, one: asyncio.Transport, address: str) -> None:
        """A connection was accepted; somebody may be cut off for it, and be it this one."""
        self._open += 1
        self._addresses[one] = address
        self._strangers.setdefault(address, {})[one] = False
        if self._open > self._most:
            self._tell(address)
            self._cut_oldest(max(self._strangers, key=lambda which: len(self._strangers[which])))
        elif len(self._strangers[address]) > self._most_of_address:
            self._cut_oldest(address)

    def leave(self, one: asyncio.Transport) -> None:
        """It has ended."""
        self._open -= 1
        self.introduce(one)

    def introduce(self, one: asyncio.Transport) -> None:
        """It has shown who it is: it is no stranger any more. May be said again."""
        address = self._addresses.pop(one, None)
        if address is not None:
            strangers = self._strangers[address]
            del strangers[one]
            if not strangers:
                del self._strangers[address]

    def turn(self, one: asyncio.Transport) -> float:
        """Give it a turn, and return in how many seconds: at once, but for a stranger that has had one, or comes with
        very many."""
        address = self._addresses.get(one)
        if address is None:
            return 0.0
        now = self._clock()
        if self._is_first(one, address, now):
            return 0.0
        self._turn_at = max(now, self._turn_at + _TURN)
        return self._turn_at - now

    def _is_first(self, one: asyncio.Transport, address: str, now: float) -> bool:
        """Tell whether it is its first turn, and one of the first of its address in this second."""
        if self._strangers[address][one]:
            return False
        self._strangers[address][one] = True
        if now - self._second >= 1.0:
            self._second = now
            self._answered.clear()
        self._answered[address] += 1
        return self._answered[address] <= _AT_ONCE

    def _cut_oldest(self, address: str) -> None:
        oldest = next(iter(self._strangers[address]))
        self.introduce(oldest)
        oldest.abort()

    def _tell(self, address: str) -> None:
        now = self._clock()
        if now >= self._tell_at:
            self._tell_at = now + _TELL_AGAIN
            self._log.warning(
                "descriptors_used_up",
                connections=self._open,
                strangers=len(self._addresses),
                newest=address,
                fix="raise the limit of open files (ulimit -n, LimitNOFILE)",
            )
