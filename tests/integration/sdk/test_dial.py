"""Sockets that fail while a connection is being opened: none is left open, and none is closed twice."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import socket
import struct
import time

import pytest

from agentic_atlas.sdk.link import dial
from agentic_atlas.sdk.link.refusals import Unreachable
from agentic_atlas.sdk.loops import loop_factory
from tests.integration.sdk.dialogues import PATIENCE, TOKEN


class Nobody:
    """A receiver that nothing comes to."""

    def received(self, data: bytes) -> None:
        raise AssertionError(data)

    def writable(self) -> None:
        raise AssertionError


def test_a_connection_that_is_reset_before_its_handshake_leaves_no_socket_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect, made = dial._open_socket, []

    async def reset_at_once(host: str, port: int, *more: object) -> socket.socket:
        made.append(await connect(host, port, *more))
        peer, _ = listening.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        arrived = select.poll()
        arrived.register(made[-1], select.POLLHUP)
        assert arrived.poll(PATIENCE * 1000)
        return made[-1]

    async def connected(port: int) -> None:
        dialer = dial.Dialer(
            f"ws://127.0.0.1:{port}/ws", clock=time.monotonic, timeout=PATIENCE, close_timeout=1.0, tls=None
        )
        with pytest.raises(Unreachable):
            await dialer.connect(TOKEN, Nobody())
        assert [opened.fileno() for opened in made] == [-1]

    monkeypatch.setattr(dial, "_open_socket", reset_at_once)
    with socket.create_server(("127.0.0.1", 0)) as listening, asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(connected(listening.getsockname()[1]))


def test_a_socket_that_was_closed_underneath_does_not_close_what_has_its_number_now() -> None:
    # As uvloop does with a socket of a connection that fails: the object is left with a number that is not its own.
    opened = socket.socket()
    inode, number = os.fstat(opened.fileno()).st_ino, opened.fileno()
    os.close(number)
    reader, writer = os.pipe()
    assert number in (reader, writer)
    dial._give_up([dial._Opened(opened, inode)])
    del opened
    gc.collect()
    os.write(writer, b"still open")
    assert os.read(reader, 100) == b"still open"
    os.close(reader)
    os.close(writer)
