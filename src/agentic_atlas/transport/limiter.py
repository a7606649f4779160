"""How many connections there are, in all and from each address. Pure."""

from collections import Counter


class ConnectionLimiter:
    """Counts connections from the moment they are accepted; a limit of 0 is none."""

    def __init__(self, most: int, most_per_address: int) -> None:
        self._most = most
        self._most_per_address = most_per_address
        self._total = 0
        self._by_address: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """A connection was accepted."""
        self._total += 1
        self._by_address[address] += 1

    def leave(self, address: str) -> None:
        """A connection ended."""
        self._total -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def full(self, address: str) -> bool:
        """Tell whether the newest connection of this address is one too many."""
        return self._exceeds(address, 1)

    def overrun(self, address: str) -> bool:
        """Tell whether there are twice as many as allowed, so that not even a refusal is owed."""
        return self._exceeds(address, 2)

    def _exceeds(self, address: str, times: int) -> bool:
        in_all = self._most and self._total > times * self._most
        return bool(in_all or (self._most_per_address and self._by_address[address] > times * self._most_per_address))
