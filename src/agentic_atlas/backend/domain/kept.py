"""What was used last, kept within a bound of bytes."""

from collections import OrderedDict
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """A cache whose bound is the bytes of what it holds, as told by whoever keeps something.

    What is larger than that alone is not kept.

    Attributes:
        bytes: of all that is kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Key) -> Value | None:
        """Return what is kept under this key."""
        held = self._held.get(key)
        if held is None:
            return None
        self._held.move_to_end(key)
        return held[0]

    def keep(self, key: Key, value: Value, size: int) -> Value:
        """Keep a value of so many bytes and return it; what was not used for longest goes."""
        self.forget(key)
        self._held[key] = value, size
        self.bytes += size
        while self.bytes > self._most:
            self.forget(next(iter(self._held)))
        return value

    def forget(self, key: Key) -> None:
        """Keep it no more; nothing when it is not there."""
        _, size = self._held.pop(key, (None, 0))
        self.bytes -= size

    def clear(self) -> None:
        """Keep nothing of all that is kept."""
        self._held.clear()
        self.bytes = 0
