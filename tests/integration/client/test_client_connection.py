"""One connection after the other: kept, given up, through proxies, and what is no HTTP."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from agentic_atlas.sdk.client.connection import Connections, Fault, TransportError
from agentic_atlas.sdk.client.way import Proxy
from tests.certificates import speaking_tls

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ASK = ("GET", "/things?a=1", (("Accept", "application/json"),), b"")
PATIENCE = 5.0
PLAIN = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HELLO = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


class Peer:
    """Answers each connection by a script: the bytes to say to one request after the other; None closes."""

    def __init__(self, *scripts: list[bytes | None]) -> None:
        self.heads: list[list[bytes]] = []
        self._scripts = iter(scripts)
        self.closed = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append([])
        for said in next(self._scripts, []):
            self.heads[-1].append(await reader.readuntil(b"\r\n\r\n"))
            if said is not None:
                writer.write(said)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.closed.set()


@asynccontextmanager
async def served(serve: Serve, tls: ssl.SSLContext | None = None):
    """Serve on a port of `localhost`; at the end, when each connection is done with."""
    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            await serve(reader, writer)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if running:
            await asyncio.wait(running, timeout=5)


@asynccontextmanager
async def listening(serve: Serve, **more: Any):
    async with served(serve) as port:
        connections = Connections(f"http://127.0.0.1:{port}", trusted=PLAIN, **({"proxy": None, "most": 5} | more))
        try:
            yield connections, port
        finally:
            await connections.aclose()


@pytest.fixture
def tls(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate of `localhost` that vouches for itself, and a server's context with it."""
    return speaking_tls(tmp_path)


async def asked(connections: Connections, patience: float = PATIENCE) -> tuple[int, bytes]:
    async with connections.asked(*ASK, patience) as answer:
        return answer.status, b"".join([piece async for piece in answer.pieces()])


async def test_a_connection_is_kept_for_the_next_request() -> None:
    peer = Peer([HELLO, HELLO.replace(b"200 OK", b"404 Gone")])
    async with listening(peer.serve) as (connections, port):
        assert [await asked(connections) for _ in range(2)] == [(200, b"hello"), (404, b"hello")]
        lines = peer.heads[0][0].decode().split("\r\n")
        assert lines[:2] == ["GET /things?a=1 HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        assert len(peer.heads) == 1


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    peer = Peer([HELLO], [HELLO])
    async with listening(peer.serve) as (connections, _):
        await asked(connections)
        await peer.closed.wait()
        await asyncio.to_thread(lambda: None)  # the end of the connection has come by then
        assert await asked(connections) == (200, b"hello")
        assert len(peer.heads) == 2


async def test_an_answer_that_is_not_read_to_its_end_takes_its_connection_with_it() -> None:
    peer = Peer([HELLO], [HELLO])
    async with listening(peer.serve) as (connections, _):
        async with connections.asked(*ASK, PATIENCE) as answer:
            assert answer.header("content-length") == "5"
        assert await asked(connections) == (200, b"hello")
        assert len(peer.heads) == 2


async def test_what_comes_before_the_answer_and_in_pieces_is_understood() -> None:
    early, head = b"HTTP/1.1 103 Early\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    said = early + head + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"

    async with listening(Peer([said]).serve) as (connections, _):
        assert await asked(connections) == (200, b"hello")


@pytest.mark.parametrize(
    "said",
    [None, b"SSH-2.0-OpenSSH\r\n\r\n", HELLO[:-1], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000],
    ids=["nothing", "no HTTP", "a part", "half a head", "a head without end"],
)
async def test_no_whole_answer_is_a_cut(said: bytes | None) -> None:
    async with listening(Peer([said]).serve) as (connections, _):
        await _fails("cut", asked(connections))


async def test_silence_is_told_and_so_are_too_many_at_once() -> None:
    held = asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await held.wait()
        writer.close()

    async with listening(hold, most=1) as (connections, _), asyncio.TaskGroup() as group:
        first = group.create_task(_fails("silent", asked(connections, patience=0.2)))
        await asyncio.sleep(0)
        await _fails("full", asked(connections, patience=0.05))
        await first
        held.set()


async def _fails(fault: Fault, work: Awaitable[object]) -> BaseException | None:
    """See that there is no whole answer, for this reason; return what it came from."""
    with pytest.raises(TransportError) as told:
        await work
    assert told.value.fault == fault
    return told.value.__cause__


async def test_nobody_there_is_told_with_the_reason() -> None:
    async with listening(Peer().serve) as (_, port):
        pass
    connections = Connections(f"http://127.0.0.1:{port}", proxy=None, trusted=PLAIN, most=1)
    assert isinstance(await _fails("not_reached", asked(connections)), ConnectionRefusedError)


async def test_a_proxy_is_asked_for_the_whole_address_and_shown_who_asks() -> None:
    peer = Peer([HELLO])
    async with served(peer.serve) as port:
        proxy = Proxy("127.0.0.1", port, [("Proxy-Authorization", "Basic eA==")])
        connections = Connections("http://atlas.example.org", proxy=proxy, trusted=PLAIN, most=1)
        assert await asked(connections) == (200, b"hello")
        await connections.aclose()
    lines = peer.heads[0][0].decode().split("\r\n")
    assert lines[:2] == ["GET http://atlas.example.org/things?a=1 HTTP/1.1", "Host: atlas.example.org"]
    assert "Proxy-Authorization: Basic eA==" in lines


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"HTTP/1.1 407 Who?\r\n\r\n", "the proxy answered 407"),
        (b"nonsense\r\n\r\n", "the proxy answered "),
        (None, "the proxy ended the connection"),
        (b"HTTP/1.0 200 Connection established\r\n\r\n", ""),
    ],
)
async def test_a_secure_address_is_reached_through_a_tunnel(said: bytes | None, reason: str) -> None:
    peer = Peer([said])
    async with served(peer.serve) as port:
        connections = Connections("https://[2001:db8::1]", proxy=Proxy("127.0.0.1", port), trusted=PLAIN, most=1)
        cause = await _fails("not_reached", asked(connections))
    assert peer.heads[0][0] == b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n"
    # A proxy that agrees ends the connection here, so what fails then is the handshake behind it.
    assert reason in str(cause)
    assert isinstance(cause, OSError)
    assert bool(reason) or isinstance(cause, ssl.SSLError | ConnectionError)


async def test_nothing_is_left_open_when_the_tunnel_is_refused() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with theirs:
        theirs.sendall(b"HTTP/1.1 403 No\r\n\r\n")
        with ours, pytest.raises(OSError, match="the proxy answered 403"):
            await Proxy("proxy", 1).tunnel(ours, "atlas.example.org", 443)


async def test_a_certificate_that_is_trusted_is_talked_to_directly_and_through_a_tunnel(
    tls: tuple[Path, ssl.SSLContext],
) -> None:
    pem, context = tls
    trusted = ssl.create_default_context(cafile=pem)

    peer = Peer([HELLO, HELLO], [HELLO])
    async with served(peer.serve, context) as port:
        direct = Connections(f"https://localhost:{port}", proxy=None, trusted=trusted, most=1)
        assert [await asked(direct) for _ in range(2)] == [(200, b"hello")] * 2
        await direct.aclose()

        async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            there, back = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"HTTP/1.1 200 Go\r\n\r\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(_pass_on(reader, back))
                group.create_task(_pass_on(there, writer))

        async with served(tunnel) as between:
            proxy = Proxy("127.0.0.1", between)
            through = Connections(f"https://localhost:{port}", proxy=proxy, trusted=trusted, most=1)
            assert await asked(through) == (200, b"hello")
            await through.aclose()


async def test_a_certificate_that_nobody_vouches_for_is_sent_nothing(tls: tuple[Path, ssl.SSLContext]) -> None:
    peer = Peer([HELLO])
    async with served(peer.serve, tls[1]) as port:
        url, trusted = f"https://localhost:{port}", ssl.create_default_context()
        cause = await _fails("not_reached", asked(Connections(url, proxy=None, trusted=trusted, most=1)))
    assert isinstance(cause, ssl.SSLCertVerificationError)
    assert peer.heads == []


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
