"""Sockets that fail while a connection is being opened: none is left open, and none is closed twice."""

from __future__ import annotations

import gc
import os
import select
import socket
import struct
import time

import pytest

from agentic_atlas.protocol.messages import Limits
from agentic_atlas.sdk.loops import loop_factory
from agentic_atlas.transport import client
from agentic_atlas.transport.addresses import reached
from agentic_atlas.transport.receiver import Receiver, Terms
from agentic_atlas.transport.websocket import WebSocket

PATIENCE = 10.0


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"loop_factory": loop_factory()})], ids=["ours"])
async def test_a_connection_that_is_reset_before_its_handshake_leaves_no_socket_open() -> None:
    made: list[socket.socket] = []

    async def reset_at_once(host: str, port: int) -> socket.socket:
        made.append(await reached(host, port))
        peer, _ = listening.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        arrived = select.poll()
        arrived.register(made[-1], select.POLLHUP)
        assert arrived.poll(PATIENCE * 1000)
        return made[-1]

    with socket.create_server(("127.0.0.1", 0)) as listening:
        websocket = WebSocket(lambda _: Receiver(), Terms(Limits(), 1.0, 1.0), time.monotonic)
        url = f"ws://127.0.0.1:{listening.getsockname()[1]}/ws"
        with pytest.raises(OSError):
            await client.dial(
                url, websocket, subprotocol="any", headers={}, within=PATIENCE, tls=None, reach=reset_at_once
            )
        assert [opened.fileno() for opened in made] == [-1]


def test_a_socket_that_was_closed_underneath_does_not_close_what_has_its_number_now() -> None:
    # As uvloop does with a socket of a connection that fails: the object is left with a number that is not its own.
    opened = socket.socket()
    inode, number = os.fstat(opened.fileno()).st_ino, opened.fileno()
    os.close(number)
    reader, writer = os.pipe()
    assert number in (reader, writer)
    client._give_up({opened: inode})
    del opened
    gc.collect()
    os.write(writer, b"still open")
    assert os.read(reader, 100) == b"still open"
    os.close(reader)
    os.close(writer)
