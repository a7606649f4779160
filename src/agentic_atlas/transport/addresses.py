"""Reaching a host by whichever of its addresses answers first (RFC 8305, "Happy Eyeballs").

One after the other, each with a time of its own, a few dead addresses use up all the time there is. Side by side they
cost a quarter of a second each.
"""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterable
from itertools import groupby, zip_longest
from typing import Any, Final, TypeAlias

DELAY: Final = 0.25
"""Seconds for one address before the next is tried beside it (RFC 8305 section 5)."""

Address: TypeAlias = tuple[int, int, int, str, Any]
"""As `socket.getaddrinfo` returns them: family, type, protocol, name, address."""
Connect: TypeAlias = Callable[[Address], Awaitable[socket.socket]]


def in_turn(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses with their families in turn, each in its order, that of the first one first (section 4)."""
    preferred = list(addresses)
    families = list(dict.fromkeys(address[0] for address in preferred))
    ordered = sorted(preferred, key=lambda address: families.index(address[0]))
    by_family = [list(group) for _, group in groupby(ordered, key=lambda address: address[0])]
    return [address for together in zip_longest(*by_family) for address in together if address is not None]


async def first_connected(addresses: Iterable[Address], connect: Connect, delay: float = DELAY) -> socket.socket:
    """Return a socket to the first address that answers; all other tries are ended and closed.

    Args:
        addresses: those of one host, the best first.
        connect: connects to one of them, and closes what it opened when it is canceled.
        delay: seconds after which the next is tried as well; at once, when one has failed.

    Raises:
        OSError: none answers; it is the error of the one that failed last.
    """
    race = _Race(connect)
    try:
        async with asyncio.TaskGroup() as group:
            tries: list[asyncio.Task[None]] = []
            for address in addresses:
                if race.won:
                    break
                tries.append(group.create_task(race.reach(address)))
                await race.news(delay)
            while not race.won and len(race.failures) < len(tries):
                await race.news(None)
            for one in tries:
                one.cancel()
    except BaseException:
        race.close()
        raise
    return race.result()


class _Race:
    """What came of the tries so far."""

    def __init__(self, connect: Connect) -> None:
        self.won: socket.socket | None = None
        self.failures: list[OSError] = []
        self._connect = connect
        self._ended = asyncio.Event()

    async def reach(self, address: Address) -> None:
        """Try one address."""
        try:
            made = await self._connect(address)
        except OSError as error:
            self.failures.append(error)
        else:
            if self.won is None:
                self.won = made
            else:
                made.close()
        self._ended.set()

    async def news(self, within: float | None) -> None:
        """Wait until a try has ended that was not told of yet, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):  # `wait_for` of Python 3.11 can lose a cancellation
                await self._ended.wait()
        self._ended.clear()

    def result(self) -> socket.socket:
        if self.won is None:
            raise self.failures[-1] if self.failures else OSError("the name has no address")
        return self.won

    def close(self) -> None:
        if self.won is not None:
            self.won.close()


async def reached(host: str, port: int) -> socket.socket:
    """Return a socket to the first address of a host that answers, not blocking.

    Raises:
        OSError: the name can't be resolved, or no address answers.
    """
    loop = asyncio.get_running_loop()

    async def connect(address: Address) -> socket.socket:
        family, kind, proto, _, place = address
        opened = socket.socket(family, kind, proto)
        opened.setblocking(False)
        try:
            await loop.sock_connect(opened, place)
        except BaseException:
            opened.close()
            raise
        return opened

    return await first_connected(in_turn(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)), connect)
