"""Results that ended processes left, in the ledger of the one that follows them; and results on their way to disk."""

from __future__ import annotations

from agentic_atlas.protocol.messages import (
    Accept,
    Hello,
    Outcome,
    Predecessor,
    Result,
    ResultAck,
    RunningAttempt,
    Verdict,
    Welcome,
)
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.spool.file import result_record
from agentic_atlas.sdk.spool.port import Handover, Spool
from tests.unit.sdk.ledger.test_ledger import BASE, limits, result, task


class Remembering(Spool):
    """A spool that says what it was told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def keep(self, result: Result) -> None:
        self.told.append(result)

    def forget(self, task: str, attempt: int) -> None:
        self.told.append((task, attempt))

    def settled(self) -> None:
        self.told.append("settled")


class Successor:
    """A ledger that took over t1 and t2, of two processes, and what a third one left."""

    def __init__(self) -> None:
        self.now = 100.0
        self.spool = Remembering()
        self.ledger = Ledger(spool=self.spool, clock=lambda: self.now)
        left = (result_record("p1", 950.0, result("t1")), result_record("p2", 980.0, result("t2")))
        self.ledger.take_over(Handover(("p1", "p2", "p3"), left, at=1_000.0))

    def connect(self, *verdicts: Verdict) -> Hello:
        hello = self.ledger.hello(BASE)
        self.ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0, attempts=list(verdicts)))
        return hello


def attempt(name: str) -> RunningAttempt:
    return RunningAttempt(name, 1)


def test_a_hello_names_the_ended_processes_and_what_each_left() -> None:
    hello = Successor().connect()
    assert hello.predecessors == [
        Predecessor("p1", [attempt("t1")]),
        Predecessor("p2", [attempt("t2")]),
        Predecessor("p3"),
    ]
    assert (hello.results, hello.running) == ([], [])


def test_inherited_results_are_sent_when_the_router_keeps_them() -> None:
    heir = Successor()
    heir.connect(Verdict("t1", 1, keep=True, n=7), Verdict("t2", 1, keep=False))
    assert heir.ledger.next() == result("t1")
    assert heir.ledger.next() is None
    assert heir.spool.told == [("t2", 1), "settled"]
    heir.ledger.acknowledged(ResultAck("t1", 1))
    assert heir.spool.told[2:] == [("t1", 1)]
    assert not heir.ledger.attempts.owes


def test_a_hello_without_a_welcome_is_said_again_as_it_was() -> None:
    heir = Successor()
    first = heir.ledger.hello(BASE)
    heir.ledger.cut()
    assert heir.ledger.hello(BASE) == first


def test_after_a_welcome_what_was_inherited_is_ones_own() -> None:
    heir = Successor()
    heir.connect(Verdict("t1", 1, keep=True), Verdict("t2", 1, keep=True))
    again = heir.connect(Verdict("t1", 1, keep=True), Verdict("t2", 1, keep=True))
    assert (again.predecessors, again.results) == ([], [attempt("t1"), attempt("t2")])
    assert [heir.ledger.next(), heir.ledger.next(), heir.ledger.next()] == [result("t1"), result("t2"), None]


def test_an_inherited_attempt_that_is_delivered_again_is_answered_and_never_started() -> None:
    heir = Successor()
    heir.connect(Verdict("t1", 1, keep=True), Verdict("t2", 1, keep=True))
    assert [heir.ledger.next(), heir.ledger.next()] == [result("t1"), result("t2")]
    assert not heir.ledger.offer(task("t1"))
    assert heir.ledger.next() == result("t1")


def test_the_beats_count_results_and_the_age_of_the_oldest() -> None:
    heir = Successor()
    assert (len(heir.ledger.results), heir.ledger.results.oldest) == (2, 50.0)
    heir.connect(Verdict("t1", 1, keep=False), Verdict("t2", 1, keep=True))
    heir.now += 5
    assert (len(heir.ledger.results), heir.ledger.results.oldest) == (1, 25.0)
    heir.ledger.next()
    heir.ledger.acknowledged(ResultAck("t2", 1))
    assert (len(heir.ledger.results), heir.ledger.results.oldest) == (0, 0.0)


def test_a_result_is_kept_before_it_is_sent_and_until_it_is_acknowledged() -> None:
    spool = Remembering()
    ledger = Ledger(spool=spool)
    ledger.hello(BASE)
    ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0))
    assert ledger.offer(task("t1"))
    ledger.say(Accept("t1", 1))
    ledger.say(result("t1"))
    assert spool.told == ["settled", result("t1")]
    assert [ledger.next(), ledger.next()] == [Accept("t1", 1), result("t1")]
    ledger.say(result("t1", b"2"))
    ledger.acknowledged(ResultAck("t1", 1))
    assert spool.told == ["settled", result("t1"), ("t1", 1)]


def test_what_cannot_be_sent_is_kept_as_what_takes_its_place() -> None:
    spool = Remembering()
    ledger = Ledger(spool=spool)
    ledger.hello(BASE)
    ledger.welcomed(Welcome("a", "o", "i1", 1, limits(payload_bytes=100), 10.0, 30.0, 0.0))
    assert ledger.offer(task("t1"))
    ledger.say(result("t1", b"1" * 200))
    kept = spool.told[-1]
    assert isinstance(kept, Result)
    assert kept.outcome is Outcome.FAILED
    assert kept.error is not None
    assert kept.error.code == "payload_too_large"
