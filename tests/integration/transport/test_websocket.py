"""Both ends of a WebSocket are one class: what one sends the other takes, and either ends it in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import structlog

from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import Limits
from agentic_atlas.transport import client
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.head import Head, HttpAnswer, upgrade_key
from agentic_atlas.transport.limiter import ConnectionLimiter
from agentic_atlas.transport.receiver import Closed, Receiver, Terms
from agentic_atlas.transport.server import Listener, Upgrade, listen
from agentic_atlas.transport.websocket import WebSocket
from tests.integration.router.doors import PATIENCE, TEXT, frame, raw, request

SUBPROTOCOL = "atlas.v1"
SIZES = (0, 1, 13, 125, 126, 4_096, 8_192, 8_193, 65_535, 65_536, 1_000_000)

pytestmark = pytest.mark.anyio


@dataclass
class Ear(Receiver):
    """Keeps what it is told."""

    messages: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    told: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    hears: Callable[[bytes], None] | None = None
    bugs: list[Exception] = field(default_factory=list)

    def received(self, data: bytes) -> None:
        if self.hears is not None:
            self.hears(data)
        self.messages.put_nowait(data)

    def ponged(self) -> None:
        self.told.put_nowait("ponged")

    def writable(self) -> None:
        self.told.put_nowait("writable")

    def unfinished(self) -> None:
        self.told.put_nowait("unfinished")

    def fail(self, error: ProtocolError) -> None:
        self.told.put_nowait(error.code)

    def crashed(self, bug: Exception) -> None:
        self.bugs.append(bug)

    def closed(self, *, left: bool = False) -> None:
        self.told.put_nowait("left" if left else "closed")

    async def next(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return await self.told.get()

    async def message(self) -> bytes:
        async with asyncio.timeout(PATIENCE):
            return await self.messages.get()


class Hall:
    """Lets everybody in."""

    unknown_bytes = 1_000
    farewell = (1001, "stopping")

    def __init__(self) -> None:
        self.ear = Ear()
        self.ends: asyncio.Queue[WebSocket] = asyncio.Queue()

    def origin(self, head: Head, peer: str) -> str:
        return peer

    def answer(self, head: Head, address: str, *, crowded: bool) -> Upgrade | HttpAnswer:
        return Upgrade(upgrade_key(head), SUBPROTOCOL, self._begin)

    def refuse(self, error: Exception, address: str) -> HttpAnswer:
        raise error

    def too_much(self) -> ProtocolError:
        return ProtocolError("who are you?", code="too_much")

    def left(self, count: int) -> None:
        raise AssertionError(count)

    def _begin(self, websocket: WebSocket) -> Receiver:
        self.ends.put_nowait(websocket)
        return self.ear


@dataclass
class Pair:
    """Both ends, and who hears at each."""

    hall: Hall
    server: WebSocket
    client: WebSocket
    ear: Ear
    listener: Listener


TERMS = Terms(Limits(), message_within=0.05, close_within=0.2, tls_within=1.0, handshake_within=1.0)


@asynccontextmanager
async def listening(hall: Hall) -> AsyncIterator[Listener]:
    listener = await listen(
        hall,
        TERMS,
        host="127.0.0.1",
        port=0,
        limiter=ConnectionLimiter(0, 0),
        crowd=Crowd(1_000, structlog.get_logger(), time.monotonic),
        clock=time.monotonic,
    )
    try:
        yield listener
    finally:
        await listener.close()
        assert not listener.connections


@asynccontextmanager
async def pair() -> AsyncIterator[Pair]:
    """Open a connection."""
    hall, ear = Hall(), Ear()
    async with listening(hall) as listener:
        socket = WebSocket(lambda _: ear, Terms(Limits(), 0.05, 0.2), time.monotonic)
        await client.dial(
            f"ws://127.0.0.1:{listener.port}/", socket, subprotocol=SUBPROTOCOL, headers={}, within=PATIENCE, tls=None
        )
        yield Pair(hall, await hall.ends.get(), socket, ear, listener)
        socket.abort("the test is over")
        await socket.ended()


@pytest.mark.parametrize("size", SIZES)
async def test_what_one_end_sends_the_other_takes_whatever_its_length(size: int) -> None:
    data = bytes(65 + number % 26 for number in range(size))
    async with pair() as both:
        for _ in range(2):
            both.client.send(data)
            both.server.send(data)
        for ear in (both.ear, both.hall.ear):
            assert [await ear.message(), await ear.message()] == [data, data]


async def test_what_is_sent_in_one_turn_arrives_in_order_and_before_the_close_that_ends_it() -> None:
    sent = [bytes([65 + number % 26]) * (number * number) for number in range(150)]
    async with pair() as both:
        for data in sent:
            both.server.send(data)
        both.server.close(4001)
        assert [await both.ear.message() for _ in sent] == sent
        async with asyncio.timeout(PATIENCE):
            assert (await both.client.ended()).code == 4001


async def test_answers_to_what_is_read_come_in_order_and_behind_what_was_sent_before() -> None:
    async with pair() as both:

        def answers(data: bytes) -> None:
            both.server.send(b"answer to " + data)
            both.server.send(b"and more")

        both.hall.ear.hears = answers
        both.client.send(b"one")
        both.client.send(b"two")
        await both.hall.ear.message()
        both.server.send(b"by itself")
        heard = [await both.ear.message() for _ in range(5)]
        assert [one for one in heard if one != b"by itself"] == [
            b"answer to one",
            b"and more",
            b"answer to two",
            b"and more",
        ]
        assert heard.index(b"by itself") >= 2


async def test_a_receiver_is_told_when_what_it_sent_in_a_turn_waits_for_its_peer_to_read() -> None:
    async with pair() as both:
        both.client.pause_reading()
        both.server.send(b"read")
        await asyncio.sleep(0)
        assert both.hall.ear.told.empty()
        async with asyncio.timeout(PATIENCE):
            while both.hall.ear.told.empty():
                both.server.send(bytes(4_000))
                await asyncio.sleep(0)
        assert await both.hall.ear.next() == "writable"
        assert both.server.buffered() > 0


async def test_either_end_answers_a_ping() -> None:
    async with pair() as both:
        both.server.ping()
        both.client.ping()
        assert (await both.hall.ear.next(), await both.ear.next()) == ("ponged", "ponged")


async def test_a_close_is_told_to_the_other_end_and_ends_both() -> None:
    async with pair() as both:
        both.client.close(4001, b"enough", why="it is late")
        async with asyncio.timeout(PATIENCE):
            assert await both.client.ended() == Closed(4001, b"enough", ours=True, why="it is late")
            assert await both.server.ended() == Closed(4001, b"enough")
        assert (await both.hall.ear.next(), await both.ear.next()) == ("left", "closed")


async def test_after_a_close_nothing_is_sent() -> None:
    async with pair() as both:
        both.server.close(4001)
        both.server.send(b"too late")
        both.server.ping()
        async with asyncio.timeout(PATIENCE):
            assert (await both.client.ended()).code == 4001
        assert both.ear.messages.empty()


async def test_a_cut_is_told_to_the_other_end() -> None:
    async with pair() as both:
        both.server.abort("it seems to be gone")
        async with asyncio.timeout(PATIENCE):
            assert await both.client.ended() == Closed(1006)
            assert await both.server.ended() == Closed(1006, ours=True, why="it seems to be gone")


async def test_what_a_receiver_refuses_closes_the_connection_with_its_code() -> None:
    def refuses(data: bytes) -> None:
        raise ProtocolError("not here", code="odd")

    async with pair() as both:
        both.ear.hears = refuses
        both.server.send(b"{}")
        async with asyncio.timeout(PATIENCE):
            closed = await both.server.ended()
        assert (closed.code, decode_reason(closed.reason).code) == (4107, "odd")
        assert await both.ear.next() == "odd"


async def test_a_bug_of_a_receiver_ends_its_connection_alone_and_is_told() -> None:
    def crashes(data: bytes) -> None:
        raise ZeroDivisionError(data)

    async with pair() as both:
        both.hall.ear.hears = crashes
        both.client.send(b"{}")
        async with asyncio.timeout(PATIENCE):
            assert (await both.client.ended()).code == 1011
            assert isinstance((await both.server.ended()).bug, ZeroDivisionError)
        assert [type(bug) for bug in both.hall.ear.bugs] == [ZeroDivisionError]


async def test_a_message_that_is_not_finished_is_told_again_and_again_and_not_while_nothing_is_read() -> None:
    hall = Hall()
    async with listening(hall) as listener, raw(listener.port) as peer:
        await peer.send(request())
        await peer.reader.readuntil(b"\r\n\r\n")
        server = await hall.ends.get()
        await peer.frame(TEXT, b"[", fin=False)
        assert (await hall.ear.next(), await hall.ear.next()) == ("unfinished", "unfinished")
        server.pause_reading()
        while not hall.ear.told.empty():
            hall.ear.told.get_nowait()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await hall.ear.told.get()
        server.resume_reading()
        await peer.frame(0, b"]")
        assert await hall.ear.message() == b"[]"


async def test_messages_in_fragments_one_after_the_other_are_each_given_their_time() -> None:
    hall = Hall()
    async with listening(hall) as listener, raw(listener.port) as peer:
        await peer.send(request())
        await peer.reader.readuntil(b"\r\n\r\n")
        for _ in range(20):
            await peer.send(frame(TEXT, b"[", fin=False))
            await peer.send(frame(0, b"]"))
            assert await hall.ear.message() == b"[]"
        assert hall.ear.told.empty()


async def test_what_is_no_server_of_websockets_is_told_apart() -> None:
    async def says(answer: bytes) -> client.NotOpened:
        async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            socket = WebSocket(lambda _: Receiver(), Terms(Limits(), 1.0, 1.0), time.monotonic)
            with pytest.raises(client.NotOpened) as caught:
                await client.dial(
                    f"ws://127.0.0.1:{port}/", socket, subprotocol=SUBPROTOCOL, headers={}, within=PATIENCE, tls=None
                )
        assert not socket.opened
        return caught.value

    assert not (await says(b"")).answered
    refused = await says(b"HTTP/1.1 503 Later\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\nno")
    assert refused.answered and refused.headers is not None
    assert (refused.status, refused.headers.get("retry-after"), refused.body) == (503, "3", b"no")
