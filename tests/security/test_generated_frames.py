"""Fifty thousand frames that a generator makes: each connection ends with a code, and nobody else notices."""

from __future__ import annotations

import random
from collections import Counter

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.messages import Accept, Beat, Hello, InstanceInfo, Outcome, Raw, Result
from tests.integration.router.doors import (
    BINARY,
    CALM,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    door,
    frame,
    unaffected,
    upgraded,
)

CONNECTIONS, FRAMES = 500, 100
CODES = {1000, 1001, 1002, 1003, 1006, 1007, 1008, 1009, 4107}
"""What a connection may end with here; 1006 stands for a cut."""

RESULT = codec.encode(Result("nobodys", 1, Outcome.COMPLETED, Raw(b"1")))
HARMLESS = (
    frame(TEXT, codec.encode(Accept("nobodys", 1))),
    frame(TEXT, RESULT),
    frame(TEXT, RESULT[:9], fin=False) + frame(CONTINUATION, RESULT[9:]),
)
"""What an agent may say, though some of it makes no sense."""
TEXTS = (
    b"",
    b"null",
    b"[]",
    b'{"type":"no such"}',
    b'{"type":"result"}',
    b'{"type":"result","type":"beat"}',
    b"[" * 10_000,
    b'{"type":"beat","running":[],"lag":NaN}',
    b'{"type":"beat","running":[],"lag":1e999}',
    b'{"type":"event","task":"\\ud800","attempt":1,"n":1,"kind":"log","data":{}}',
    b'{"type":"event","task":"t","attempt":99999999999999999999999,"n":1,"kind":"log","data":{}}',
    b"\xff\xfe",
    b'{"type":"beat"',
)


def odd(chance: random.Random) -> bytes:
    """Return a frame that no agent of ours sends, often not even a frame."""
    kind = chance.randrange(6)
    if kind == 0:
        return frame(TEXT, chance.choice(TEXTS))
    if kind == 1:
        return frame(chance.randrange(16), chance.randbytes(chance.randrange(200)), fin=chance.random() < 0.7)
    if kind == 2:
        return frame(TEXT, chance.choice(TEXTS), rsv=chance.randrange(8), mask=chance.random() < 0.5)
    if kind == 3:
        return frame(CLOSE, chance.randbytes(chance.randrange(126)))
    if kind == 4:
        return frame(BINARY, chance.randbytes(20))
    return chance.randbytes(chance.randrange(1, 40))


def made(chance: random.Random) -> bytes:
    """Return what one connection sends; of some it is all right, but for what it is about."""
    oddness = chance.choice((0.0, 0.02, 0.1, 1.0))
    frames = [odd(chance) if chance.random() < oddness else chance.choice(HARMLESS) for _ in range(FRAMES)]
    signs = [frame(TEXT, codec.encode(Beat(1))), frame(PING), frame(PING, b"are you there?"), frame(PONG)]
    return b"".join([*signs, *frames, frame(CLOSE, b"\x03\xe8")])


async def test_whatever_frames_come_each_connection_ends_with_a_code_and_no_fault_is_logged() -> None:
    chance, ends = random.Random(20_261_130), Counter[int]()
    async with door(CALM) as at, unaffected(at):
        for number in range(CONNECTIONS):
            async with upgraded(at.port, f"agt{number}/tok{number}") as peer:
                if number % 2:
                    await peer.send(frame(TEXT, codec.encode(Hello(1, InstanceInfo(f"inst{number}"), []))))
                    assert (await peer.read())[0] == TEXT, "a welcome"
                await peer.send(made(chance))
                try:
                    ends[(await peer.end())[0]] += 1
                except (EOFError, ConnectionError):
                    ends[1006] += 1
        assert not [line for line in at.log.lines if "Traceback" in str(line) or "exc_info" in line[2]]
    print(f"{CONNECTIONS * FRAMES} frames on {CONNECTIONS} connections ended with {dict(ends)}")
    assert ends.keys() <= CODES
    assert ends[1000] > 50, "some are to be of good will"
    assert ends.total() == CONNECTIONS
