"""Whatever a peer sends: it is told, it is cut, memory stays flat, and nobody else notices."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import msgspec
import psutil
import pytest

from agentic_atlas.protocol import codec
from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.protocol.inside.messages import Readmit, ShutOut
from agentic_atlas.protocol.messages import Hello, InstanceInfo, Limits
from agentic_atlas.router.settings import RouterSettings
from tests.integration.router.doors import (
    BINARY,
    CALM,
    CLOSE,
    CONTINUATION,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Door,
    Raw,
    agent,
    answered,
    door,
    frame,
    raw,
    request,
    unaffected,
    until,
    upgraded,
)

MEGABYTE = 1024 * 1024
HELLO = codec.encode(Hello(1, InstanceInfo("inst"), []))
RESULT = b'{"type":"result","task":"t","attempt":1,"outcome":"completed","output":1}'


def head(size: int, opcode: int = TEXT) -> bytes:
    """Return the head of a frame whose payload does not come."""
    return bytes([0x80 | opcode, 0x80 | 127]) + struct.pack("!Q", size) + bytes(4)


@asynccontextmanager
async def hostile(limits: Limits | None = None, settings: RouterSettings = CALM) -> AsyncIterator[tuple[Door, Raw]]:
    async with door(settings, limits) as at, unaffected(at), upgraded(at.port) as peer:
        yield at, peer


BROKEN_FRAMES = {
    "a reserved bit": (frame(TEXT, HELLO, rsv=4), 1002),
    "another reserved bit": (frame(TEXT, HELLO, rsv=1), 1002),
    "a reserved bit on a ping": (frame(PING, rsv=2), 1002),
    "no mask": (frame(TEXT, HELLO, mask=False), 1002),
    "an unknown opcode": (frame(3, HELLO), 1002),
    "an unknown control opcode": (frame(11), 1002),
    "a fragmented ping": (frame(PING, fin=False), 1002),
    "a ping that is too long": (frame(PING, b"x" * 126), 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "a message within a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002),
    "a binary frame": (frame(BINARY, HELLO), 1003),
    "a fragmented binary frame": (frame(BINARY, HELLO, fin=False), 1003),
    "a close of one byte": (frame(CLOSE, b"\x03"), 1002),
    "a close code that means nothing": (frame(CLOSE, struct.pack("!H", 999)), 1002),
    "a close code that stands for none": (frame(CLOSE, struct.pack("!H", 1005)), 1002),
    "a close code that stands for a cut": (frame(CLOSE, struct.pack("!H", 1006) + b"bye"), 1002),
    "a close code over all ranges": (frame(CLOSE, struct.pack("!H", 5000)), 1002),
    "a reserved bit on a close": (frame(CLOSE, struct.pack("!H", 1000), rsv=1), 1002),
    "a close reason that is not UTF-8": (frame(CLOSE, struct.pack("!H", 1000) + b"\xff"), 1007),
    "a length with the highest bit": (head(2**63 + 5), 1002),
    "a length in too many bytes": (head(5), 1002),
    "an enormous length": (head(2**62), 1009),
    "a length just over the limit": (head(4 * MEGABYTE + 1), 1009),
    "too many fragments": (frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 64, 1009),
}

BROKEN_MESSAGES = {
    "not UTF-8": (b'{"type":"\xff"}', 1007, "invalid_text"),
    "half a character": (b'{"type":"\xe2\x82', 1007, "invalid_text"),
    "not JSON": (b"hello", 4107, "invalid_json"),
    "nothing": (b"", 4107, "invalid_json"),
    "an array": (b"[1,2,3]", 4107, "invalid_message"),
    "null": (b"null", 4107, "invalid_message"),
    "not a number": (b'{"type":"beat","n":NaN}', 4107, "invalid_json"),
    "a huge number": (b'{"type":"beat","n":1%s}' % (b"0" * 1000), 4107, "invalid_message"),
    "deep arrays": (b"[" * 10_000, 4107, "too_deep"),
    "deep objects": (b'{"a":' * 10_000, 4107, "too_deep"),
    "a result before the greeting": (RESULT, 4107, "out_of_order"),
    "a message of the router's": (b'{"type":"result_ack","task":"t","attempt":1}', 4107, "wrong_sender"),
    "an unknown type": (b'{"type":"shutdown"}', 4107, "invalid_message"),
    "a bad identifier": (HELLO.replace(b'"inst"', b'"../../etc"'), 4107, "invalid_message"),
}


@pytest.mark.parametrize("name", BROKEN_FRAMES)
async def test_a_broken_frame_is_answered_with_the_code_of_the_standard(name: str) -> None:
    data, code = BROKEN_FRAMES[name]
    async with hostile() as (_, peer):
        await peer.send(data)
        assert (await peer.end())[0] == code


@pytest.mark.parametrize("name", BROKEN_MESSAGES)
async def test_a_broken_message_is_answered_with_its_code_and_reason(name: str) -> None:
    data, code, reason = BROKEN_MESSAGES[name]
    async with hostile() as (_, peer):
        await peer.frame(TEXT, data)
        told = await peer.end()
        assert (told[0], decode_reason(told[1]).code) == (code, reason)


async def test_two_greetings_are_one_too_many() -> None:
    async with hostile() as (at, peer):
        await peer.send(frame(TEXT, HELLO) * 2)
        assert (await peer.end())[0] == 4107
        await until(lambda: at.backend.credit.online("agt") == 0)


async def test_fragments_that_are_too_large_together_are_refused_before_they_are_kept() -> None:
    async with hostile(Limits(message_bytes=MEGABYTE // 2)) as (_, peer):
        part = b"x" * (MEGABYTE // 4)
        await peer.frame(TEXT, part, fin=False)
        for _ in range(3):
            await peer.frame(CONTINUATION, part, fin=False)
        assert (await peer.end())[0] == 1009


@pytest.mark.parametrize("whole", [True, False], ids=["in one frame", "in fragments"])
async def test_no_more_is_read_before_hello_than_one_may_have(whole: bool) -> None:
    async with hostile() as (at, peer):
        before = psutil.Process().memory_info().rss
        if whole:
            await peer.send(head(3 * MEGABYTE))
        for number in range(24):
            part = b"x" * (MEGABYTE // 8)
            await peer.send(part if whole else frame(CONTINUATION if number else TEXT, part, fin=False))
        code, reason = await peer.end()
        assert (code, decode_reason(reason).code) == (4108, "hello_too_big")
        assert psutil.Process().memory_info().rss - before < 8 * MEGABYTE
        assert at.backend.credit.online("agt") == 0


async def test_after_hello_messages_may_have_their_full_length() -> None:
    async with hostile() as (at, peer):
        await peer.frame(TEXT, HELLO)
        await until(lambda: at.backend.credit.online("agt"))
        task = at.backend.submit("agt")
        output = b"x" * (2 * MEGABYTE)
        await peer.frame(
            TEXT,
            b'{"type":"result","task":"%s","attempt":1,"outcome":"completed","output":"%s"}'
            % (task.id.encode(), output),
        )
        assert len(bytes((await task.ended).output)) == len(output) + 2


async def test_a_token_has_four_connections_that_have_not_said_hello_and_the_fifth_is_told_when_to_come_back() -> None:
    async with door() as at, AsyncExitStack() as open_ones:
        silent = [await open_ones.enter_async_context(upgraded(at.port)) for _ in range(4)]
        status, headers, _ = await answered(at.port, request())
        assert (status, headers["atlas-error"]) == (429, "too_many_silent")
        assert int(headers["retry-after"]) >= 1
        async with upgraded(at.port, "agt/another"):
            pass
        await silent[0].frame(TEXT, HELLO)
        await until(lambda: at.backend.credit.online("agt"))
        async with upgraded(at.port):
            pass


async def test_a_token_whose_connection_broke_the_protocol_waits_before_it_comes_back() -> None:
    async with door() as at, unaffected(at):
        async with upgraded(at.port) as peer:
            await peer.frame(TEXT, b"[]")
            code, reason = await peer.end()
            assert (code, decode_reason(reason).retry_after) == (4107, 1.0)
        status, headers, _ = await answered(at.port, request())
        assert (status, headers["atlas-error"], headers["retry-after"]) == (429, "paused", "1")
        async with upgraded(at.port, "agt/another"):
            pass


async def test_a_frame_that_is_broken_costs_its_token_a_pause_as_well() -> None:
    async with door() as at:
        async with upgraded(at.port) as peer:
            await peer.send(frame(3, HELLO))
            assert (await peer.end())[0] == 1002
        assert (await answered(at.port, request()))[0] == 429


async def test_a_revoked_token_is_refused_at_the_handshake_and_nothing_of_it_is_read() -> None:
    async with door() as at, agent(at.port) as one:
        at.backend.revoke("tok")
        await one.end()
        status, headers, _ = await answered(at.port, request())
        assert (status, headers["atlas-error"]) == (401, "token_revoked")


async def test_a_disabled_agent_is_refused_at_the_handshake_until_it_is_enabled_again() -> None:
    async with door() as at, agent(at.port) as one:
        at.router.say(ShutOut("agt", "agent_disabled"))
        await one.end()
        status, headers, _ = await answered(at.port, request())
        assert (status, headers["atlas-error"]) == (403, "agent_disabled")
        at.router.say(Readmit("agt"))
        async with agent(at.port):
            pass


async def test_after_a_close_of_the_routers_little_more_is_read_before_the_peer_is_cut() -> None:
    async with door() as at, unaffected(at), upgraded(at.port) as peer:
        await peer.frame(TEXT, b"[]")
        assert (await peer.read())[0] == CLOSE
        flood = frame(PING, b"x" * 100) * 100
        async with asyncio.timeout(PATIENCE):
            while not peer.writer.transport.is_closing():
                await peer.send(flood)
        await until(lambda: len(at.listener.connections) == 1)


async def test_frames_that_came_together_with_a_violation_are_passed_over_in_little_time() -> None:
    """No more of them are read at once than fit into 64 KiB, however long the longest message may be."""

    async with hostile() as (at, peer):
        await peer.frame(TEXT, HELLO)
        await until(lambda: at.backend.credit.online("agt"))
        (socket,) = [one for one in at.listener.connections if one.websocket.receiver.identity.agent_id == "agt"]
        await peer.frame(TEXT, b'{"type":"beat","n":1,"z":"%s"}' % (b"x" * MEGABYTE))
        assert (await peer.read())[0] == TEXT
        assert (await peer.read())[0] == TEXT
        assert len(socket.get_buffer(-1)) <= 64 * 1024


async def test_a_message_that_is_never_finished_is_not_waited_for() -> None:
    async with hostile(settings=replace(CALM, message_within=0.5)) as (_, peer):
        await peer.frame(TEXT, b"{", fin=False)
        assert (await peer.end())[0] == 4002


async def test_a_hundred_thousand_empty_fragments_cost_nothing() -> None:
    async with hostile() as (_, peer):
        before = psutil.Process().memory_info().rss
        await peer.frame(TEXT, b"", fin=False)
        for _ in range(100):
            await peer.send(frame(CONTINUATION, b"", fin=False) * 1000)
        await peer.cut()
        assert psutil.Process().memory_info().rss - before < 20 * MEGABYTE


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_control_frames_by_a_peer_that_reads_nothing_is_cut_and_costs_nothing(opcode: int) -> None:
    async with hostile() as (at, peer):
        before = psutil.Process().memory_info().rss
        flood = frame(opcode, b"x" * 125) * 1000
        async with asyncio.timeout(PATIENCE):
            while not peer.writer.transport.is_closing():
                await peer.send(flood)
        await until(lambda: len(at.listener.connections) == 1)
        assert psutil.Process().memory_info().rss - before < 20 * MEGABYTE


async def test_pings_within_the_rate_are_answered_with_what_they_carry() -> None:
    async with hostile() as (_, peer):
        for payload in (b"", b"hello", b"x" * 125):
            await peer.frame(PING, payload)
            assert await peer.read() == (PONG, payload)


@pytest.mark.parametrize("sent", [b"", b"G", request()[:-2], b"GET /ws HTTP/1.1\r\n" + b"X: y\r\n" * 50])
async def test_a_handshake_that_is_never_finished_is_closed_in_time(sent: bytes) -> None:
    async with door(replace(CALM, handshake_within=1.0)) as at, unaffected(at), raw(at.port) as peer:
        await peer.send(sent)
        await peer.cut()


async def test_a_handshake_in_drops_is_closed_in_time() -> None:
    async with door(replace(CALM, handshake_within=1.0)) as at, unaffected(at), raw(at.port) as peer:
        data = request() + b"X" * 1000
        async with asyncio.timeout(PATIENCE):
            for place in range(len(request()) - 4):
                await peer.send(data[place : place + 1])
                await asyncio.sleep(0.01)
                if peer.reader.at_eof() or peer.writer.transport.is_closing():
                    break
            await peer.cut()


async def test_a_request_of_any_size_is_bounded() -> None:
    async with door() as at, unaffected(at), raw(at.port) as peer:
        await peer.send(b"GET /ws HTTP/1.1\r\n")
        async with asyncio.timeout(PATIENCE):
            for _ in range(1000):
                await peer.send(b"X: " + b"y" * 1000 + b"\r\n")
                if peer.writer.transport.is_closing():
                    break
            await peer.cut()


async def test_a_peer_that_says_nothing_after_the_handshake_is_closed_in_time() -> None:
    async with hostile(settings=replace(CALM, hello_within=1.0)) as (_, peer):
        code, reason = await peer.end()
        assert (code, decode_reason(reason).code) == (4002, "no_hello")


async def test_nothing_is_taken_after_a_close_of_the_routers() -> None:
    async with hostile(settings=replace(CALM, close_within=0.3)) as (at, peer):
        await peer.send(frame(TEXT, b"[]") + frame(TEXT, HELLO))
        assert (await peer.read())[0] == CLOSE
        await peer.frame(TEXT, HELLO)
        await peer.frame(PING, b"anyone there?")
        async with asyncio.timeout(PATIENCE):
            assert await peer.reader.read() == b""
        assert at.backend.credit.online("agt") == 0


async def test_nothing_counts_that_came_behind_an_event_out_of_turn() -> None:
    async with hostile() as (at, peer):
        await peer.frame(TEXT, HELLO)
        await until(lambda: at.backend.credit.online("agt"))
        task = at.backend.submit("agt")
        said = b'"task":"%s","attempt":1' % task.id.encode()
        event = b'{"type":"event",%s,"n":%d,"kind":"log","data":{}}'
        result = b'{"type":"result",%s,"outcome":"completed","output":1}' % said
        await peer.send(b"".join(frame(TEXT, one) for one in (event % (said, 1), event % (said, 3), result)))
        code, reason = await peer.end()
        assert (code, decode_reason(reason).code) == (4107, "event_out_of_turn")
        assert ([one.n for one in task.events], task.ended.done()) == ([1], False)


async def test_nothing_is_taken_after_a_close_of_the_peers() -> None:
    async with hostile() as (at, peer):
        await peer.send(frame(CLOSE, struct.pack("!H", 4321) + b"bye") + frame(TEXT, HELLO))
        assert await peer.read() == (CLOSE, struct.pack("!H", 4321))
        async with asyncio.timeout(PATIENCE):
            assert await peer.reader.read() == b""
        assert at.backend.credit.online("agt") == 0


async def test_a_close_without_a_code_is_answered() -> None:
    async with hostile() as (_, peer):
        await peer.frame(CLOSE)
        assert await peer.read() == (CLOSE, struct.pack("!H", 1000))
        await peer.cut()


async def test_a_peer_that_does_not_answer_a_close_is_cut_off() -> None:
    async with hostile(settings=replace(CALM, close_within=0.3)) as (_, peer):
        await peer.frame(TEXT, b"[]")
        await peer.cut()


async def test_a_reader_that_stands_still_is_cut_and_its_tasks_wait_for_it_to_come_back() -> None:
    async with door(replace(CALM, stalled=1.5, close_within=0.3)) as at, unaffected(at), upgraded(at.port) as peer:
        hello = Hello(1, InstanceInfo("inst"), [], concurrency=20)
        await peer.frame(TEXT, codec.encode(hello))
        await until(lambda: at.backend.credit.online("agt"))
        before = psutil.Process().memory_info().rss
        payload = b'"%s"' % (b"x" * MEGABYTE)
        tasks = [at.backend.submit("agt", payload=payload) for _ in range(20)]
        await until(lambda: at.backend.credit.online("agt") == 0)
        await until(lambda: len(at.listener.connections) == 1)
        assert psutil.Process().memory_info().rss - before < 60 * MEGABYTE
        async with agent(at.port, concurrency=20) as again, asyncio.TaskGroup() as group:
            group.create_task(again.work())
            for task in tasks:
                assert len(bytes((await task.ended).output)) == len(payload)
            assert {task.attempt for task in tasks} == {1}
            await again.socket.close()


async def test_two_messages_in_one_packet_keep_their_own_payloads() -> None:
    async with hostile() as (at, peer):
        hello = Hello(1, InstanceInfo("inst"), [], concurrency=50)
        await peer.frame(TEXT, codec.encode(hello))
        await until(lambda: at.backend.credit.online("agt"))
        tasks = [at.backend.submit("agt") for _ in range(50)]
        results = [
            b'{"type":"result","task":"%s","attempt":1,"outcome":"completed","output":"%s"}'
            % (task.id.encode(), bytes([65 + n % 26]) * (10 + n))
            for n, task in enumerate(tasks)
        ]
        at.backend.storing.clear()
        await peer.send(b"".join(frame(TEXT, result) for result in results))
        await until(lambda: all(task.ended.done() for task in tasks))
        for n, task in enumerate(tasks):
            assert msgspec.json.decode((await task.ended).output) == chr(65 + n % 26) * (10 + n)
        at.backend.storing.set()
        at.backend.commit()


async def test_a_peer_that_closes_wrongly_is_told_and_not_waited_for() -> None:
    async with door() as at, upgraded(at.port) as peer:
        await peer.frame(CLOSE, struct.pack("!H", 1006))
        opcode, told = await peer.read()
        assert (opcode, told[:2], decode_reason(told[2:]).code) == (CLOSE, struct.pack("!H", 1002), "bad_close")
        await peer.cut()
