"""Connections that are cut, come back, take over and die at any moment: every task still ends exactly once.

The agents here are honest processes: they remember what they run and what was not acknowledged, and announce both.
"""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentic_atlas.protocol.messages import Accept, Answer, Reaction, Refuse, RefuseReason, ResultAck, Task, Welcome
from agentic_atlas.protocol.tasks import TERMINAL, TaskState
from agentic_atlas.router.agent import Deliveries
from tests.unit.router.network import Agent, Network, attempt, network, settle

CONCURRENCY = 2
PROCESSES = [("one", "tok_1", "inst_1"), ("one", "tok_2", "inst_2"), ("two", "tok_3", "inst_3")]
STEPS = [
    "submit",
    "submit",
    "connect",
    "cut",
    "accept",
    "complete",
    "complete",
    "refuse",
    "cancel",
    "wait",
    "long",
    "hold",
]

Key = tuple[str, int]


class Process:
    """An agent's process: its memory outlives its connections."""

    def __init__(self, agent_id: str, token_id: str, instance_id: str, started: dict[Key, str]) -> None:
        self.names = (agent_id, token_id, instance_id)
        self.running: dict[Key, Task] = {}
        self.results: dict[Key, Task] = {}
        self.line: Agent | None = None
        self._heard = 0
        self._ended: set[Key] = set()
        self._started = started
        self._answers: dict[Key, set[int]] = {}

    def connect(self, net: Network) -> None:
        self.line, self._heard = Agent(*self.names).connect(net.router), 0
        announced = [[attempt(task) for task in tasks.values()] for tasks in (self.running, self.results)]
        self.line.hello(CONCURRENCY, *announced)

    def cut(self) -> None:
        if self.line is not None and self.line.closed is None:
            self.line.connection.closed()
        self.line = None

    def listen(self) -> None:
        """Take in what the router said meanwhile."""
        if self.line is None:
            return
        news, self._heard = self.line.heard[self._heard :], len(self.line.heard)
        for message in news:
            if isinstance(message, Welcome):
                self._welcomed(message)
            elif isinstance(message, Task):
                self._start(message)
            elif isinstance(message, Answer):
                self._answers.setdefault((message.task, message.attempt), set()).add(message.reaction.question)
            elif isinstance(message, ResultAck):
                self._forget((message.task, message.attempt))
        if self.line.closed is not None:
            self.line = None

    def accept(self) -> None:
        if self.can_speak:
            for task in self.running.values():
                self.line.say(Accept(task.task, task.attempt))  # type: ignore[union-attr]

    def check_answers(self, net: Network) -> None:
        """What runs here, and can be told, knows every answer that was given."""
        if not self.can_speak:
            return
        for (task, number), known in self._answers.items():
            record = net.backend.tasks[task]
            if (task, number) in self.running and record.is_held(self.names[2], number):
                assert known == {reaction.question for reaction in record.answers}

    def complete(self) -> None:
        """End the oldest task; without a connection its result waits for the next one."""
        if not self.running:
            return
        key = next(iter(self.running))
        self.results[key] = task = self.running.pop(key)
        if self.can_speak:
            self.line.complete(task)  # type: ignore[union-attr]

    def refuse(self, reason: RefuseReason) -> None:
        if self.running and self.can_speak:
            key = next(reversed(self.running))
            del self.running[key], self._started[key]
            self.line.say(Refuse(*key, reason))  # type: ignore[union-attr]

    @property
    def can_speak(self) -> bool:
        self.listen()
        return self.line is not None and bool(self.line.all(Welcome))

    def _welcomed(self, welcome: Welcome) -> None:
        assert self.line is not None
        for verdict in welcome.attempts:
            if not verdict.keep:
                self._forget((verdict.task, verdict.attempt))
        for task in self.results.values():
            self.line.complete(task)

    def _start(self, task: Task) -> None:
        key = (task.task, task.attempt)
        if key in self.running or key in self.results or key in self._ended:
            return
        assert key not in self._started, "an attempt was started twice"
        self._started[key] = self.names[2]
        self.running[key] = task
        self._answers[key] = {reaction.question for reaction in task.answers}
        assert len(self.running) <= CONCURRENCY

    def _forget(self, key: Key) -> None:
        self.running.pop(key, None)
        self.results.pop(key, None)
        self._ended.add(key)


def hold(net: Network) -> None:
    """Begin or stop to hold back what the backend stores."""
    if net.backend.storing.is_set():
        net.backend.storing.clear()
    else:
        net.backend.storing.set()
    net.backend.commit()


def cancel(net: Network) -> None:
    for task in list(net.backend.tasks.values())[-1:]:
        net.backend.cancel(task, "enough")


def answer(net: Network) -> None:
    for task in list(net.backend.tasks.values())[-2:]:
        if task.state is TaskState.WORKING:
            net.backend.answer(task, Reaction(len(task.answers) + 1))


SAID: dict[str, Callable[[Network, Process], object]] = {
    "submit": lambda net, process: net.backend.submit(process.names[0]),
    "connect": lambda net, process: process.connect(net),
    "cut": lambda _, process: process.cut(),
    "accept": lambda _, process: process.accept(),
    "complete": lambda _, process: process.complete(),
    "refuse": lambda _, process: process.refuse(RefuseReason.BUSY),
    "cancel": lambda net, _: cancel(net),
    "answer": lambda net, _: answer(net),
    "hold": lambda net, _: hold(net),
}
SECONDS = {"wait": 0.5, "long": 11.0}
STEPS = ["submit", "complete", *SAID, *SECONDS]


async def step(net: Network, process: Process, what: str) -> None:
    if what in SAID:
        SAID[what](net, process)
    else:
        await net.passes(SECONDS[what])


async def end_well(net: Network, processes: list[Process]) -> None:
    """Let everything that is left come to its end."""
    net.backend.storing.set()
    net.backend.commit()
    for _ in range(24):
        for process in processes:
            if process.line is None or process.line.closed is not None:
                process.connect(net)
            await settle()
            while process.running:
                process.complete()
            process.listen()
            await settle()
        await net.passes(4.0, *(process.line for process in processes if process.line and process.can_speak))


def in_hand(net: Network) -> list[Deliveries]:
    """Return what each registered agent has."""
    return [one.agent.deliveries for one in net.router._connections.values() if one.agent is not None]


@settings(max_examples=60)
@example([("connect", 0), ("submit", 0), ("answer", 0), ("cut", 0), ("answer", 0), ("connect", 0)])
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, len(PROCESSES) - 1)), max_size=40))
async def test_every_task_ends_once_whatever_happens_to_the_connections(steps: list[tuple[str, int]]) -> None:
    started: dict[Key, str] = {}
    processes = [Process(*names, started) for names in PROCESSES]
    async with network() as net:
        for what, number in steps:
            await step(net, processes[number], what)
            await settle()
            for process in processes:
                process.listen()
                process.check_answers(net)
            assert all(len(deliveries) <= CONCURRENCY for deliveries in in_hand(net))
        await end_well(net, processes)
        assert {task.state for task in net.backend.tasks.values()} <= TERMINAL
        assert all(task.ended.done() for task in net.backend.tasks.values())
        assert len(net.router.leases) == 0
        assert all(len(deliveries) == 0 for deliveries in in_hand(net))
        assert len(net.router._connections) == len(PROCESSES)
