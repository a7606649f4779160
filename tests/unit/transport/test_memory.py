"""Two ends in memory: frames in order, in a later turn, and one end of it all."""

from __future__ import annotations

import asyncio

import pytest

from agentic_atlas.protocol.closing import CloseCode
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.transport.memory import MemorySocket
from agentic_atlas.transport.receiver import Receiver

pytestmark = pytest.mark.anyio


class Told(Receiver):
    """Keeps what it is told; refuses `wrong`."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    def received(self, data: bytes) -> None:
        if data == b"wrong":
            raise ProtocolError("this is wrong")
        self.heard.append(data)

    def ponged(self) -> None:
        self.heard.append("pong")

    def writable(self) -> None:
        self.heard.append("writable")

    def closed(self, *, left: bool = False) -> None:
        self.heard.append("closed")


def joined() -> tuple[MemorySocket, Told, MemorySocket, Told]:
    one, other, loop = Told(), Told(), asyncio.get_running_loop()
    here, there = MemorySocket(loop, lambda _: one), MemorySocket(loop, lambda _: other)
    here.peer, there.peer = there, here
    return here, one, there, other


async def test_frames_come_in_order_and_never_while_their_sender_is_at_it() -> None:
    here, _, there, other = joined()
    here.send(b"a")
    here.send(b"b")
    assert other.heard == []
    await there.heard.wait()
    assert other.heard == [b"a", b"b"]


async def test_a_peer_that_is_slowed_down_is_told_when_it_may_go_on() -> None:
    here, _, there, other = joined()
    here.pause_reading()
    assert there.paused
    here.resume_reading()
    await asyncio.sleep(0)
    assert (there.paused, other.heard) == (False, ["writable"])


async def test_both_ends_know_how_it_ended_and_nothing_follows() -> None:
    here, one, there, other = joined()
    here.close(4109, b"why")
    here.send(b"late")
    assert await there.over == await here.over == (4109, b"why")
    await asyncio.sleep(0)
    assert one.heard == other.heard == ["closed"]


async def test_who_breaks_the_protocol_is_closed_with_its_code() -> None:
    here, _, there, _ = joined()
    here.send(b"wrong")
    code, reason = await here.over
    assert (code, reason) == (CloseCode.PROTOCOL_VIOLATION, b"this is wrong")
    assert there.over.done()
