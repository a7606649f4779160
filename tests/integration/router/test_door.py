"""The agents' door over real sockets."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import re
import ssl
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import pytest
import structlog
from websockets.exceptions import InvalidStatus

from agentic_atlas.errors import ConfigurationError
from agentic_atlas.protocol.closing import decode_reason
from agentic_atlas.protocol.messages import Beat, Event, EventAck, EventKind, Limits, Outcome, Result, ResultAck, Task
from agentic_atlas.router.door import AgentDoor, serve
from agentic_atlas.router.settings import RouterSettings
from agentic_atlas.transport.crowd import Crowd
from agentic_atlas.transport.limiter import ConnectionLimiter
from tests.certificates import speaking_tls
from tests.integration.router.doors import (
    CALM,
    CLOSE,
    PATIENCE,
    TEXT,
    Agent,
    agent,
    answered,
    dial,
    door,
    frame,
    raw,
    request,
    unaffected,
    until,
    upgraded,
    verify,
)

SUBPROTOCOL = "Sec-WebSocket-Protocol: atlas.v1"


async def test_an_agent_connects_works_and_leaves() -> None:
    async with door() as at:
        async with agent(at.port) as one:
            assert one.socket.subprotocol == "atlas.v1"
            task = at.backend.submit("agt", payload=b'{"text": "\xc3\xa9"}')
            given = await one.hear()
            assert isinstance(given, Task)
            assert bytes(given.input) == b'{"text": "\xc3\xa9"}'
            await one.say(Event(given.task, 1, 1, EventKind.PROGRESS, msgspec.Raw(b"{}")))
            assert await one.hear() == EventAck(given.task, 1, 1)
            await one.say(Result(given.task, 1, Outcome.COMPLETED, msgspec.Raw(b"[1]")))
            assert await one.hear() == ResultAck(given.task, 1)
            await one.say(Beat(7))
            assert await one.hear() == Beat(7)
            assert bytes((await task.ended).output) == b"[1]"
        await until(lambda: at.backend.credit.online("agt") == 0)
        await until(lambda: at.backend.departures)


async def test_messages_as_large_as_allowed_pass_both_ways() -> None:
    async with door() as at, unaffected(at), agent(at.port) as one:
        payload = b'"%s"' % (b"x" * (3 * 1024 * 1024 - 2))
        task = at.backend.submit("agt", payload=payload)
        given = await one.hear()
        assert isinstance(given, Task)
        await one.say(Result(given.task, 1, Outcome.COMPLETED, given.input))
        assert bytes((await task.ended).output) == payload


async def test_a_burst_of_large_tasks_to_an_agent_that_reads_does_not_cut_it() -> None:
    async with door() as at, agent(at.port, concurrency=30) as one, asyncio.TaskGroup() as group:
        payload = b'"%s"' % (b"x" * 1024 * 1024)
        group.create_task(one.work())
        for task in [at.backend.submit("agt", payload=payload) for _ in range(30)]:
            assert (await task.ended).outcome is Outcome.COMPLETED
            assert task.attempt == 1
        await one.socket.close()


async def test_long_and_short_messages_sent_together_do_not_damage_one_another() -> None:
    async with door() as at, agent(at.port, concurrency=400) as one, asyncio.TaskGroup() as group:
        group.create_task(one.work())
        payloads = [b"%d" % n if n % 2 else b'"%s"' % (b"x" * (60_000 + n)) for n in range(400)]
        tasks = [at.backend.submit("agt", payload=payload) for payload in payloads]
        for task, payload in zip(tasks, payloads, strict=True):
            assert bytes((await task.ended).output) == payload
        await one.socket.close()


async def test_a_message_in_fragments_is_put_together() -> None:
    async with door() as at, upgraded(at.port) as peer:
        hello = b'{"type":"hello","protocol":1,"instance":{"id":"inst"},"skills":[],"description":"\xc3\xa9"}'
        parts = [hello[start : start + 5] for start in range(0, len(hello), 5)]
        for number, part in enumerate(parts):
            await peer.frame(0 if number else TEXT, part, fin=number == len(parts) - 1)
        opcode, payload = await peer.read()
        assert (opcode, json.loads(payload)["type"]) == (TEXT, "welcome")


async def test_revoking_a_token_closes_its_connection_within_a_second() -> None:
    async with door() as at, unaffected(at), agent(at.port) as one:
        at.backend.revoke("tok")
        async with asyncio.timeout(1.0):
            code, reason = await one.end()
        assert (code, decode_reason(reason.encode()).code) == (4103, "token_revoked")


async def test_one_token_on_two_machines_is_told_to_the_second_one() -> None:
    async with door() as at, agent(at.port) as first, asyncio.TaskGroup() as group:
        group.create_task(first.work())
        async with dial(at.port, "agt/tok") as socket:
            second = Agent(socket, "inst_2")
            with pytest.raises(Exception, match="4010"):
                await second.hello()
        assert bytes((await at.backend.submit("agt", payload=b"1").ended).output) == b"1"
        await first.socket.close()


async def test_a_process_that_does_not_answer_a_ping_loses_its_token_to_another() -> None:
    async with door(replace(CALM, ping_old=0.2)) as at, upgraded(at.port) as frozen:
        await frozen.frame(TEXT, b'{"type":"hello","protocol":1,"instance":{"id":"frozen"},"skills":[]}')
        await until(lambda: at.backend.credit.online("agt"))
        async with agent(at.port, instance_id="inst_2"):
            assert (await frozen.end())[0] == 4105
            assert at.backend.credit.online("agt") == 1


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (("Authorization: Bearer agt/tok",), 400, "subprotocol_required"),
        (("Sec-WebSocket-Protocol: chat", "Authorization: Bearer agt/tok"), 400, "subprotocol_required"),
        ((SUBPROTOCOL,), 401, "token_missing"),
        ((SUBPROTOCOL, "Authorization: Bearer a/b", "Authorization: Bearer c/d"), 401, "token_missing"),
        ((SUBPROTOCOL, "Authorization: Bearer nonsense"), 401, "token_malformed"),
        ((SUBPROTOCOL, "Authorization: Bearer forbidden/x"), 403, "forbidden"),
        ((SUBPROTOCOL, "Authorization: Bearer " + "x" * 5000), 401, "token_too_long"),
    ],
)
async def test_who_is_not_let_in_is_told_why_before_the_upgrade(lines: tuple[str, ...], status: int, code: str) -> None:
    async with door() as at:
        got, headers, body = await answered(at.port, request("", "/ws", *lines))
        assert (got, headers["atlas-error"], headers["content-type"]) == (status, code, "application/json")
        error = json.loads(body)["error"]
        assert (error["code"], error["detail"]) == (code, None)
        assert error["message"]


async def test_a_fault_of_ours_at_the_door_tells_the_peer_nothing() -> None:
    async with door() as at:
        got, headers, body = await answered(at.port, request("bug/x"))
        assert (got, headers["atlas-error"]) == (500, "internal")
        assert b"secret" not in body
        assert [event for _, event, _ in at.log.errors()] == ["handshake_failed"]
        at.log.lines.clear()


async def test_only_the_agents_path_and_the_health_check_are_there() -> None:
    async with door() as at:
        assert await answered(at.port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == (
            200,
            {"content-type": "application/json", "connection": "close", "content-length": "15"},
            b'{"status":"ok"}',
        )
        for path in ("/", "/ws/", "/healthz/"):
            assert (await answered(at.port, request(path=path)))[0] == 404
        told = await answered(at.port, b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (told[0], told[1]["content-length"], told[2]) == (200, "15", b"")
        assert (await answered(at.port, b"GET /healthz HTTP/1.0\r\nHost: x\r\n\r\n"))[0] == 200


@pytest.mark.parametrize("path", ["/ws?x=1", "http://localhost/ws", "ws://localhost:8080/ws?x=1"])
async def test_an_address_may_have_a_query_and_may_be_whole(path: str) -> None:
    async with door() as at, raw(at.port) as one:
        await one.send(request(path=path).replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"))
        assert (await one.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "no_tls"),
        (request().replace(b"Authorization: ", b"Authorization"), 400, "malformed_request"),
        (request().replace(b"agt/tok", b"agt\x00/tok"), 400, "malformed_request"),
        (request().replace(b"Host", b" Host"), 400, "malformed_request"),
        (request().replace(b"HTTP/1.1", b"HTTP/2.0"), 505, "http_version"),
        (request().replace(b"Host: localhost\r\n", b""), 400, "bad_host"),
        (request().replace(b"localhost", b"agt.tok.example"), 421, "foreign_host"),
        (request().replace(b"Host", b"Origin: http://agt.tok\r\nHost"), 403, "cross_site"),
        (request().replace(b"Upgrade: websocket\r\n", b""), 426, "upgrade_required"),
        (request().replace(b"GET", b"POST"), 405, "method_not_allowed"),
        (request("agt/tok" + "x" * 100_000), 431, "head_too_long"),
        (request("agt/tok" + "x" * 1_000_000), 431, "head_too_long"),
    ],
)
async def test_every_request_that_is_wrong_has_an_answer_of_ours_that_quotes_nothing(
    sent: bytes, status: int, code: str
) -> None:
    async with door() as at, unaffected(at):
        got, headers, body = await answered(at.port, sent)
        assert (got, headers["atlas-error"], json.loads(body)["error"]["code"]) == (status, code, code)
        assert b"agt" not in body
        assert b"tok" not in body.replace(b"token", b"")
        assert ("info", "handshake_refused") in [line[:2] for line in at.log.lines]
        await until(lambda: len(at.listener.connections) == 1)


async def test_who_is_refused_and_does_not_leave_is_cut() -> None:
    async with door(replace(CALM, close_within=0.3)) as at, raw(at.port) as stays:
        await stays.send(b"nonsense\r\n\r\n")
        await until(lambda: not at.listener.connections)
        assert at.listener.limiter._total == 0


async def test_a_request_that_is_no_upgrade_leaves_nothing_behind() -> None:
    async with door() as at:
        plain = request().replace(b"Upgrade: websocket\r\n", b"")
        assert (await answered(at.port, plain))[0] == 426
        await until(lambda: not at.listener.connections)
        assert at.listener.limiter._total == 0


async def test_too_many_connections_from_one_address_are_answered_and_a_crowd_of_them_is_cut() -> None:
    async with door(per_address=2) as at, agent(at.port) as one:
        async with raw(at.port), raw(at.port):
            got, headers, _ = await answered(at.port, request("agt/tok_2"))
            assert (got, headers["atlas-error"], headers["retry-after"]) == (503, "too_many_connections", "30")
            await until(lambda: at.listener.limiter._total == 3)
            async with raw(at.port) as fourth, raw(at.port) as fifth:
                await fifth.cut()
                assert not fourth.reader.at_eof()
        await until(lambda: at.listener.limiter._total == 1)
        async with agent(at.port, "agt", "tok_2", "inst_2"):
            await one.say(Beat(1))
            assert await one.hear() == Beat(1)


async def test_the_endpoint_has_room_for_so_many_in_all() -> None:
    async with door(max_connections=1) as at, agent(at.port):
        with pytest.raises(InvalidStatus) as refused:
            await dial(at.port, "agt/tok_2")
        assert refused.value.response.status_code == 503


async def test_closing_the_endpoint_takes_leave_of_everyone_and_waits_for_nobody_for_long() -> None:
    async with door(replace(CALM, close_within=0.3)) as at:
        async with agent(at.port) as polite, upgraded(at.port, "agt/tok_2") as deaf, raw(at.port) as mute:
            async with asyncio.timeout(PATIENCE):
                await at.listener.close()
            assert (await polite.end())[0] == 1001
            assert (await deaf.read())[0] == CLOSE
            await deaf.cut()
            await mute.cut()
        with pytest.raises(OSError, match=r"refused|failed"):
            await asyncio.open_connection("127.0.0.1", at.port)


async def test_a_router_that_drains_tells_when_to_come_back() -> None:
    async with door() as at, agent(at.port) as one:
        at.router.drain(retry_after=2.5)
        code, reason = await one.end()
        assert (code, decode_reason(reason.encode()).retry_after) == (4000, 2.5)


async def test_a_port_that_is_taken_is_told_with_the_way_out() -> None:
    async with door() as at:
        told = (
            f"the router can't listen on 127.0.0.1:{at.port} ({os.strerror(errno.EADDRINUSE)}): "
            "stop what uses it, or choose another port with --router-port or ATLAS_ROUTER_PORT"
        )
        with pytest.raises(ConfigurationError, match=f"^{re.escape(told)}$"):
            await serve(
                AgentDoor(at.router, verify),
                host="127.0.0.1",
                port=at.port,
                limiter=ConnectionLimiter(1, 1),
                crowd=Crowd(1_000, structlog.get_logger(), time.monotonic),
            )


async def test_no_level_of_logging_shows_a_token(caplog: pytest.LogCaptureFixture) -> None:

    for name in ("", "picows", "picows.server"):
        logging.getLogger(name).setLevel(1)
    try:
        # The agent of this test is not the router's, and may say what it likes.
        with caplog.at_level(1), caplog.filtering(lambda record: not record.name.startswith("websockets")):
            async with door() as at:
                async with agent(at.port, "agt", "the-secret-token"):
                    pass
                await answered(at.port, request("nonsense-the-secret-token"))
                async with upgraded(at.port, "agt/the-secret-token") as peer:
                    await peer.frame(3)
                    await peer.end()
                assert "the-secret-token" not in repr(at.log.lines)
    finally:
        for name in ("", "picows", "picows.server"):
            logging.getLogger(name).setLevel(logging.WARNING)
    assert "the-secret-token" not in caplog.text


async def test_an_idle_agent_costs_little_memory() -> None:
    async with door(RouterSettings(tick=0.2)) as at:
        before, sockets = psutil.Process().memory_info().rss, []
        hello = b'{"type":"hello","protocol":1,"instance":{"id":"inst_%d"},"skills":[]}'
        try:
            for number in range(200):
                reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
                sockets.append(writer)
                writer.write(request(f"agt/tok_{number}") + frame(TEXT, hello % number))
                await reader.readuntil(b"welcome")
            assert at.backend.credit.online("agt") == 200
            # Both ends are in this process.
            assert (psutil.Process().memory_info().rss - before) / 200 < 150 * 1024
        finally:
            for writer in sockets:
                writer.transport.abort()


async def test_an_agent_connects_over_tls_and_one_that_does_not_finish_its_handshake_is_cut(tmp_path: Path) -> None:
    _, server = speaking_tls(tmp_path)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    async with door(replace(CALM, tls_within=1.0), ssl=server) as at, raw(at.port) as half:
        await half.send(b"\x16\x03\x01")
        async with dial(at.port, "agt/tok", "wss", ssl=client) as socket:
            one = Agent(socket, "inst")
            await one.hello(4)
            async with asyncio.TaskGroup() as group:
                group.create_task(one.work())
                payload = b'"%s"' % (b"x" * 1024 * 1024)
                for task in [at.backend.submit("agt", payload=payload) for _ in range(12)]:
                    assert bytes((await task.ended).output) == payload
                await one.socket.close()
            await half.cut()


async def test_who_speaks_tls_where_it_is_not_spoken_is_told_at_once() -> None:
    # A peer that waited for the end of a head would be cut much later.
    async with door() as at:
        with pytest.raises(ssl.SSLError, match=r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE"):
            async with asyncio.timeout(PATIENCE):
                await asyncio.open_connection("127.0.0.1", at.port, ssl=ssl.create_default_context())
    assert ("info", "handshake_refused", {"code": "no_tls", "address": "127.0.0.1"}) in at.log.lines


async def test_an_agent_that_sends_faster_than_its_events_are_stored_is_slowed_down_and_loses_none() -> None:
    async with door(limits=Limits(unacknowledged=16)) as at, unaffected(at), agent(at.port) as one:
        task = at.backend.submit("agt")
        given = await one.hear()
        assert isinstance(given, Task)
        for n in range(1, 2001):
            await one.say(Event(given.task, 1, n, EventKind.LOG, msgspec.Raw(b'{"text":"%s"}' % (b"x" * 500))))
        await until(lambda: task.last_n == 2000)
        acknowledged = 0
        while acknowledged < 2000:
            ack = await one.hear()
            assert isinstance(ack, EventAck)
            assert ack.n > acknowledged
            acknowledged = ack.n
