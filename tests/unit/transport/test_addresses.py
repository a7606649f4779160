"""Several addresses of one host: which are tried, when, and what is left of those that are not needed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from agentic_atlas.transport.addresses import Address, first_connected, in_turn

V4, V6 = socket.AF_INET, socket.AF_INET6
Connect = Callable[[Address], Awaitable[socket.socket]]
LONG = 30.0


def at(name: str, family: int = V4) -> Address:
    return (family, socket.SOCK_STREAM, 0, "", (name, 80))


def names(addresses: list[Address]) -> list[str]:
    return [address[4][0] for address in addresses]


def test_families_take_turns_in_their_own_order_and_the_first_stays_first() -> None:
    both = [at("a", V6), at("b", V6), at("c", V6), at("1"), at("2")]
    assert names(in_turn(both)) == ["a", "1", "b", "2", "c"]
    assert names(in_turn([at("1"), at("2"), at("a", V6)])) == ["1", "a", "2"]
    assert names(in_turn([at("1"), at("2")])) == ["1", "2"]
    assert in_turn([]) == []


class Host:
    """Addresses that answer, fail, or say nothing."""

    def __init__(self, **behaviour: str) -> None:
        self.addresses = [at(name) for name in behaviour]
        self.behaviour = behaviour
        self.tried: list[str] = []
        self.opened: list[socket.socket] = []
        self.all_tried = asyncio.Event()

    async def connect(self, address: Address) -> socket.socket:
        name = address[4][0]
        self.tried.append(name)
        if len(self.tried) == len(self.addresses):
            self.all_tried.set()
        if self.behaviour[name] == "fails":
            raise ConnectionRefusedError(name)
        opened = socket.socket()
        self.opened.append(opened)
        try:
            if self.behaviour[name] == "silent":
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            opened.close()
            raise
        return opened

    def open(self) -> int:
        return sum(opened.fileno() >= 0 for opened in self.opened)


async def test_dead_addresses_cost_the_delay_each_and_leave_nothing_open() -> None:
    host = Host(a="silent", b="silent", c="answers", d="answers")
    async with asyncio.timeout(LONG):
        made = await first_connected(host.addresses, host.connect, delay=0.001)
    assert host.tried == ["a", "b", "c"]
    assert made is host.opened[-1]
    assert host.open() == 1
    made.close()


async def test_an_address_that_fails_is_followed_at_once() -> None:
    host = Host(a="fails", b="fails", c="answers")
    async with asyncio.timeout(LONG):
        (await first_connected(host.addresses, host.connect, delay=2 * LONG)).close()
    assert host.tried == ["a", "b", "c"]


async def test_a_silent_one_goes_on_beside_those_that_fail() -> None:
    host = Host(a="silent", b="fails")
    trying = asyncio.create_task(first_connected(host.addresses, host.connect, delay=0.001))
    async with asyncio.timeout(LONG):
        await host.all_tried.wait()
        await asyncio.sleep(0)
        assert not trying.done()
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
    assert host.open() == 0


async def test_when_none_answers_the_last_failure_is_told() -> None:
    host = Host(a="fails", b="fails")
    with pytest.raises(ConnectionRefusedError, match="b"):
        await first_connected(host.addresses, host.connect)
    with pytest.raises(OSError, match="no address"):
        await first_connected([], host.connect)


async def test_two_that_answer_at_the_same_moment_leave_one() -> None:
    host, gate, waiting = Host(a="answers", b="answers"), asyncio.Event(), asyncio.Semaphore(0)

    async def together(address: Address) -> socket.socket:
        waiting.release()
        await gate.wait()
        return await host.connect(address)

    trying = asyncio.create_task(first_connected(host.addresses, together, delay=0))
    async with asyncio.timeout(LONG):
        await waiting.acquire()
        await waiting.acquire()
    gate.set()
    made = await trying
    assert len(host.opened) == 2
    assert host.open() == 1
    assert made.fileno() >= 0
    made.close()
