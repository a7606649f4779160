"""The HTTP server on a real socket, against peers that send requests in odd pieces."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from agentic_atlas.compose import http

PATIENCE = 20.0
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def count(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the number of bytes of the body."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


def served(test: Callable[[Callable[[], Awaitable[Peer]]], Awaitable[None]]) -> None:
    async def main() -> None:
        listener = http.listen("127.0.0.1", 0, "PORT")
        port = listener.getsockname()[1]
        stop = asyncio.Event()
        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
            group.create_task(http.until(stop, http.HttpServer(count, listener, drain=1)))
            try:
                await test(lambda: asyncio.open_connection("127.0.0.1", port))
            finally:
                stop.set()

    asyncio.run(main())


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.split(b" ", 2)[1] + b" " + await reader.readexactly(length)


def test_a_long_body_may_come_together_with_its_head_and_requests_one_after_the_other() -> None:
    async def test(connect: Callable[[], Awaitable[Peer]]) -> None:
        reader, writer = await connect()
        writer.write(post(b"x" * 300_000) + post(b"y" * 5) * 3)
        assert [await answer(reader) for _ in range(4)] == [b"200 300000", b"200 5", b"200 5", b"200 5"]
        writer.close()

    served(test)


def test_a_head_without_end_is_refused() -> None:
    async def test(connect: Callable[[], Awaitable[Peer]]) -> None:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(3):
            writer.write(b"A: " + b"a" * 40_000 + b"\r\n")
            await asyncio.sleep(0)
        assert (await answer(reader)).startswith(b"400")
        writer.close()

    served(test)


def test_trailers_without_end_are_cut() -> None:
    async def test(connect: Callable[[], Awaitable[Peer]]) -> None:
        _, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n")
        sent = 0
        try:
            while sent < 50_000_000:
                writer.write(b"A: " + b"a" * 100_000 + b"\r\n")
                await writer.drain()
                sent += 100_000
        except ConnectionError:
            pass
        assert sent < 20_000_000
        writer.close()

    served(test)
