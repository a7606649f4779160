"""A handler that blocks its loop: the connection lives on, the router is told, and the log names the culprit.

The handler blocks a loop of its own, so that the test goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import queue
import threading
from collections.abc import Iterator

from msgspec import Raw
from msgspec.structs import replace

from agentic_atlas.protocol.messages import Accept, Beat, Call, Message, Reply, ReplyKind, Task, Welcome
from agentic_atlas.sdk.link.session import MOST_HANDED
from tests.integration.sdk.dialogues import PATIENCE, QUICK, Lines, Peer, Recorder, Router, linked, task

LAGS = replace(QUICK, lag=0.1)
BIG = 200_000
READ_ALREADY = 16_000_000
"""Bytes that may have been read from the socket, at most, when reading pauses: more the busier the machine is."""


class Handlers(Recorder):
    """An inbox whose pings are answered by a real loop on a thread of its own.

    Attributes:
        full: set once as many bytes wait here as may, in messages of `BIG`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.full = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.answer = lambda token: self.loop.call_soon_threadsafe(self._pong, token)
        self._free = threading.Event()
        self._answered = threading.Event()

    def deliver(self, message: Message) -> None:
        super().deliver(message)
        if self.seen.qsize() * BIG > MOST_HANDED:
            self.full.set()

    def _pong(self, token: object) -> None:
        assert self.link is not None
        self.link.pong(token)
        self._answered.set()

    @contextlib.contextmanager
    def running(self) -> Iterator[Handlers]:
        thread = threading.Thread(target=self.loop.run_forever, name="handlers")
        thread.start()
        try:
            yield self
        finally:
            self._free.set()
            self.loop.call_soon_threadsafe(self.loop.stop)
            thread.join(PATIENCE)
            self.loop.close()

    def hang(self) -> None:
        """Block the loop until `release`, as a handler with a blocking call would."""
        assert self._answered.wait(PATIENCE)
        self.loop.call_soon_threadsafe(self.handler_that_blocks)

    def handler_that_blocks(self) -> None:
        self._free.wait(PATIENCE)

    def release(self) -> None:
        self._free.set()


def test_beats_go_on_while_the_loop_is_blocked_and_the_router_is_told_at_once() -> None:
    blocked: queue.Queue[Beat] = queue.Queue()
    free: queue.Queue[Beat] = queue.Queue()

    def script(peer: Peer) -> None:
        peer.welcome(beat_every=60.0)  # beats in between are the extra ones
        peer.send(task())
        peer.expect(Accept)
        while (beat := peer.expect(Beat)).lag <= LAGS.lag:
            pass
        blocked.put(beat)
        while (beat := peer.expect(Beat)).lag > LAGS.lag:
            pass
        free.put(beat)
        peer.serve_beats()

    log = Lines()
    with (
        Handlers().running() as handlers,
        Router(script) as router,
        linked(router.url, inbox=handlers, log=log, timeouts=LAGS) as (link, _),
    ):
        handlers.expect(Welcome)
        handlers.expect(Task)
        link.post(Accept("t1", 1))
        handlers.hang()
        assert blocked.get(timeout=PATIENCE).running == 1
        handlers.release()
        assert free.get(timeout=PATIENCE).lag < LAGS.lag
    (line,) = log.having("has been blocked")
    assert "(work running)" in line
    assert "handler_that_blocks: self._free.wait(PATIENCE)" in line
    assert not log.having("connection lost")


def test_a_loop_that_stays_blocked_is_warned_about_again_but_not_all_the_time() -> None:
    def idle(peer: Peer) -> None:
        peer.welcome()
        peer.serve_beats()

    log = Lines()
    timeouts = replace(LAGS, lag_again=0.15)
    with (
        Handlers().running() as handlers,
        Router(idle) as router,
        linked(router.url, inbox=handlers, log=log, timeouts=timeouts),
    ):
        handlers.expect(Welcome)
        handlers.hang()
        log.wait("has been blocked", count=3)
        handlers.release()
    lags = [float(line.split("blocked for ")[1].split(" s")[0]) for line in log.having("has been blocked")]
    assert all(later - earlier >= 0.1 for earlier, later in itertools.pairwise(lags))


def test_a_loop_that_takes_nothing_is_sent_no_more_than_fits() -> None:
    big = Raw(b'"' + b"x" * BIG + b'"')
    sent = 0

    def floods(peer: Peer) -> None:
        nonlocal sent
        peer.welcome()
        peer.send(task())
        peer.expect(Accept)
        peer.expect(Call)
        peer.answers_beats = False
        while sent < 300:
            sent += 1
            peer.send(Reply("c1", ReplyKind.EVENT, "t2", seq=sent, data=big))
        peer.answers_beats = True
        peer.send(Reply("c1", ReplyKind.RESULT, "t2", seq=sent + 1))
        peer.serve_beats()

    log = Lines()
    timeouts = replace(LAGS, lag_again=0.1)
    with (
        Handlers().running() as handlers,
        Router(floods) as router,
        linked(router.url, inbox=handlers, log=log, timeouts=timeouts) as (link, _),
    ):
        handlers.expect(Welcome)
        handlers.expect(Task)
        handlers.hang()
        link.post(Accept("t1", 1))
        link.post(Call("c1", "t1", 1, "other", "work", Raw(b"{}"), stream=True))
        assert handlers.full.wait(PATIENCE)
        # For some looks more it takes nothing, whatever comes.
        log.wait("has been blocked", count=len(log.having("has been blocked")) + 8)
        assert handlers.seen.qsize() * BIG < MOST_HANDED + READ_ALREADY < 300 * BIG
        handlers.release()
        replies = [handlers.expect(Reply) for _ in range(301)]
    assert [reply.seq for reply in replies] == list(range(1, 302))
    assert not log.having("connection lost")
