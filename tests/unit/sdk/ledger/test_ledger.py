"""What is owed to the router: kept over cuts, said in order, forgotten when acknowledged, and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Raw

from agentic_atlas.protocol.messages import (
    Accept,
    Answer,
    Call,
    Caller,
    Cancel,
    Drain,
    Event,
    EventAck,
    EventKind,
    Fault,
    Hello,
    InstanceInfo,
    Limits,
    LogLine,
    Logs,
    LogsAck,
    LogTerms,
    Outcome,
    Reaction,
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
from agentic_atlas.sdk.ledger.ledger import Ledger
from agentic_atlas.sdk.lines.flow import LogFlow
from agentic_atlas.sdk.lines.ring import LogRing
from agentic_atlas.sdk.ports import UnsaidQuestion

BASE = Hello(1, InstanceInfo("i1"), [])
WINDOW = 3
WITHIN = 0.25


def task(name: str = "t1", attempt: int = 1, skill: str = "work") -> Task:
    return Task(name, attempt, skill, Raw(b"{}"), Caller("user", "u1"), "", 0.0)


def event(n: int = 1, data: bytes = b"{}", name: str = "t1") -> Event:
    return Event(name, 1, n, EventKind.CHUNK, Raw(data))


def result(name: str = "t1", output: bytes = b"1") -> Result:
    return Result(name, 1, Outcome.COMPLETED, Raw(output))


def call(call_id: str = "c1", name: str = "t1", data: bytes = b"{}") -> Call:
    return Call(call_id, name, 1, "other", "work", Raw(data))


def limits(**changes: int) -> Limits:
    return Limits(**{"unacknowledged": WINDOW, **changes})


def connect(ledger: Ledger, *verdicts: Verdict, **changes: int) -> Hello:
    hello = ledger.hello(BASE)
    welcome = Welcome("a", "o", "i1", 1, limits(**changes), 10.0, 30.0, 0.0, attempts=list(verdicts))
    ledger.welcomed(welcome)
    return hello


def drain(ledger: Ledger) -> list[Any]:
    out = []
    while (message := ledger.next()) is not None:
        out.append(message)
    return out


def working(*names: str, **changes: int) -> Ledger:
    """Return a connected ledger with these attempts accepted and nothing left to say."""
    ledger = Ledger()
    connect(ledger, **changes)
    for name in names or ("t1",):
        assert ledger.offer(task(name))
        ledger.say(Accept(name, 1))
    drain(ledger)
    return ledger


def numbers(messages: list[Any]) -> list[int]:
    return [message.n for message in messages if isinstance(message, Event)]


def test_nothing_is_sent_before_the_first_welcome() -> None:
    ledger = Ledger()
    assert ledger.next() is None
    ledger.hello(BASE)
    assert ledger.next() is None


def test_a_task_is_new_once_and_a_repeated_one_is_answered_with_what_is_known() -> None:
    ledger = Ledger()
    connect(ledger)
    assert ledger.offer(task())
    assert not ledger.offer(task())
    assert drain(ledger) == []
    ledger.say(Accept("t1", 1))
    drain(ledger)
    assert not ledger.offer(task())
    assert drain(ledger) == [Accept("t1", 1)]
    ledger.say(result())
    assert drain(ledger) == [result()]
    assert not ledger.offer(task())
    assert drain(ledger) == [result()]


class Quick:
    """A connected ledger with one attempt, on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.ledger = Ledger(clock=lambda: self.now, keep_back=True)
        connect(self.ledger)
        self.ledger.offer(task())
        self.ledger.say(Accept("t1", 1))

    def heard(self) -> list[Any]:
        self.ledger.let_go(WITHIN)
        return drain(self.ledger)


def test_of_an_attempt_that_has_its_result_at_once_only_that_is_said() -> None:
    quick = Quick()
    quick.now += WITHIN / 2
    assert (quick.heard(), quick.ledger.queue.keeps_back) == ([], True)
    quick.ledger.say(result())
    assert (quick.heard(), quick.ledger.queue.keeps_back) == ([result()], False)
    quick.now += WITHIN
    assert quick.heard() == []


def test_one_that_takes_longer_is_accepted_by_itself() -> None:
    quick = Quick()
    quick.now += 1.01 * WITHIN
    assert (quick.heard(), quick.ledger.queue.keeps_back) == ([Accept("t1", 1)], False)
    quick.ledger.say(result())
    assert quick.heard() == [result()]


@pytest.mark.parametrize("said", [event(), call(), Drain()], ids=lambda said: type(said).__name__)
def test_whatever_else_is_said_comes_after_the_accept(said: Event | Call | Drain) -> None:
    quick = Quick()
    quick.ledger.say(said)
    quick.ledger.say(result())
    assert drain(quick.ledger) == [Accept("t1", 1), said, result()]


def test_a_task_that_comes_again_is_answered_at_once_and_once() -> None:
    quick = Quick()
    assert not quick.ledger.offer(task())
    assert drain(quick.ledger) == [Accept("t1", 1)]
    quick.now += 2 * WITHIN
    assert quick.heard() == []


def test_an_accept_that_was_kept_back_is_not_lost_by_a_cut() -> None:
    quick = Quick()
    assert connect(quick.ledger).running == [RunningAttempt("t1", 1)]
    assert drain(quick.ledger) == [Accept("t1", 1)]


def test_an_attempt_that_is_over_is_never_started_again() -> None:
    ledger = working()
    ledger.say(result())
    drain(ledger)
    ledger.acknowledged(ResultAck("t1", 1))
    assert not ledger.attempts.owes
    assert not ledger.offer(task())
    assert drain(ledger) == []
    assert ledger.offer(task(attempt=2))


def test_a_refused_attempt_is_forgotten_and_may_come_again() -> None:
    ledger = Ledger()
    connect(ledger)
    ledger.offer(task())
    refusal = Refuse("t1", 1, RefuseReason.GUARD, "not now")
    ledger.say(refusal)
    assert drain(ledger) == [refusal]
    assert connect(ledger).running == []
    assert ledger.offer(task())


def test_events_wait_for_acknowledgements_and_the_result_for_its_events() -> None:
    ledger = working()
    for n in range(1, 6):
        ledger.say(event(n))
    ledger.say(result())
    assert numbers(drain(ledger)) == [1, 2, 3]
    assert ledger.attempts.pending("t1", 1) == 5
    ledger.acknowledged(EventAck("t1", 1, 1))
    assert numbers(drain(ledger)) == [4]
    ledger.acknowledged(EventAck("t1", 1, 4))
    last = drain(ledger)
    assert numbers(last) == [5]
    assert last[-1] == result()


def test_a_result_does_not_wait_for_another_attempts_events() -> None:
    ledger = working("t1", "t2")
    for n in range(1, 10):
        ledger.say(event(n, name="t1"))
    drain(ledger)
    ledger.say(result("t2"))
    assert drain(ledger) == [result("t2")]


def test_attempts_take_turns_with_their_events() -> None:
    ledger = working("t1", "t2", unacknowledged=4)
    for n in range(1, 4):
        ledger.say(event(n, name="t1"))
    for n in range(1, 4):
        ledger.say(event(n, name="t2"))
    assert [(message.task, message.n) for message in drain(ledger)] == [("t1", 1), ("t2", 1), ("t1", 2), ("t2", 2)]


def test_after_a_cut_the_verdict_says_where_to_go_on() -> None:
    ledger = working()
    for n in range(1, 4):
        ledger.say(event(n))
    drain(ledger)
    ledger.acknowledged(EventAck("t1", 1, 1))
    ledger.say(result())
    drain(ledger)
    hello = connect(ledger, Verdict("t1", 1, keep=True, n=2))
    assert (hello.running, hello.results) == ([], [RunningAttempt("t1", 1)])
    again = drain(ledger)
    assert numbers(again) == [3]
    assert again[-1] == result()


def test_an_attempt_without_a_verdict_is_kept() -> None:
    ledger = working()
    ledger.say(event())
    drain(ledger)
    assert connect(ledger).running == [RunningAttempt("t1", 1)]
    assert drain(ledger) == [Accept("t1", 1), event()]


def test_dropped_attempts_are_named_when_they_run_and_forgotten_in_any_case() -> None:
    ledger = working("t1", "t2")
    ledger.say(call(name="t1"))
    ledger.say(result("t2"))
    ledger.hello(BASE)
    verdicts = [Verdict("t1", 1, keep=False), Verdict("t2", 1, keep=False), Verdict("other", 1, keep=False)]
    dropped = ledger.welcomed(Welcome("a", "o", "i1", 2, limits(), 10.0, 30.0, 0.0, attempts=verdicts))
    assert dropped == [RunningAttempt("t1", 1)]
    ledger.say(event())
    ledger.say(result())
    assert drain(ledger) == []
    assert (ledger.attempts.owes, ledger.attempts.running) == (False, 0)


def test_acknowledgements_that_do_not_belong_change_nothing() -> None:
    ledger = working()
    ledger.say(event())
    drain(ledger)
    ledger.acknowledged(ResultAck("t1", 1))
    ledger.acknowledged(EventAck("other", 1, 5))
    ledger.acknowledged(EventAck("t1", 1, 0))
    assert ledger.attempts.pending("t1", 1) == 1
    ledger.say(event(2))
    ledger.acknowledged(EventAck("t1", 1, 99))
    assert numbers(drain(ledger)) == [2], "what was never sent is not stored, whatever the router says"


def test_only_the_first_result_counts_and_events_after_it_do_not() -> None:
    ledger = working()
    ledger.say(result(output=b"1"))
    ledger.say(result(output=b"2"))
    ledger.say(event())
    assert drain(ledger) == [result(output=b"1")]


def test_cancels_concern_what_runs() -> None:
    ledger = working()
    assert ledger.attempts.concerns(Cancel("t1", 1))
    assert not ledger.attempts.concerns(Cancel("t1", 2))
    ledger.say(result())
    assert not ledger.attempts.concerns(Cancel("t1", 1))


def question(number: int = 1, *, schema: bytes = b"null") -> Event:
    data = b'{"number":%d,"question":"Well?","schema":%b}' % (number, schema)
    return Event("t1", 1, 1, EventKind.QUESTION, Raw(data))


def test_answers_concern_what_runs() -> None:
    ledger = working()
    assert ledger.attempts.concerns(Answer("t1", 1, Reaction(1)))
    assert not ledger.attempts.concerns(Answer("t2", 1, Reaction(1)))


def test_a_question_is_said_again_after_a_cut_until_it_is_stored() -> None:
    ledger = working()
    ledger.say(question())
    assert drain(ledger) == [question()]
    connect(ledger, Verdict("t1", 1, keep=True, n=0))
    assert drain(ledger) == [Accept("t1", 1), question()]
    connect(ledger, Verdict("t1", 1, keep=True, n=1))
    assert drain(ledger) == [Accept("t1", 1)]


@pytest.mark.parametrize("data", [b"1", b'"text"', b" []", b"null"])
def test_an_event_whose_data_is_no_object_is_left_out_and_a_line_says_so(data: bytes) -> None:
    ledger = working()
    ledger.say(event(1, data))
    [said] = drain(ledger)
    assert (said.n, said.kind) == (1, EventKind.LOG)
    assert b"the data of an event is a JSON object" in bytes(said.data)


def test_a_question_is_kept_where_other_events_are_left_out_for_their_number() -> None:
    ledger = working(events_per_task=3)
    for _ in range(2):
        ledger.say(event())
    ledger.say(question())
    assert [(one.n, one.kind) for one in drain(ledger)] == [(1, "chunk"), (2, "chunk"), (3, "question")]
    ledger.say(question(2))
    assert drain(ledger) == [UnsaidQuestion("t1", 1, 2, Fault("too_many_events", "an attempt can have 3 events"))]


def test_a_question_there_is_no_memory_for_is_told_to_who_asked_it() -> None:
    ledger = Ledger(held_bytes=1_000)
    connect(ledger)
    ledger.offer(task())
    ledger.say(Accept("t1", 1))
    ledger.say(event(data=b'{"x":"' + b"x" * 600 + b'"}'))
    ledger.say(question(7))
    told = next(one for one in drain(ledger) if isinstance(one, UnsaidQuestion))
    assert (told.question, told.fault.code) == (7, "too_many_events")


def test_a_question_over_a_limit_that_came_with_a_reconnect_is_told_to_who_asked_it() -> None:
    ledger = working()
    ledger.cut()
    ledger.say(question(schema=b'"' + b"x" * 500 + b'"'))
    connect(ledger, Verdict("t1", 1, keep=True), event_bytes=100)
    said = drain(ledger)
    assert [type(one) for one in said] == [Accept, Event, UnsaidQuestion]
    assert said[1].kind is EventKind.LOG
    assert said[2].fault.code == "payload_too_large"


def test_an_open_call_is_said_again_with_the_last_event_seen_and_replies_count_once() -> None:
    ledger = working()
    ledger.say(call())
    ledger.say(call())
    assert drain(ledger) == [call()]
    assert ledger.calls.reply(Reply("c1", ReplyKind.EVENT, seq=3))
    assert not ledger.calls.reply(Reply("c1", ReplyKind.EVENT, seq=3))
    assert not ledger.calls.reply(Reply("c1", ReplyKind.EVENT, seq=2))
    connect(ledger, Verdict("t1", 1, keep=True))
    assert drain(ledger)[1].after == 3
    assert ledger.calls.reply(Reply("c1", ReplyKind.RESULT))
    assert not ledger.calls.reply(Reply("c1", ReplyKind.RESULT))
    connect(ledger, Verdict("t1", 1, keep=True))
    assert drain(ledger) == [Accept("t1", 1)]


def test_calls_over_the_limit_wait_for_others_to_end() -> None:
    ledger = working(open_calls=2)
    for number in range(4):
        ledger.say(call(f"c{number}"))
    assert [message.id for message in drain(ledger)] == ["c0", "c1"]
    ledger.calls.forget("c2")
    ledger.calls.reply(Reply("c0", ReplyKind.RESULT))
    assert [message.id for message in drain(ledger)] == ["c3"]


def test_the_calls_of_an_attempt_end_with_it() -> None:
    ledger = working()
    ledger.say(call())
    ledger.say(result())
    drain(ledger)
    ledger.acknowledged(ResultAck("t1", 1))
    assert not ledger.calls.reply(Reply("c1", ReplyKind.RESULT))
    ledger.say(call("c2"))
    assert drain(ledger) == []


def test_events_are_numbered_without_gaps_whatever_the_runner_says() -> None:
    ledger = working(unacknowledged=10)
    for n in (7, 7, 1):
        ledger.say(event(n))
    assert numbers(drain(ledger)) == [1, 2, 3]


def test_what_is_over_the_memory_is_left_out_and_that_is_told() -> None:
    ledger = Ledger(held_bytes=1_000)
    connect(ledger)
    ledger.offer(task())
    ledger.say(Accept("t1", 1))
    for n in range(1, 6):
        ledger.say(event(n, b'{"x":"' + b"x" * 300 + b'"}'))
    sent = drain(ledger)
    assert numbers(sent) == [1]
    ledger.acknowledged(EventAck("t1", 1, 1))
    ledger.say(event(6))
    told, last = drain(ledger)
    assert (told.n, told.kind, last.n) == (2, EventKind.LOG, 3)
    assert b"4 events were left out" in bytes(told.data)


def test_new_tasks_are_refused_while_too_much_is_held() -> None:
    ledger = Ledger(held_attempts=1)
    connect(ledger)
    assert ledger.offer(task("t1"))
    assert not ledger.offer(task("t2"))
    (refusal,) = drain(ledger)
    assert (refusal.task, refusal.reason) == ("t2", RefuseReason.BUSY)
    heavy = Ledger(held_bytes=100)
    connect(heavy)
    heavy.offer(task("t1"))
    heavy.say(result("t1", b'{"x":"' + b"x" * 200 + b'"}'))
    assert not heavy.offer(task("t2"))
    assert [type(message) for message in drain(heavy)] == [Refuse, Result]


def test_a_peer_that_repeats_itself_does_not_make_the_answers_pile_up() -> None:
    ledger = Ledger(held_attempts=10)
    connect(ledger)
    ledger.offer(task())
    ledger.say(Accept("t1", 1))
    for number in range(1_000):
        ledger.offer(task())
        ledger.offer(task(f"x{number}"))
    assert len(drain(ledger)) <= 20


def test_the_last_event_that_an_attempt_can_have_says_so() -> None:
    ledger = working(events_per_task=3, unacknowledged=10)
    for n in range(1, 8):
        ledger.say(event(n))
    sent = drain(ledger)
    assert numbers(sent) == [1, 2, 3]
    assert b"this is the last one" in bytes(sent[-1].data)


DEEP = b"[" * 100 + b"]" * 100


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (b'"' + b"x" * 2_000 + b'"', "payload_too_large"),
        (DEEP, "payload_too_large"),
        (b"NaN", "invalid_output"),
        (b"{", "invalid_output"),
        (b'"\xff"', "invalid_output"),
    ],
)
def test_an_output_that_the_router_would_have_to_refuse_becomes_a_failure(output: bytes, code: str) -> None:
    ledger = working(payload_bytes=1_000)
    ledger.say(result(output=output))
    (sent,) = drain(ledger)
    assert (sent.outcome, sent.error.code) == (Outcome.FAILED, code)


def test_an_error_that_is_too_long_keeps_its_code() -> None:
    ledger = working()
    ledger.say(Result("t1", 1, Outcome.REJECTED, error=Fault("my_code", "no " * 10_000 + "\ud800")))
    (sent,) = drain(ledger)
    assert (sent.outcome, sent.error.code) == (Outcome.REJECTED, "my_code")
    assert sent.error.message.startswith("no no")


def test_an_error_that_cannot_be_said_at_all_is_a_failure() -> None:
    ledger = working()
    ledger.say(Result("t1", 1, Outcome.FAILED, error=Fault("", "no code")))
    (sent,) = drain(ledger)
    assert sent.error.code == "invalid_output"


def test_an_event_that_cannot_be_sent_leaves_a_note_under_its_number() -> None:
    ledger = working(event_bytes=100)
    ledger.say(event(1, b'{"x":"' + b"x" * 200 + b'"}'))
    (sent,) = drain(ledger)
    assert (sent.n, sent.kind) == (1, EventKind.LOG)
    assert b"an event was left out" in bytes(sent.data)


def test_a_call_that_cannot_be_sent_is_answered_here() -> None:
    ledger = working()
    ledger.say(call(data=DEEP))
    (answer,) = drain(ledger)
    assert isinstance(answer, Reply)
    assert (answer.id, answer.state, answer.error.code) == ("c1", "failed", "payload_too_large")
    assert not ledger.calls.reply(Reply("c1", ReplyKind.RESULT))


def test_a_refusal_with_a_text_that_is_too_long_is_sent_without_it() -> None:
    ledger = Ledger()
    connect(ledger)
    ledger.offer(task())
    ledger.say(Refuse("t1", 1, RefuseReason.GUARD, "x" * 20_000))
    assert drain(ledger) == [Refuse("t1", 1, RefuseReason.GUARD)]


def test_the_skills_that_run_are_named_once_and_in_order() -> None:
    ledger = Ledger()
    connect(ledger)
    for name, skill in (("t1", "one"), ("t2", "two"), ("t3", "one"), ("t4", "waits")):
        ledger.offer(task(name, skill=skill))
    for name in ("t1", "t2", "t3"):
        ledger.say(Accept(name, 1))
    assert list(ledger.attempts.running_skills()) == ["one", "two"]
    ledger.say(result("t2"))
    assert list(ledger.attempts.running_skills()) == ["one"]
    assert ledger.attempts.running == 3


def test_a_drain_is_said_at_once_and_first_of_all_after_every_welcome() -> None:
    ledger = Ledger()
    ledger.say(Drain())
    connect(ledger)
    assert drain(ledger) == [Drain()]
    ledger.offer(task())
    ledger.say(Accept("t1", 1))
    connect(ledger, Verdict("t1", 1, keep=True))
    assert drain(ledger) == [Drain(), Accept("t1", 1)]


def test_a_task_is_undecided_until_it_is_accepted_or_refused() -> None:
    ledger = Ledger()
    connect(ledger)
    assert not ledger.attempts.undecided
    ledger.offer(task("t1"))
    ledger.offer(task("t2"))
    ledger.say(Accept("t1", 1))
    assert ledger.attempts.undecided
    ledger.say(Refuse("t2", 1, RefuseReason.DRAINING))
    assert not ledger.attempts.undecided


def test_in_hand_is_what_was_not_begun_what_runs_and_what_has_a_result() -> None:
    ledger = Ledger()
    connect(ledger)
    for name in ("new", "runs", "ended", "nobodys"):
        ledger.offer(task(name))
    for name in ("runs", "ended", "nobodys"):
        ledger.say(Accept(name, 1))
    ledger.say(result("ended"))
    assert [one.task for one in ledger.attempts.in_hand({("runs", 1)})] == ["new", "runs", "ended"]


def test_log_lines_go_when_nothing_else_does_and_are_acknowledged() -> None:
    flow = LogFlow(LogRing(), lambda: 100.0)
    ledger = Ledger(lines=flow)
    line = LogLine(1.0, "info", "said", "logging")
    flow.ring.add(line, 100)
    assert ledger.next() is None
    ledger.hello(BASE)
    ledger.welcomed(Welcome("a", "o", "i1", 1, limits(), 10.0, 30.0, 0.0, logs=LogTerms()))
    ledger.offer(task())
    ledger.say(event())
    assert isinstance(ledger.next(), Event)
    logs = ledger.next()
    assert logs == Logs(1, (line,))
    assert ledger.next() is None
    assert flow.owes
    ledger.acknowledged(LogsAck(1))
    assert not flow.owes
    ledger.cut()
    assert not flow.owes
    Ledger().acknowledged(LogsAck(1))
