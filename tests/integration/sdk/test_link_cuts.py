"""The link when the connection, the router or the machine fails: it comes back, and nothing said is lost."""

from __future__ import annotations

import queue
import threading
import time

import pytest
from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.protocol.closing import CloseCode, encode_reason
from agentic_atlas.protocol.messages import (
    Accept,
    Beat,
    Call,
    Drain,
    Event,
    Refuse,
    RefuseReason,
    Reply,
    ReplyKind,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Verdict,
    Welcome,
)
from agentic_atlas.sdk.link.settings import Runtime
from tests.integration.sdk.dialogues import PATIENCE, QUICK, Lines, Peer, Recorder, Router, event, linked, result, task


def idle(peer: Peer) -> None:
    peer.welcome()
    peer.serve_beats()


def cut(peer: Peer) -> None:
    """Drop the connection without a word."""
    peer.connection.close_socket()


def test_an_agent_comes_back_after_the_router_was_restarted() -> None:
    log = Lines()
    router = Router(idle).start()
    with linked(router.url, log=log) as (_, inbox):
        inbox.expect(Welcome)
        router.stop()
        log.wait("connection lost")
        router.start()
        inbox.expect(Welcome)
    router.stop()
    router.check()
    assert log.having("connection lost") == ["connection lost: the router went away; trying again"]
    assert len(log.having("back after")) == 1


@pytest.mark.parametrize("code", [b"\x03\xed", b"\x03\xee", b"\x13\x88", b"\x03"])
def test_a_close_with_a_code_that_none_may_send_is_answered_as_the_fault_that_it_is(code: bytes) -> None:
    told: list[int | None] = []

    def closes_wrongly(peer: Peer) -> None:
        peer.welcome()
        peer.raw(bytes([0x88, len(code)]) + code)
        told.append(peer.closed_with())

    def comes_back(peer: Peer) -> None:
        peer.welcome()
        back.set()
        peer.serve_beats()

    back = threading.Event()
    router = Router(closes_wrongly, comes_back).start()
    with linked(router.url):
        assert back.wait(PATIENCE)
    router.stop()
    router.check()
    assert told == [1002]


def test_after_a_cut_all_that_was_not_stored_is_said_again_in_order() -> None:
    said: list[object] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.expect(Accept)
        while not isinstance(peer.receive(), Result):
            pass
        cut(peer)

    def second(peer: Peer) -> None:
        hello = peer.welcome(Verdict("t1", 1, keep=True, n=1))
        said.append(hello.results)
        said.append(peer.expect(Call).after)
        said.append(peer.expect(Event).n)
        said.append(peer.expect(Event).n)
        said.append(peer.expect(Result).outcome)
        peer.send(ResultAck("t1", 1))
        peer.serve_beats()

    with Router(first, second) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        for n in (1, 2, 3):
            link.post(event(n))
        link.post(Call("c1", "t1", 1, "other", "work", Raw(b"{}")))
        link.post(result())
        inbox.expect(Welcome)
        link.stop(5.0)
    assert said == [[RunningAttempt("t1", 1)], 0, 2, 3, "completed"]


def test_a_running_attempt_is_announced_and_one_that_is_no_longer_ours_is_dropped() -> None:
    announced: list[list[RunningAttempt]] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.expect(Accept)
        peer.connection.close(CloseCode.RESTART)

    def second(peer: Peer) -> None:
        announced.append(peer.welcome(Verdict("t1", 1, keep=False)).running)
        peer.serve_beats()

    with Router(first, second) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        assert inbox.next() == ("drop", "t1", 1)
        inbox.expect(Welcome)
    assert announced == [[RunningAttempt("t1", 1)]]


def test_what_is_said_while_there_is_no_connection_is_sent_after_the_next_one() -> None:
    again = threading.Event()
    got: list[int] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.expect(Accept)
        cut(peer)

    def second(peer: Peer) -> None:
        again.wait(PATIENCE)
        peer.welcome(Verdict("t1", 1, keep=True))
        got.append(peer.expect(Event).n)
        peer.expect(Result)
        peer.send(ResultAck("t1", 1, recorded=False))
        peer.serve_beats()

    log = Lines()
    with Router(first, second) as router, linked(router.url, log=log) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        log.wait("connection lost: it was cut")
        link.post(event(1))
        link.post(result())
        again.set()
        inbox.expect(Welcome)
        link.stop(5.0)
    assert got == [1]


def test_an_open_call_is_sent_again_with_the_last_event_that_was_seen() -> None:
    after: list[int] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.expect(Accept)
        peer.expect(Call)
        peer.send(Reply("c1", ReplyKind.EVENT, "t2", seq=4))
        peer.send(Reply("c1", ReplyKind.EVENT, "t2", seq=4))
        peer.connection.close(CloseCode.RESTART)

    def second(peer: Peer) -> None:
        peer.welcome(Verdict("t1", 1, keep=True))
        peer.expect(Accept)
        after.append(peer.expect(Call).after)
        peer.send(Reply("c1", ReplyKind.EVENT, "t2", seq=4))
        peer.send(Reply("c1", ReplyKind.RESULT, "t2", seq=5))
        peer.serve_beats()

    with Router(first, second) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        link.post(Call("c1", "t1", 1, "other", "work", Raw(b"{}"), stream=True))
        assert inbox.expect(Reply).seq == 4
        inbox.expect(Welcome)
        assert inbox.expect(Reply).kind is ReplyKind.RESULT
    assert after == [4]


def test_a_router_that_no_longer_answers_beats_is_given_up() -> None:
    log = Lines()

    def deaf(peer: Peer) -> None:
        peer.welcome()
        peer.answers_beats = False
        peer.serve_beats()

    timeouts = replace(QUICK, silent_beats=2.0)
    with Router(deaf, idle) as router, linked(router.url, log=log, timeouts=timeouts) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
    assert log.having("connection lost: the router has not answered for")


def test_a_router_that_never_welcomes_is_given_up() -> None:
    log = Lines()

    def mute(peer: Peer) -> None:
        peer.connection.recv(timeout=PATIENCE)
        peer.serve_beats()

    timeouts = replace(QUICK, welcome=0.05)
    with Router(mute, idle) as router, linked(router.url, log=log, timeouts=timeouts) as (_, inbox):
        inbox.expect(Welcome)
    assert log.having("the router did not answer within 0.05 s")


def test_a_message_that_is_never_finished_ends_the_connection() -> None:
    log = Lines()

    def stalls(peer: Peer) -> None:
        peer.welcome(beat_every=60.0)
        peer.answers_beats = False
        peer.raw(b"\x01\x01{")  # the first fragment of a text
        peer.serve_beats()

    timeouts = replace(QUICK, message=0.05)
    with Router(stalls, idle) as router, linked(router.url, log=log, timeouts=timeouts) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
    assert log.having("the router began a message and did not finish it within 0.05 s")


GARBAGE = {
    "not JSON": b"\x81\x01{",
    "not a message": b"\x81\x02{}",
    "not UTF-8": b"\x81\x02\xff\xff",
    "binary": b"\x82\x01x",
    "a reserved bit": b"\xc1\x02{}",
    "a reserved opcode": b"\x83\x01x",
    "a masked frame": b"\x81\x82\x00\x00\x00\x00{}",
    "a stray continuation": b"\x80\x01x",
    "a fragmented ping": b"\x09\x01x",
    "a ping that is too long": b"\x89\x7e\x00\x7ex",
    "a frame of 2^62 bytes": b"\x81\x7f\x40\x00\x00\x00\x00\x00\x00\x00",
    "a frame over the limit": b"\x81\x7f\x00\x00\x00\x00\x04\x00\x00\x01",
    "a message of the agent's own": b'\x81\x25{"type":"accept","task":"a","attempt":1}'[:39],
    "a second welcome": b'\x81\x12{"type":"welcome"}',
    "nesting without end": b"\x81\x7e\x27\x10" + b"[" * 10_000,
    "a close with an invalid code": b"\x88\x02\x00\x01",
    "a close of one byte": b"\x88\x01x",
    "no WebSocket at all": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_ends_the_connection_and_never_the_agent(data: bytes) -> None:
    log = Lines()

    def broken(peer: Peer) -> None:
        peer.welcome()
        peer.expect(Beat)  # picows does not hand out a frame when the next one in the same read is broken
        peer.raw(data)
        peer.serve_beats()

    with Router(broken, idle) as router, linked(router.url, log=log) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
    assert len(log.having("connection lost: ")) == 1
    assert not [line for level, line in log.lines if level == "error"]


def test_a_flood_of_pings_ends_the_connection() -> None:
    log = Lines()
    codes: list[int | None] = []

    def floods(peer: Peer) -> None:
        peer.welcome()
        peer.raw(b"\x89\x00" * 100)
        codes.append(peer.closed_with())

    with Router(floods, idle) as router, linked(router.url, log=log) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
    assert log.having("more than 20 control frames in a second")
    assert codes == [CloseCode.PROTOCOL_VIOLATION]


def test_a_ping_is_answered() -> None:
    answered: queue.Queue[bool] = queue.Queue()

    def script(peer: Peer) -> None:
        peer.welcome()
        pong = peer.connection.ping(b"hello")
        peer.connection.recv(timeout=PATIENCE)
        answered.put(pong.wait(PATIENCE))
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (_, inbox):
        inbox.expect(Welcome)
        assert answered.get(timeout=PATIENCE)


@pytest.mark.parametrize(
    "code",
    [CloseCode.GOING_AWAY, CloseCode.RESTART, CloseCode.OVERLOAD, CloseCode.TIMEOUT, CloseCode.DRAIN, 4050, 1011],
)
def test_a_code_that_says_come_back_is_followed(code: int) -> None:
    def closes(peer: Peer) -> None:
        peer.welcome()
        peer.connection.close(code)

    with Router(closes, idle) as router, linked(router.url) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)


FINAL = {
    CloseCode.TOKEN_INVALID: "atlas tokens create",
    CloseCode.REPLACED: "a token of its own",
    CloseCode.PROTOCOL_VERSION: "update agentic-atlas",
    CloseCode.PROTOCOL_VIOLATION: "report it",
    CloseCode.INVALID_REGISTRATION: "correct the skill",
    4150: "code 4150",
}


@pytest.mark.parametrize(("code", "advice"), FINAL.items(), ids=[str(int(code)) for code in FINAL])
def test_a_code_that_says_stay_away_ends_the_agent_with_what_to_do(code: int, advice: str) -> None:
    def closes(peer: Peer) -> None:
        peer.receive()
        peer.connection.close(code, encode_reason("the_precise_code").decode())

    with Router(closes) as router, linked(router.url) as (_, inbox):
        error = inbox.end()
        assert advice in error.message
        assert error.code == "the_precise_code"
    assert len(router.requests) == 1


WAITED_FOR = {
    CloseCode.TOKEN_INVALID: "the router does not accept this token (the_precise_code): create a new one",
    CloseCode.TOKEN_EXPIRED: "the token has expired (the_precise_code): create a new one",
    CloseCode.TOKEN_REVOKED: "the token has been revoked (the_precise_code): create a new one",
    CloseCode.AGENT_DISABLED: "have its owner enable it",
}


@pytest.mark.parametrize(("code", "advice"), WAITED_FOR.items(), ids=[str(int(code)) for code in WAITED_FOR])
def test_a_code_that_a_person_can_put_right_has_the_agent_wait_for_that(code: int, advice: str) -> None:
    log = Lines()

    def closes(peer: Peer) -> None:
        peer.welcome()
        peer.connection.close(code, encode_reason("the_precise_code").decode())

    with Router(closes) as router, linked(router.url, log=log) as (link, inbox):
        inbox.expect(Welcome)
        log.wait(advice)
        link.stop()
        assert inbox.next() == ("ended", None)
    assert len(router.requests) == 1


def test_while_another_process_has_the_token_the_agent_says_so_once_and_tries_every_half_minute() -> None:
    log = Lines()

    def in_use(peer: Peer) -> None:
        peer.receive()
        peer.connection.close(CloseCode.TOKEN_IN_USE, encode_reason("token_in_use", 0.01).decode())

    with Router(in_use, in_use, idle) as router, linked(router.url, log=log) as (_, inbox):
        inbox.expect(Welcome)
    (line,) = log.having("another process is connected with the same token")
    assert "atlas tokens create" in line


def test_a_machine_that_slept_asks_for_an_answer_at_once_and_gives_up_a_dead_connection() -> None:
    asleep = threading.Event()
    log = Lines()

    def dead(peer: Peer) -> None:
        peer.welcome(beat_every=60.0)
        peer.receive()
        peer.answers_beats = False
        asleep.set()
        peer.serve_beats()

    def wall() -> float:
        return 3_600.0 if asleep.is_set() else 0.0

    runtime = Runtime(wall=lambda: wall() + time.monotonic(), random=lambda: 0.05)
    timeouts = replace(QUICK, probe=0.1)
    with Router(dead, idle) as router, linked(router.url, log=log, runtime=runtime, timeouts=timeouts) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
    assert log.having("the connection did not survive the sleep of this machine")


def test_a_machine_that_slept_keeps_a_connection_that_answers() -> None:
    asleep = threading.Event()
    probed: queue.Queue[int] = queue.Queue()

    def alive(peer: Peer) -> None:
        peer.welcome(beat_every=60.0)
        peer.receive()
        asleep.set()
        peer.receive()
        probed.put(peer.beats[-1].n)
        peer.serve_beats()

    runtime = Runtime(wall=lambda: (60.0 if asleep.is_set() else 0.0) + time.monotonic())
    log = Lines()
    with Router(alive) as router, linked(router.url, log=log, runtime=runtime) as (link, inbox):
        inbox.expect(Welcome)
        assert probed.get(timeout=PATIENCE) == 2
        link.stop()
    assert not log.having("connection lost")


def test_a_fault_of_the_runner_costs_one_connection_and_is_logged() -> None:
    class Faulty(Recorder):
        def deliver(self, message: object) -> None:
            super().deliver(message)  # type: ignore[arg-type]
            if isinstance(message, Task):
                raise KeyError("a bug")

    def sends(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.serve_beats()

    log = Lines()
    with Router(sends, idle) as router, linked(router.url, inbox=Faulty(), log=log) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        inbox.expect(Welcome)
    assert log.having("connection lost: internal error (KeyError)")


def test_a_router_that_said_when_it_is_back_is_tried_then_though_its_close_never_came() -> None:
    cut_at: list[float] = []

    def stopping(peer: Peer) -> None:
        peer.welcome()
        peer.send(Drain(0.4))
        peer.expect(Beat)
        cut_at.append(time.monotonic())
        cut(peer)

    with Router(stopping, idle) as router, linked(router.url) as (_, inbox):
        inbox.expect(Welcome)
        inbox.expect(Welcome)
        assert time.monotonic() - cut_at[0] >= 0.4


def test_a_restart_that_was_announced_is_waited_for() -> None:
    def restarts(peer: Peer) -> None:
        peer.welcome()
        peer.connection.close(CloseCode.RESTART, encode_reason("router_is_stopping", 0.1).decode())

    scripts = [restarts] * 6
    begun = time.monotonic()
    with (
        Router(*scripts, idle) as router,
        linked(router.url, runtime=Runtime(random=lambda: 1.0)) as (_, inbox),
    ):
        for _ in range(len(scripts) + 1):
            inbox.expect(Welcome)
        assert time.monotonic() - begun >= 0.6


def test_an_agent_that_drains_says_so_and_leaves_only_after_every_task_on_its_way_was_refused() -> None:
    heard: list[object] = []

    def script(peer: Peer) -> None:
        peer.answers_beats = False
        peer.welcome(beat_every=60.0)
        heard.append(peer.expect(Drain))
        peer.send(task("t1"))
        peer.send(Beat(2))  # the answer to what the agent said after its drain
        heard.append(peer.expect(Refuse))
        heard.append(peer.closed_with())

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        link.post(Drain())
        link.stop_soon(PATIENCE)
        assert inbox.expect(Task).task == "t1"
        link.post(Refuse("t1", 1, RefuseReason.DRAINING))
        assert inbox.end() is None
    assert heard == [Drain(), Refuse("t1", 1, RefuseReason.DRAINING), CloseCode.NORMAL]


def test_a_draining_agent_says_so_again_after_a_cut() -> None:
    drained: list[Drain] = []

    def first(peer: Peer) -> None:
        peer.welcome()
        drained.append(peer.expect(Drain))
        cut(peer)

    def second(peer: Peer) -> None:
        peer.welcome()
        drained.append(peer.expect(Drain))
        peer.serve_beats()

    with Router(first, second) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        link.post(Drain())
        inbox.expect(Welcome)
        link.stop()
    assert drained == [Drain(), Drain()]
