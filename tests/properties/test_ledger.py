"""The ledger as a machine: whatever is cut, lost or repeated, nothing owed is lost and nothing is said out of order."""

from __future__ import annotations

from collections import deque
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from agentic_atlas.protocol.messages import (
    Accept,
    Event,
    EventAck,
    Result,
    ResultAck,
    Verdict,
    Welcome,
)
from agentic_atlas.sdk.ledger.ledger import Ledger
from tests.unit.sdk.ledger.test_ledger import BASE, WINDOW, event, limits, result, task


class Model(RuleBasedStateMachine):
    """A router that stores, loses and repeats, against a ledger whose connection is cut at any moment."""

    keys = Bundle("keys")

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(keep_back=True)
        self.up = False
        self.to_router: deque[Any] = deque()
        self.to_agent: deque[Any] = deque()
        self.created = 0
        self.said: dict[str, int] = {}
        self.finished: set[str] = set()
        self.stored: dict[str, int] = {}
        self.outcomes: dict[str, int] = {}
        self.lost: set[str] = set()
        self.over: set[str] = set()

    # -- the router

    @precondition(lambda self: not self.up)
    @rule(data=st.data())
    def comes_back(self, data: st.DataObject) -> None:
        hello = self.ledger.hello(BASE)
        announced = {attempt.task for attempt in (*hello.running, *hello.results)}
        assert announced == set(self.said) - self.lost - self.over
        lost = data.draw(st.sets(st.sampled_from(sorted(announced)), max_size=1)) if announced else set()
        self.lost |= lost
        verdicts = [Verdict(key, 1, key not in lost, self.stored[key]) for key in sorted(announced)]
        dropped = self.ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0, attempts=verdicts))
        assert {attempt.task for attempt in dropped} == lost - self.finished
        self.up = True

    @precondition(lambda self: self.up)
    @rule()
    def is_cut(self) -> None:
        self.ledger.cut()
        self.to_router.clear()
        self.to_agent.clear()
        self.up = False

    @precondition(lambda self: self.up)
    @rule(target=keys)
    def sends_a_task(self) -> str:
        self.created += 1
        key = f"t{self.created}"
        assert self.ledger.offer(task(key))
        self.said[key] = self.stored[key] = 0
        return key

    @precondition(lambda self: self.up)
    @rule(key=keys)
    def repeats_a_task(self, key: str) -> None:
        assert not self.ledger.offer(task(key))

    @precondition(lambda self: self.to_router)
    @rule()
    def takes(self) -> None:
        message = self.to_router.popleft()
        key = message.task
        assert key not in self.lost
        if isinstance(message, Event):
            assert message.n <= self.stored[key] + 1, "a gap"
            assert bytes(message.data) == numbered(message.n), "out of order"
            self.stored[key] = max(self.stored[key], message.n)
            self.to_agent.append(EventAck(key, 1, self.stored[key]))
        elif isinstance(message, Result):
            assert self.stored[key] == self.said[key], "the result overtook an event"
            recorded = key not in self.outcomes
            self.outcomes.setdefault(key, 1)
            self.to_agent.append(ResultAck(key, 1, recorded))

    @precondition(lambda self: self.to_agent)
    @rule()
    def answers(self) -> None:
        ack = self.to_agent.popleft()
        self.ledger.acknowledged(ack)
        if isinstance(ack, ResultAck):
            self.over.add(ack.task)

    # -- the agent

    @rule(key=keys)
    def accepts(self, key: str) -> None:
        self.ledger.say(Accept(key, 1))

    @rule()
    def waits_for_no_result(self) -> None:
        self.ledger.let_go()

    @rule(key=keys, count=st.integers(1, 5))
    def reports(self, key: str, count: int) -> None:
        if key in self.finished:
            return
        for _ in range(count):
            self.said[key] += 1
            self.ledger.say(event(self.said[key], numbered(self.said[key]), key))

    @rule(key=consumes(keys))
    def finishes(self, key: str) -> None:
        self.finished.add(key)
        self.ledger.say(result(key))

    @precondition(lambda self: self.up)
    @rule(count=st.integers(1, 5))
    def sends(self, count: int) -> None:
        for _ in range(count):
            message = self.ledger.next()
            if message is not None:
                self.to_router.append(message)

    # -- always

    @invariant()
    def the_window_is_kept(self) -> None:
        on_the_way = sum(1 for message in self.to_router if isinstance(message, Event))
        assert on_the_way <= WINDOW

    def teardown(self) -> None:
        """In the end, all is stored and acknowledged, once."""
        if not self.up:
            verdicts = [Verdict(key, 1, key not in self.lost, self.stored[key]) for key in self.said]
            self.ledger.hello(BASE)
            self.ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0, attempts=verdicts))
            self.up = True
        for _ in range(10_000):
            self.sends(5)
            if not self.to_router and not self.to_agent:
                break
            while self.to_router:
                self.takes()
            while self.to_agent:
                self.answers()
        for key in set(self.said) - self.lost:
            assert self.stored[key] == self.said[key]
            assert (key in self.outcomes) == (key in self.finished)
        assert not self.ledger.attempts.owes


def numbered(n: int) -> bytes:
    return b'{"n":%d}' % n


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=60, deadline=None)
