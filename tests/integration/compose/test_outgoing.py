"""Requests that the server makes for others reach nothing inside, however its address is written, and are bounded."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agentic_atlas.compose.oidc import sender
from agentic_atlas.compose.outgoing import OUTGOING_ANSWER, Outgoing, is_public
from agentic_atlas.errors import Unavailable
from tests.certificates import certificate

PUBLIC = ("8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1")
INSIDE = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%lo",
    "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::7f00:1", "2001:db8::1", "4000::1", "no address", "",
)  # fmt: skip


STRICT, NAMED = Outgoing(["id.example.org"]), Outgoing(["127.0.0.1"])


class Canary:
    """Listens on this machine and answers what it is told to.

    Attributes:
        heads: of the requests that came.
        answer: what each is answered, piece by piece.
        pause: seconds between two pieces.
    """

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.answer: Sequence[bytes] = (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",)
        self.pause = 0.0
        self.port = 0
        self.answering: set[asyncio.Task[None]] = set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self.answering.add(task)
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        gone = asyncio.ensure_future(reader.read())
        for piece in self.answer:
            if gone.done():
                break
            writer.write(piece)
            await asyncio.wait([gone], timeout=self.pause)
        gone.cancel()
        await asyncio.wait([gone])
        writer.close()


@asynccontextmanager
async def canary() -> AsyncIterator[Canary]:
    one = Canary()
    async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
        one.port = server.sockets[0].getsockname()[1]
        yield one
        if one.answering:
            await asyncio.wait(one.answering, timeout=5.0)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_one_in_every_form(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", INSIDE)
def test_no_other_address_is_public_in_any_form(address: str) -> None:
    assert not is_public(address)


HOSTS = (
    "127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "0",
    "[::]", "[::1]",
    "0.0.0.0", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "127.0.0.1.", "LOCALHOST", "\uff11\uff12\uff17.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
async def test_nothing_on_this_machine_is_asked_however_it_is_written(host: str) -> None:
    async with canary() as inside:
        for scheme in ("https", "http", "ftp", "gopher", "file"):
            for more in ("", "8.8.8.8@", "a:b@"):
                with pytest.raises(Unavailable) as refused:
                    await STRICT.ask(f"{scheme}://{more}{host}:{inside.port}/", {})
                assert refused.value.code == "outgoing_failed"
        assert inside.heads == []


@pytest.mark.parametrize("url", ["", "/etc/passwd", "//127.0.0.1", "https://", "https://[", "https://a\0b/", "https:x"])
async def test_what_is_no_address_is_not_asked(url: str) -> None:
    with pytest.raises(Unavailable):
        await STRICT.ask(url, {})


async def test_a_certificate_that_is_not_trusted_is_told_with_what_names_its_authority(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        with pytest.raises(Unavailable, match="with SSL_CERT_FILE"):
            await NAMED.ask(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {})


async def test_of_a_name_with_several_addresses_all_have_to_be_public() -> None:
    async with canary() as inside:

        async def two(host: str, port: int) -> Sequence[str]:
            return ["8.8.8.8", "127.0.0.1"]

        with pytest.raises(Unavailable, match="ATLAS_OUTGOING_HOSTS"):
            await Outgoing([], two).ask(f"https://evil.example:{inside.port}/", {})
        assert inside.heads == []


async def test_a_name_is_resolved_once_and_that_is_where_the_request_goes() -> None:
    asked: list[str] = []

    async def changing(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["192.0.2.1"]

    async with canary() as named:
        answer = await Outgoing(["id.corp.example"], changing).ask(
            f"http://id.corp.example:{named.port}/keys?a=1", {"accept": "application/json"}
        )
        assert answer == (200, b"hi")
        assert asked == ["id.corp.example"]
        (head,) = named.heads
        assert head.startswith("GET /keys?a=1 HTTP/1.1\r\n")
        assert f"host: id.corp.example:{named.port}\r\n" in head.lower()


async def test_no_redirect_is_followed() -> None:
    async with canary() as inside, canary() as named:
        named.answer = [f"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{inside.port}/\r\n\r\n".encode()]
        outgoing = Outgoing([f"http://127.0.0.1:{named.port}"])
        assert (await outgoing.ask(f"http://127.0.0.1:{named.port}/", {}, b"a=b")).status == 302
        with pytest.raises(Unavailable, match="answered 302"):
            await sender(outgoing)(f"http://127.0.0.1:{named.port}/", {}, None)
        assert inside.heads == []


async def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with canary() as proxy, canary() as named:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await NAMED.ask(f"http://127.0.0.1:{named.port}/", {})).body == b"hi"
        assert proxy.heads == []


async def test_an_answer_that_is_too_long_or_comes_too_slowly_is_none() -> None:
    async with canary() as named:
        named.answer = [b"HTTP/1.1 200 OK\r\n\r\n", b"x" * (OUTGOING_ANSWER + 1)]
        with pytest.raises(Unavailable, match="too much"):
            await NAMED.ask(f"http://127.0.0.1:{named.port}/", {})
        named.answer = [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\n", b"abc"]
        assert (await NAMED.ask(f"http://127.0.0.1:{named.port}/", {})).body == b"abc"
        named.answer, named.pause = [b"HTTP/1.1 200 OK\r\n\r\n", *[b"x"] * 1_000], 0.02
        with pytest.raises(Unavailable, match="TimeoutError"):
            await Outgoing(["127.0.0.1"], within=0.3).ask(f"http://127.0.0.1:{named.port}/", {})
