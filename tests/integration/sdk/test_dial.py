"""Sockets that fail while a connection is being opened: none is left open, and none is closed twice."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
import time

import pytest

from agentic_atlas.sdk import dial
from agentic_atlas.sdk.loops import loop_factory
from agentic_atlas.sdk.refusals import Unreachable
from tests.integration.sdk.dialogues import PATIENCE, TOKEN


class Nobody:
    """A receiver that nothing comes to."""

    def received(self, data: bytes) -> None:
        raise AssertionError(data)

    def writable(self) -> None:
        raise AssertionError


def test_a_connection_that_is_reset_before_its_handshake_gives_the_number_of_its_socket_back_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The loop closes such a socket and leaves its number with the object, which would close it again: by then it is
    # the number of another connection, or of a file of the agent's.
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
