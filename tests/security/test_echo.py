"""The echo for conformance suites says what it hears, to a client that names no subprotocol."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.security.echo import echoing


async def test_it_says_what_it_hears_in_pieces_too_and_takes_text_alone() -> None:
    listener = await echoing(0)
    try:
        async with connect(f"ws://127.0.0.1:{listener.port}", compression=None, proxy=None) as peer:
            assert peer.subprotocol is None
            for said in ("", "hello", "κόσμε", "x" * 100_000):
                await peer.send(said)
                assert await peer.recv() == said
            await peer.send(["in ", "two", " pieces"])
            assert await peer.recv() == "in two pieces"
            await (await peer.ping(b"there?"))
            await peer.send(b"binary")
            with pytest.raises(ConnectionClosed) as closed:
                await peer.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1003
    finally:
        await listener.close()
