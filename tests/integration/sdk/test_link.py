"""The link against a router on another library: connect, work, stop."""

from __future__ import annotations

import queue
import threading

from msgspec import Raw

from agentic_atlas.protocol.messages import (
    Accept,
    Beat,
    Call,
    Cancel,
    Event,
    EventAck,
    EventKind,
    Reply,
    ReplyKind,
    Result,
    ResultAck,
    Task,
    Welcome,
)
from tests.integration.sdk.dialogues import PATIENCE, TOKEN, Lines, Peer, Router, event, linked, result, task


def idle(peer: Peer) -> None:
    peer.welcome()
    peer.serve_beats()


def test_an_agent_connects_with_its_token_in_one_header_and_never_in_the_address() -> None:
    with Router(idle) as router, linked(router.url) as (_, inbox):
        assert inbox.expect(Welcome).agent == "worker"
    (request,) = router.requests
    assert request.headers.get_all("Authorization") == [f"Bearer {TOKEN}"]
    assert request.path == "/ws"


def test_a_task_is_delivered_once_and_its_events_precede_its_result() -> None:
    said: list[object] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.send(task())
        said.append(peer.expect(Accept))
        for n in range(1, 4):
            said.append(peer.expect(Event).n)
            peer.send(EventAck("t1", 1, n))
        said.append(peer.expect(Result).output)
        peer.send(ResultAck("t1", 1))
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        for n in range(1, 4):
            link.post(event(n))
        link.post(result(b'"done"'))
        link.stop(5.0)
        assert inbox.next() == ("ended", None)
    assert said == [Accept("t1", 1), 1, 2, 3, Raw(b'"done"')]


def test_cancels_and_replies_reach_the_runner_only_when_they_concern_it() -> None:
    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        call = peer.expect(Call)
        peer.send(Cancel("unknown", 1))
        peer.send(Reply("unknown", ReplyKind.RESULT))
        peer.send(Reply(call.id, ReplyKind.RESULT, data=Raw(b"7")))
        peer.send(Cancel("t1", 1, "enough"))
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Call("c1", "t1", 1, "other", "work", Raw(b"{}")))
        assert inbox.expect(Reply).data == Raw(b"7")
        assert inbox.expect(Cancel).reason == "enough"


def test_messages_of_the_largest_size_pass_both_ways() -> None:
    big = b'"' + b"x" * (3 * 1024 * 1024 - 2) + b'"'
    got: list[int] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(Task("t1", 1, "work", Raw(big), task().caller, "", 0.0))
        got.append(len(bytes(peer.expect(Result).output)))
        peer.send(ResultAck("t1", 1))
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        assert len(bytes(inbox.expect(Task).input)) == len(big)
        link.post(result(big))
        link.stop(10.0)
    assert got == [len(big)]


def test_a_thousand_posts_from_many_threads_all_arrive() -> None:
    got: list[int] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        for n in range(1, 1_001):
            got.append(peer.expect(Event).n)
            peer.send(EventAck("t1", 1, n))
        peer.expect(Result)
        peer.send(ResultAck("t1", 1))
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)

        def talk() -> None:
            for _ in range(250):
                link.post(Event("t1", 1, 1, EventKind.LOG, Raw(b"{}")))

        threads = [threading.Thread(target=talk) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        link.post(result())
        link.stop(10.0)
    assert got == list(range(1, 1_001))


def test_stopping_closes_with_1000_and_ends_the_thread() -> None:
    codes: list[int | None] = []

    def script(peer: Peer) -> None:
        peer.welcome()
        codes.append(peer.closed_with())

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        link.stop()
        assert link.join(0.0)
        assert inbox.end() is None
    assert codes == [1000]


def test_stopping_waits_for_what_is_owed_but_not_for_ever() -> None:
    def script(peer: Peer) -> None:
        peer.welcome()
        peer.send(task())
        peer.expect(Result)
        peer.serve_beats()  # and never acknowledges it

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(result())
        link.stop(0.1)
        assert inbox.end() is None


def test_a_link_that_never_reached_a_router_stops_at_once_and_what_is_posted_afterwards_is_ignored() -> None:
    with linked("ws://localhost:1/ws") as (link, inbox):
        link.stop()
        assert inbox.end() is None
        link.post(Accept("t1", 1))
        link.forget_call("c1")


def test_beats_say_what_the_process_takes() -> None:
    beats: queue.Queue[list[Beat]] = queue.Queue()

    def script(peer: Peer) -> None:
        peer.welcome()
        while len(peer.beats) < 3:
            peer.receive()
        beats.put(peer.beats[:3])
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (_, inbox):
        inbox.expect(Welcome)
        first, second, third = beats.get(timeout=PATIENCE)
    assert [beat.n for beat in (first, second, third)] == [1, 2, 3]
    assert third.memory > 1_000_000


def test_the_log_says_once_that_the_agent_is_connected() -> None:
    log = Lines()
    with Router(idle) as router, linked(router.url, log=log) as (_, inbox):
        inbox.expect(Welcome)
    assert [line for line in log.lines if line[0] != "trace"] == [("info", f"connected to {router.url}")]


def test_an_attempt_that_has_nothing_else_to_say_is_accepted_all_the_same() -> None:
    accepted = threading.Event()

    def script(peer: Peer) -> None:
        peer.welcome(beat_every=PATIENCE)
        peer.send(task())
        peer.expect(Accept)
        accepted.set()
        peer.serve_beats()

    with Router(script) as router, linked(router.url) as (link, inbox):
        inbox.expect(Welcome)
        inbox.expect(Task)
        link.post(Accept("t1", 1))
        assert accepted.wait(PATIENCE)
