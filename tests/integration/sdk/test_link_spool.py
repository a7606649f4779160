"""Results on disk, over a real link and the product's own router: the next process delivers what one left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentic_atlas.protocol.messages import (
    Accept,
    Hello,
    InstanceInfo,
    Message,
    Outcome,
    Result,
    ResultAck,
    RunningAttempt,
    Task,
    Verdict,
)
from agentic_atlas.sdk.link.link import LinkThread
from agentic_atlas.sdk.link.settings import Runtime
from agentic_atlas.sdk.spool.file import FileSpool
from tests.integration.router.doors import door
from tests.integration.sdk.dialogues import HELLO, PATIENCE, Lines, Peer, Recorder, Router, linked, task
from tests.integration.sdk.test_link_router import TOKEN, Echo, ended, wire
from tests.unit.sdk.memory_log import MemoryLog


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run the tests on the loop that the product uses."""
    return "asyncio", {"use_uvloop": True}


@contextmanager
def process(url: str, folder: Path, name: str, inbox: Recorder, log: Lines) -> Iterator[LinkThread]:
    """Run a link with results on disk; at its end nothing is waited for."""
    spool = FileSpool(folder, name, log=MemoryLog())
    around = Runtime(random=lambda: 0.05, spool=spool)
    hello = replace(HELLO, instance=InstanceInfo(name))
    with linked(url, inbox=inbox, log=log, runtime=around, token=TOKEN, hello=hello) as (
        link,
        _,
    ):
        yield link
    if spool._journal is not None:
        # Handlers had no result: the end of a real process gives the lock back.
        spool._journal.close()


class Patient(Recorder):
    """Accepts each task, and ends them all when it is told to."""

    def __init__(self, expected: int) -> None:
        super().__init__()
        self.tasks: list[Task] = []
        self.expected = expected
        self.all_here = threading.Event()

    def deliver(self, message: Message) -> None:
        assert isinstance(message, Task)
        assert self.link is not None
        self.link.post(Accept(message.task, message.attempt))
        self.tasks.append(message)
        if len(self.tasks) == self.expected:
            self.all_here.set()

    def finish(self) -> None:
        assert self.link is not None
        for one in self.tasks:
            self.link.post(Result(one.task, one.attempt, Outcome.COMPLETED, one.input))


async def test_what_a_process_left_is_delivered_by_the_next_one(tmp_path: Path) -> None:
    async with door() as at:
        folder, log = tmp_path / "tok", Lines()
        async with wire(at.port) as between:
            inbox = Patient(4)
            with process(f"ws://127.0.0.1:{between.port}/ws", folder, "p1", inbox, log) as link:
                tasks = [at.backend.submit("worker", "work", str(number).encode()) for number in range(4)]
                running = tasks.pop()
                assert await asyncio.to_thread(inbox.all_here.wait, PATIENCE)
                inbox.tasks.remove(next(one for one in inbox.tasks if one.task == running.id))
                await between.close()
                inbox.finish()
                link.stop_soon(0.0)
                assert await asyncio.to_thread(link.join, PATIENCE)
        assert log.having("results not acknowledged: 3; kept on disk, for the next start to deliver")
        again = Echo()
        with process(f"ws://127.0.0.1:{at.port}/ws", folder, "p2", again, Lines()) as link:
            async with asyncio.timeout(PATIENCE):
                for number, one in enumerate(tasks):
                    assert bytes((await one.ended).output) == str(number).encode()
                    assert (one.attempt, one.task.instance_id) == (1, "p2")
                assert bytes((await running.ended).output) == b"3"
            assert running.attempt == 2
            await ended(link)
        assert again.started == [(running.id, 2)]
        assert not folder.exists()


class Dialogue:
    """A router that acknowledges nothing, cuts the next process off before its welcome, and then lets it in."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.results: list[str] = []
        self.owing = threading.Event()
        self.forgotten = threading.Event()

    def first(self, peer: Peer) -> None:
        peer.welcome()
        for name in ("t1", "t2"):
            peer.send(task(name))
            self.take(peer)
        while not any((beat.results, beat.oldest > 0) == (2, True) for beat in peer.beats):
            peer.receive()
        self.owing.set()
        peer.serve_beats()

    def second(self, peer: Peer) -> None:
        self.hellos.append(peer.expect(Hello))
        peer.connection.socket.close()

    def third(self, peer: Peer) -> None:
        self.hellos.append(peer.welcome(Verdict("t1", 1, keep=True), Verdict("t2", 1, keep=False)))
        self.take(peer)
        peer.send(ResultAck("t1", 1))
        while not any(beat.results == 0 for beat in peer.beats):
            peer.receive()
        self.forgotten.set()
        peer.serve_beats()

    def take(self, peer: Peer) -> None:
        while not isinstance(message := peer.receive(), Result):
            pass
        self.results.append(message.task)


def test_a_result_on_disk_is_announced_kept_sent_and_forgotten(tmp_path: Path) -> None:
    folder, talk, log, inbox = tmp_path / "tok", Dialogue(), Lines(), Echo()
    with Router(talk.first, talk.second, talk.third) as router:
        with process(router.url, folder, "p1", Echo(), log):
            assert talk.owing.wait(PATIENCE)
        assert log.having("results not acknowledged: 2; kept on disk, for the next start to deliver")
        with process(router.url, folder, "p2", inbox, Lines()) as link:
            assert talk.forgotten.wait(PATIENCE)
            link.stop(PATIENCE)
    assert inbox.started == []
    assert talk.hellos[0].predecessors == talk.hellos[1].predecessors
    [ended] = talk.hellos[0].predecessors
    assert (ended.instance, ended.results) == ("p1", [RunningAttempt("t1", 1), RunningAttempt("t2", 1)])
    assert talk.results == ["t1", "t2", "t1"]
    assert not folder.exists()
