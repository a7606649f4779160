"""The HTTP server on a real socket, against peers that send requests in odd pieces."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog

from agentic_atlas.backend.domain.records import ApiKey, Role, User
from agentic_atlas.backend.rights import Principal
from agentic_atlas.compose import deadline, http
from agentic_atlas.compose.unsent import Unsent
from agentic_atlas.http.messages import Request, Response
from agentic_atlas.transport.crowd import Crowd
from tests.certificates import speaking_tls
from tests.debug_log import debug_log

PATIENCE = 20.0
LONG = 16 * 1024 * 1024
CROWD = Crowd(10_000, structlog.get_logger(), time.monotonic)
Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


LOG = debug_log()
KNOWN = Principal(User("usr_known", "ada", Role.MEMBER, 0.0), ApiKey("key_1", "usr_known", "", b"", 0.0), ())


async def count(request: Request) -> Response:
    """Answer with the number of bytes of the body."""
    size = 0
    while piece := await request.body.read():
        size += len(piece)
    return Response(body=str(size).encode())


@asynccontextmanager
async def served() -> AsyncIterator[Callable[[], Awaitable[Peer]]]:
    async with server() as (connect, _):
        yield connect


@asynccontextmanager
async def server(drain: float = 1.0) -> AsyncIterator[tuple[Callable[[], Awaitable[Peer]], asyncio.Event]]:
    """Run a server until the end of the block, or until the event that comes with it is set."""
    listener = http.listen("127.0.0.1", 0, "PORT")
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(http.until(stop, http.HttpServer(count, listener, drain=drain, crowd=CROWD, log=LOG)))
        try:
            yield lambda: asyncio.open_connection("127.0.0.1", port), stop
        finally:
            stop.set()


async def test_a_peer_that_takes_nothing_of_its_answer_is_cut_and_one_that_reads_on_is_not() -> None:
    async def long(_request: Request) -> Response:
        return Response(body=b"x" * LONG)

    listener = http.listen("127.0.0.1", 0, "PORT")
    port = listener.getsockname()[1]
    stop, unsent = asyncio.Event(), Unsent(within=1.0)
    server = http.HttpServer(long, listener, drain=1, crowd=CROWD, log=LOG, unsent=unsent)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(http.until(stop, server))
        deaf = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        reads = await asyncio.open_connection("127.0.0.1", port)
        for _, writer in (deaf, reads):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while unsent.behind < 2:  # noqa: ASYNC110 - nothing else tells that both are behind
            await asyncio.sleep(0.01)
        read = 0
        while data := await reads[0].read(LONG // 20):
            read += len(data)
            await asyncio.sleep(0.1 if unsent.behind else 0.0)
        assert read > LONG
        with suppress(ConnectionError):
            assert len(await deaf[0].read()) < LONG
        for _, writer in (deaf, reads):
            writer.close()
        stop.set()


def post(body: bytes) -> bytes:
    return b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head.split(b" ", 2)[1] + b" " + await reader.readexactly(length)


async def test_a_long_body_may_come_together_with_its_head_and_requests_one_after_the_other() -> None:
    async with served() as connect:
        reader, writer = await connect()
        writer.write(post(b"x" * 300_000) + post(b"y" * 5) * 3)
        assert [await answer(reader) for _ in range(4)] == [b"200 300000", b"200 5", b"200 5", b"200 5"]
        writer.close()


async def test_an_answer_says_the_second_in_which_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as connect:
        reader, writer = await connect()
        for now, told in ((784_111_777.9, b"Sun, 06 Nov 1994 08:49:37 GMT"), (784_111_778.1, b"08:49:38 GMT")):
            monkeypatch.setattr(http, "wall", lambda now=now: now)
            writer.write(post(b""))
            assert told + b"\r\n" in await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1)
        writer.close()


async def test_over_tls_a_handshake_that_is_never_finished_is_cut_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_WITHIN", 1.0)
    pem, tls = speaking_tls(tmp_path)
    listener = http.listen("127.0.0.1", 0, "PORT")
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    server = http.HttpServer(count, listener, drain=1.0, crowd=CROWD, log=LOG, tls=tls)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(http.until(stop, server))
        half = await asyncio.open_connection("127.0.0.1", port)
        half[1].write(b"\x16\x03\x01")
        trusting = ssl.create_default_context(cafile=pem)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        writer.write(post(b"x" * 5))
        assert await answer(reader) == b"200 5"
        assert await half[0].read() == b""
        for one in (half[1], writer):
            one.close()
            await one.wait_closed()
        stop.set()


UPGRADES = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
)


@pytest.mark.parametrize("upgrade", UPGRADES)
@pytest.mark.parametrize("together", [True, False])
async def test_who_asks_for_another_protocol_is_answered_in_this_one_and_may_go_on(
    upgrade: bytes, *, together: bool
) -> None:
    async with served() as connect:
        reader, writer = await connect()
        asking = post(b"x" * 100_000).replace(b"Content-Length", upgrade + b"Content-Length")
        chunked = (
            b"POST / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"Transfer-Encoding: chunked\r\n\r\n3\r\nxxx\r\n0\r\n\r\n"
        )
        bodiless = b"GET / HTTP/1.1\r\nHost: a\r\n" + upgrade + b"\r\n"
        sent, answers = [asking, chunked, bodiless, post(b"y" * 5)], [b"200 100000", b"200 3", b"200 0", b"200 5"]
        if together:
            writer.write(b"".join(sent))
            assert [await answer(reader) for _ in sent] == answers
        else:
            for request, expected in zip(sent, answers, strict=True):
                head, _, body = request.partition(b"\r\n\r\n")
                writer.write(head + b"\r\n\r\n")
                await asyncio.sleep(0)
                writer.write(body)
                assert await answer(reader) == expected
        writer.close()


async def test_a_head_without_end_is_refused() -> None:
    async with served() as connect:
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(3):
            writer.write(b"A: " + b"a" * 40_000 + b"\r\n")
            await asyncio.sleep(0)
        assert (await answer(reader)).startswith(b"431")
        writer.close()


async def test_trailers_without_end_are_cut() -> None:
    async with served() as connect:
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


async def test_a_connection_too_many_is_told_so_and_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 1)

    async with served() as connect:
        reader, writer = await connect()
        writer.write(post(b"first"))
        assert await answer(reader) == b"200 5"
        late_reader, late_writer = await connect()
        late_writer.write(post(b"second"))
        refusal = (await late_reader.read()).lower()
        assert refusal.startswith(b"http/1.1 503")
        assert b"retry-after: " in refusal
        assert b'"too_many_connections"' in refusal
        late_writer.close()
        await late_writer.wait_closed()
        writer.write(post(b"third"))
        assert await answer(reader) == b"200 5"
        writer.close()


async def test_a_request_that_has_begun_when_the_server_stops_is_told_so_and_when_to_come_back() -> None:
    async with server() as (connect, stop):
        (reader, writer), (other, silent) = await connect(), await connect()
        writer.write(post(b"before"))
        assert await answer(reader) == b"200 6"
        writer.write(post(b"after")[:20])
        stop.set()
        assert await other.read() == b"", "nothing was asked there, and nothing will be"
        writer.write(post(b"after")[20:])
        refusal = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert refusal.startswith(b"http/1.1 503")
        assert b"retry-after: 2" in refusal
        assert b"connection: close" in refusal
        assert b'"server_stopping"' in await reader.read()
        with pytest.raises(OSError, match=r"refused|failed"):
            await connect()
        writer.close()
        silent.close()


async def test_what_is_being_answered_when_the_server_stops_is_answered() -> None:
    async with server() as (connect, stop):
        reader, writer = await connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert b" 100 " in await reader.readuntil(b"\r\n\r\n"), "the application has begun to read"
        idle, silent = await connect()
        stop.set()
        assert await idle.read() == b""
        writer.write(b"whole")
        assert await answer(reader) == b"200 5"
        assert await reader.read() == b""
        writer.close()
        silent.close()


@pytest.mark.parametrize("sent", [7, len(post(b"half")) - 2])
async def test_who_has_sent_half_a_request_when_the_time_of_a_stop_is_over_is_told_so(sent: int) -> None:
    async with server(drain=0.1) as (connect, stop):
        reader, writer = await connect()
        writer.write(post(b"before"))
        assert await answer(reader) == b"200 6"
        writer.write(post(b"half")[:sent])
        (other, late) = await connect()
        late.write(post(b"whole"))
        assert await answer(other) == b"200 5"
        stop.set()
        refusal = (await reader.read()).lower()
        assert refusal.startswith(b"http/1.1 503")
        assert b"retry-after: 2" in refusal
        assert b"connection: close" in refusal
        assert b'"server_stopping"' in refusal
        writer.close()
        late.close()


class Waiting:
    """Answers `/` at once with what its body was, and what is under `/held` when the test says so.

    Whoever asks has shown who they are by that, but for `/unknown`.
    """

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.ended = asyncio.Event()
        self.done = 0

    async def __call__(self, request: Request) -> Response:
        if request.path != "/unknown":
            request.introduce(KNOWN)
        if request.path == "/held":
            self.begun.set()
            try:
                await self.go.wait()
                self.done += 1
            finally:
                self.ended.set()
        if request.path == "/unread":
            return Response(204)
        return Response(body=b"x" * LONG) if request.path == "/long" else await count(request)


@asynccontextmanager
async def waiting() -> AsyncIterator[tuple[Waiting, http.HttpServer, Callable[[], Awaitable[Peer]]]]:
    handler, listener, stop = Waiting(), http.listen("127.0.0.1", 0, "PORT"), asyncio.Event()
    port = listener.getsockname()[1]
    server = http.HttpServer(handler, listener, drain=1, crowd=CROWD, log=LOG)
    peers: list[Peer] = []

    async def connect() -> Peer:
        peers.append(await asyncio.open_connection("127.0.0.1", port))
        return peers[-1]

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(http.until(stop, server))
        try:
            yield handler, server, connect
        finally:
            handler.go.set()
            stop.set()
            for _, writer in peers:
                # One that is left half closed is complained of when its turn comes after the test.
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()


def get(path: str = "/") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


BAD = b"no request\r\n\r\n"


async def test_of_requests_that_come_together_few_wait_however_many_are_sent_and_read() -> None:
    async with waiting() as (handler, server, connect):
        reader, writer = await connect()
        writer.write(get("/held"))
        await handler.begun.wait()
        (one,) = server.connections
        sending = asyncio.create_task(sent(writer, get() * 40_000))
        most = 0

        async def other() -> None:
            nonlocal most
            other_reader, other_writer = await connect()
            while not sending.done():
                other_writer.write(get())
                assert await answer(other_reader) == b"200 0"
                most = max(most, len(one._asked) * len(get()) + len(one._unread))
            other_writer.close()

        watching = asyncio.create_task(other())
        handler.go.set()
        for _ in range(40_001):
            assert await answer(reader) == b"200 0"
        await sending
        await watching
        assert most < 512 * 1024
        writer.close()


async def sent(writer: asyncio.StreamWriter, data: bytes) -> None:
    for at in range(0, len(data), 100_000):
        writer.write(data[at : at + 100_000])
        await writer.drain()


async def test_others_have_their_turn_between_requests_that_come_together() -> None:
    async with waiting() as (handler, _, connect):
        reader, writer = await connect()
        (other, asking) = await connect()
        writer.write(get() * 1_000 + get("/held") + get())
        asking.write(get())
        assert await answer(other) == b"200 0"
        assert not handler.begun.is_set(), "a thousand were answered before"
        handler.go.set()
        assert [await answer(reader) for _ in range(1_002)] == [b"200 0"] * 1_002
        writer.close()
        asking.close()


async def test_strangers_that_ask_on_and_on_have_one_turn_after_the_other_and_nobody_else_waits_for_them() -> None:
    async with waiting() as (_, _, connect):
        strangers = [await connect() for _ in range(2)]
        known, asking = await connect()
        began = asyncio.get_running_loop().time()
        for _, writer in strangers:
            writer.write(get("/unknown") * 51)
        answering = [asyncio.create_task(answers_of(reader, 51)) for reader, _ in strangers]
        for _ in range(20):
            asking.write(get())
            assert await answer(known) == b"200 0"
        assert not any(one.done() for one in answering), "a hundred of theirs were answered before"
        for one in answering:
            await one
        assert asyncio.get_running_loop().time() - began >= 0.09, "a millisecond each, but for the first of both"
        for writer in (asking, *(writer for _, writer in strangers)):
            writer.close()


async def answers_of(reader: asyncio.StreamReader, count: int) -> None:
    assert [await answer(reader) for _ in range(count)] == [b"200 0"] * count


async def test_what_was_asked_before_bytes_that_are_no_request_is_answered_first() -> None:
    async with waiting() as (handler, _, connect):
        reader, writer = await connect()
        writer.write(get() + get() + BAD)
        assert [(await answer(reader))[:3] for _ in range(3)] == [b"200", b"200", b"400"]
        assert await reader.read() == b""
        writer.close()
        reader, writer = await connect()
        writer.write(post(b"whole").replace(b"/", b"/held", 1))
        await handler.begun.wait()
        writer.write(BAD)
        handler.go.set()
        assert await answer(reader) == b"200 5"
        assert (await answer(reader))[:3] == b"400"
        writer.close()


async def test_who_sends_no_more_is_answered_what_was_asked() -> None:
    async with waiting() as (handler, _, connect):
        reader, writer = await connect()
        writer.write(get("/held") + get())
        writer.write_eof()
        await handler.begun.wait()
        handler.go.set()
        assert [await answer(reader), await answer(reader), await reader.read()] == [b"200 0", b"200 0", b""]
        writer.close()
        for unfinished in (post(b"whole")[:-1], get()[:-2]):
            reader, writer = await connect()
            writer.write(unfinished)
            writer.write_eof()
            assert (await answer(reader))[:3] == b"400"
            assert await reader.read() == b""
            writer.close()


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_a_peer_that_is_gone_is_waited_for_by_nothing_but_what_may_change_something(method: bytes) -> None:
    async with waiting() as (handler, server, connect):
        _, writer = await connect()
        writer.write(get("/held").replace(b"GET", method))
        await handler.begun.wait()
        (one,) = server.connections
        assert server.open == 1
        one.transport.abort()
        if method == b"POST":
            handler.go.set()
        await handler.ended.wait()
        assert (server.open, handler.done) == (0, int(method == b"POST"))
        writer.close()


@pytest.mark.parametrize("refused", [BAD, post(b"whole")[:-1].replace(b"/", b"/unread", 1)])
async def test_after_the_last_answer_a_peer_that_does_not_go_is_cut(
    refused: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "HEAD_WITHIN", 0.2)
    monkeypatch.setattr(http, "SWEEP", 0.05)
    async with waiting() as (_, server, connect):
        reader, writer = await connect()
        writer.write(refused)
        assert b"connection: close" in await reader.read()
        while server.connections:  # noqa: ASYNC110 - nothing else tells that it is gone
            await asyncio.sleep(0)
        writer.close()


async def test_half_a_head_behind_a_request_is_due_as_soon_as_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_WITHIN", 0.2)
    monkeypatch.setattr(http, "SWEEP", 0.05)
    async with waiting() as (_, _, connect):
        reader, writer = await connect()
        writer.write(get() + get()[:-4])
        assert await answer(reader) == b"200 0"
        assert await reader.read() == b""
        writer.close()


async def test_a_body_that_comes_too_slowly_is_cut_off_and_one_that_comes_fast_enough_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "BODY_BEGINS", 0.2)
    monkeypatch.setattr(deadline, "SLOWEST_BODY", 1_000)
    monkeypatch.setattr(http, "SWEEP", 0.02)
    async with waiting() as (_, _, connect):
        (reader, writer), (slow, other) = await connect(), await connect()
        writer.write(post(b"x" * 20_000)[:-10_000])
        other.write(post(b"x" * 20_000)[:-19_990])
        ended = asyncio.ensure_future(slow.read())
        while not ended.done():
            other.write(b"x")
            await asyncio.wait([ended], timeout=0.02)
        assert isinstance(ended.exception(), ConnectionResetError) or ended.result() == b""
        writer.write(b"x" * 10_000)
        assert await answer(reader) == b"200 20000"
        writer.close()
        other.close()


async def test_who_sends_a_body_that_is_not_read_gets_the_answer_all_the_same() -> None:
    async with waiting() as (_, _, connect):
        for chunks in (b"1\r\nx\r\n" * 300_000, b"%x\r\n%b\r\n" % (LONG - 2_000_000, b"x" * (LONG - 2_000_000))):
            reader, writer = await connect()
            writer.write(
                get("/unread").replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n")
            )
            await sent(writer, chunks)
            refusal = await reader.read()
            assert refusal.startswith(b"HTTP/1.1 204 ")
            assert b"connection: close" in refusal
            writer.close()


async def test_of_a_strangers_body_no_more_is_read_than_came_with_its_head_until_somebody_asks_for_it() -> None:
    asked: list[Request] = []

    async def refuse(request: Request) -> Response:
        asked.append(request)
        return Response(401)

    listener = http.listen("127.0.0.1", 0, "PORT")
    port = listener.getsockname()[1]
    stop = asyncio.Event()
    chunks = b"1\r\nx\r\n"
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(http.until(stop, http.HttpServer(refuse, listener, drain=1, crowd=CROWD, log=LOG)))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks * 10_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 401 ")
        writer.close()
        stop.set()
    assert asked[0].body.waiting <= http._AT_ONCE / len(chunks)


async def test_who_reads_a_long_last_answer_has_more_time_than_who_does_not_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "HEAD_WITHIN", 0.5)
    monkeypatch.setattr(http, "SWEEP", 0.02)
    async with waiting() as (_, server, connect):
        (reader, writer), (refused, other) = await connect(), await connect()
        writer.write(post(b"whole")[:-1].replace(b"/", b"/long", 1))
        assert b"connection: close" in await reader.readuntil(b"\r\n\r\n")
        other.write(BAD)
        assert b"connection: close" in await refused.read()
        while len(server.connections) > 1:  # noqa: ASYNC110 - nothing else tells that it is gone
            await asyncio.sleep(0)
        assert len(await reader.read()) == LONG
        writer.close()
        other.close()
