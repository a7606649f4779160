"""A network that works, at whose door for agents everything comes that an attacker can send: nobody else notices.

The table is that of `tests/integration/router/test_hostile_peers.py`, which has the router alone and shows floods,
silence, half handshakes and memory as well; here it goes to all of a network, with true tokens, while its agents work.
Frames that a generator makes are in `test_generated_frames.py`, forged tokens in `test_jwt_attacks.py`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from structlog.testing import LogCapture

from agentic_atlas.backend.usecases import machine
from agentic_atlas.compose.network import network
from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.settings import Settings
from tests.debug_log import debug_log
from tests.integration.router.doors import PATIENCE, SUBPROTOCOL, TEXT, frame, raw, request, upgraded
from tests.integration.router.test_hostile_peers import BROKEN_FRAMES, BROKEN_MESSAGES, HELLO
from tests.security.revocations import Crowd, crowd

CALM = RouterSettings(beat_every=24.0)
"""Agents of these tests send no beats."""
WORKERS = 6
BOMB = zlib.compress(b"x" * 64 * 1024 * 1024, 9)

MORE_FRAMES = {
    "a bomb, compressed as nobody agreed": (frame(TEXT, BOMB, rsv=4), 1002),
    "bytes that are no frame": (b"GET / HTTP/1.1\r\n\r\n", 1002),
}
MORE_MESSAGES = {
    "a name twice": (b'{"type":"hello","type":"beat","n":1}', 4107),
    "half a surrogate": (HELLO.replace(b'"inst"', b'"\\ud800"'), 4107),
    "a number beyond all": (b'{"type":"beat","n":1e999}', 4107),
    "a null byte": (HELLO.replace(b'"inst"', b'"a\\u0000b"'), 4107),
    "a text that is a message": (b'"{\\"type\\":\\"hello\\"}"', 4107),
    "two messages in one": (HELLO + HELLO, 4107),
}
ATTACKS: dict[str, tuple[bytes, int]] = {
    **BROKEN_FRAMES,
    **MORE_FRAMES,
    **{name: (frame(TEXT, data), code) for name, (data, code, _) in BROKEN_MESSAGES.items()},
    **{name: (frame(TEXT, data), code) for name, (data, code) in MORE_MESSAGES.items()},
}
"""What is sent behind a handshake, and the code that the connection ends with."""


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Crowd]:
    """Have a network whose agents work all the while; at the end none has noticed anything, and no fault was logged."""
    said = LogCapture()
    log = debug_log(said)
    settings = Settings(data_dir=folder, http_port=0, router_port=0, drain=0.0, router=CALM)
    async with network(settings, log) as one:
        key = await machine.bootstrap(one.engine, "ada") or ""
        async with crowd(one.addresses.api_url, one.addresses.router_url, key, WORKERS) as all_of:
            async with all_of.at_work(all_of.members):
                yield all_of
            assert all(member.connected for member in all_of.members)
            for member in all_of.members:
                await all_of.echoed(member)
    assert not [entry for entry in said.entries if entry["log_level"] == "error" or "exc_info" in entry]


async def token(all_of: Crowd, name: str = "hostile") -> str:
    return (await all_of.atlas.tokens.create(name)).token


async def test_each_abuse_ends_with_its_code_and_all_others_work_on(tmp_path: Path) -> None:
    async with working(tmp_path) as all_of:
        await all_of.atlas.agents.create("hostile")
        ended = {}
        for name, (sent, _) in ATTACKS.items():
            # Each with a token of its own: one that broke the protocol waits before it comes back.
            async with upgraded(all_of.port, await token(all_of)) as peer:
                await peer.send(sent)
                ended[name] = (await peer.end())[0]
        assert ended == {name: code for name, (_, code) in ATTACKS.items()}
        assert (await all_of.atlas.agents.get("hostile")).status == "offline"
        assert all_of.called > 0


async def test_who_breaks_the_protocol_after_the_greeting_is_told_so_and_is_gone(tmp_path: Path) -> None:
    async with working(tmp_path) as all_of:
        await all_of.atlas.agents.create("hostile")
        for sent, code in (
            (HELLO, "out_of_order"),
            (b'{"type":"result_ack","task":"t","attempt":1}', "wrong_sender"),
            (b"[" * 10_000, "too_deep"),
        ):
            async with upgraded(all_of.port, await token(all_of)) as peer:
                await peer.frame(TEXT, HELLO.replace(b'"inst"', f'"inst_{code}"'.encode()))
                assert (await peer.read())[0] == TEXT, "a welcome"
                await peer.frame(TEXT, sent)
                told = await peer.end()
                assert (told[0], decode_reason(told[1]).code) == (4107, code)


BEARER = "Authorization: Bearer {token}"
SPOKEN = f"Sec-WebSocket-Protocol: {SUBPROTOCOL}"
HANDSHAKES: dict[str, tuple[list[str], int]] = {
    "no token": ([SPOKEN], 401),
    "a session's cookie from a page": ([SPOKEN, "Cookie: atlas_session=atlas_ses_x", "Origin: http://localhost"], 401),
    "a token as a subprotocol": (["Sec-WebSocket-Protocol: atlas.v1, {token}"], 401),
    "compression that is offered": ([SPOKEN, BEARER, "Sec-WebSocket-Extensions: permessage-deflate"], 101),
    "a page with a token": ([SPOKEN, BEARER, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site"], 403),
    "no subprotocol": ([BEARER], 400),
    "another subprotocol": (["Sec-WebSocket-Protocol: chat", BEARER], 400),
}
"""Lines of a handshake, and the status that it is answered with before anything is upgraded."""


async def test_each_handshake_is_answered_with_its_status_before_anything_is_upgraded(tmp_path: Path) -> None:
    async with working(tmp_path) as all_of:
        await all_of.atlas.agents.create("hostile")
        got = {}
        for name, (lines, _) in HANDSHAKES.items():
            shown = await token(all_of)
            sent = request("", "/ws", *(line.replace("{token}", shown) for line in lines))
            async with raw(all_of.port) as peer, asyncio.timeout(PATIENCE):
                await peer.send(sent)
                head = (await peer.reader.readuntil(b"\r\n\r\n")).lower()
            assert b"sec-websocket-extensions" not in head
            got[name] = int(head.split()[1])
        assert got == {name: status for name, (_, status) in HANDSHAKES.items()}
