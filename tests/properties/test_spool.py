"""One process of an agent after the other, each killed at any moment: what was finished ends once, and ran once."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, deque
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agentic_atlas.protocol.messages import Accept, Hello, Result, ResultAck, Verdict, Welcome
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.spool.file import FileSpool
from tests.unit.sdk.ledger.test_ledger import BASE, limits, result, task
from tests.unit.sdk.memory_log import MemoryLog


class Model(RuleBasedStateMachine):
    """A router that knows who holds what, as the backend does, against processes with a real file each."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.folder = self.root / "tok"
        self.log = MemoryLog()
        self.processes = 0
        self.up = False
        self.to_router: deque[Any] = deque()
        self.to_agent: deque[Any] = deque()
        # What the router knows.
        self.holder: dict[str, int] = {}
        self.outcomes: Counter[str] = Counter()
        self.lost: set[str] = set()
        # What the agent's skills know.
        self.started: Counter[str] = Counter()
        self.finished: set[str] = set()
        self.starts()

    def starts(self) -> None:
        self.processes += 1
        self.spool = FileSpool(self.folder, f"p{self.processes}", log=self.log, wall=lambda: 1_000.0)
        self.ledger = Ledger(spool=self.spool)
        self.ledger.take_over(self.spool.open())

    def settle(self, hello: Hello) -> list[Verdict]:
        """Do what the backend does with a `hello`."""
        ended = {int(one.instance[1:]) for one in hello.predecessors}
        left = {one.task for predecessor in hello.predecessors for one in predecessor.results}
        for key, holder in list(self.holder.items()):
            if holder in ended and key in left:
                self.holder[key] = self.processes
            elif holder in ended:
                self.lost.add(key)
                del self.holder[key]
        announced = {one.task for one in (*hello.running, *hello.results)} | left
        return [Verdict(key, 1, keep=self.holder.get(key) == self.processes) for key in sorted(announced)]

    # -- the world

    @rule(torn=st.binary(max_size=30), welcome=st.booleans())
    def is_killed_and_started_again(self, torn: bytes, welcome: bool) -> None:
        self.is_cut()
        assert self.spool._journal is not None
        self.spool._journal.close()
        with (self.folder / f"p{self.processes}.spool").open("ab") as file:
            file.write(torn)
        self.starts()
        if welcome:
            self.comes_back(welcome=True)

    @precondition(lambda self: not self.up)
    @rule(welcome=st.booleans())
    def comes_back(self, welcome: bool) -> None:
        verdicts = self.settle(self.ledger.hello(BASE))
        if welcome:
            self.ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0, attempts=verdicts))
            self.up = True

    @rule()
    def is_cut(self) -> None:
        self.ledger.cut()
        self.to_router.clear()
        self.to_agent.clear()
        self.up = False

    @precondition(lambda self: self.up)
    @rule()
    def begins_a_task(self) -> None:
        key = f"t{len(self.started) + 1}"
        assert self.ledger.offer(task(key))
        self.holder[key] = self.processes
        self.started[key] += 1
        self.ledger.say(Accept(key, 1))

    @rule(data=st.data())
    def finishes_a_task(self, data: st.DataObject) -> None:
        running = sorted(key for key, holder in self.holder.items() if holder == self.processes)
        running = [key for key in running if key not in self.finished]
        if running:
            key = data.draw(st.sampled_from(running))
            self.finished.add(key)
            self.ledger.say(result(key, f'"{key}"'.encode()))

    @precondition(lambda self: self.up)
    @rule(count=st.integers(1, 5))
    def sends(self, count: int) -> None:
        for _ in range(count):
            message = self.ledger.next()
            if message is not None:
                self.to_router.append(message)

    @precondition(lambda self: self.to_router)
    @rule()
    def is_heard(self) -> None:
        message = self.to_router.popleft()
        if isinstance(message, Result):
            assert bytes(message.output) == f'"{message.task}"'.encode()
            recorded = self.holder.get(message.task) == self.processes
            if recorded:
                del self.holder[message.task]
                self.outcomes[message.task] += 1
            self.to_agent.append(ResultAck(message.task, 1, recorded))

    @precondition(lambda self: self.to_agent)
    @rule()
    def is_answered(self) -> None:
        self.ledger.acknowledged(self.to_agent.popleft())

    # -- always

    @invariant()
    def nothing_ends_twice_and_nothing_finished_is_lost(self) -> None:
        assert all(count == 1 for count in self.outcomes.values())
        assert not self.lost & self.finished
        assert not self.log.at("warning")

    @invariant()
    def there_is_one_file(self) -> None:
        assert [path.name for path in self.folder.iterdir()] == [f"p{self.processes}.spool"]

    def teardown(self) -> None:
        try:
            self.ends()
        finally:
            if self.spool._journal is not None:
                self.spool._journal.close()
            shutil.rmtree(self.root)

    def ends(self) -> None:
        """In the end, what was finished has ended, and nothing is left on disk."""
        self.is_killed_and_started_again(b"", welcome=True)
        for _ in range(1_000):
            self.sends(5)
            if not self.to_router and not self.to_agent:
                break
            while self.to_router:
                self.is_heard()
            while self.to_agent:
                self.is_answered()
        assert set(self.outcomes) == self.finished
        assert set(self.started) - self.finished == self.lost
        assert (self.folder / f"p{self.processes}.spool").stat().st_size == 0
        assert self.spool.close(running=False) == 0
        assert not self.folder.exists()


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
