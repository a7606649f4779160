"""What is said on one connection, and when it has become too quiet."""

from __future__ import annotations

import pytest
from msgspec import Raw

from agentic_atlas.protocol.codec import ProtocolError
from agentic_atlas.protocol.messages import (
    Accept,
    Beat,
    Call,
    Cancel,
    Drain,
    Event,
    EventAck,
    EventKind,
    Hello,
    Limits,
    Outcome,
    Renewal,
    Reply,
    ReplyKind,
    Result,
    ResultAck,
    RunningAttempt,
    Verdict,
)
from agentic_atlas.sdk.link.session import Beats
from agentic_atlas.sdk.link.settings import Timeouts
from tests.unit.sdk.link.router_end import BASE, BEAT, MOST_HANDED, Agent, RouterEnd, connected, task

EVERY = 10.0


def event(n: int = 1) -> Event:
    return Event("t1", 1, n, EventKind.LOG, Raw(b"{}"))


def test_a_hello_comes_first_and_nothing_else_before_the_welcome() -> None:
    agent, router = Agent(), RouterEnd()
    router.connect(agent.session)
    agent.session.begin(router, BASE)
    agent.ledger.offer(task())
    agent.ledger.say(Accept("t1", 1))
    agent.session.flush()
    agent.session.beat()
    assert router.take(Hello).instance.id == "i1"
    assert router.heard == []
    router.welcome(limits=Limits(payload_bytes=77))
    assert router.limits.payload_bytes == 77
    assert [one.instance for one in agent.welcomed] == ["i1"]
    router.take(Beat)
    assert router.take(Accept) == Accept("t1", 1)


def test_a_task_reaches_the_runner_once_and_its_result_the_router() -> None:
    agent, router = connected()
    for _ in range(2):
        router.say(task())
    assert agent.runner.told == [task()]
    agent.backlog.hand(MOST_HANDED)
    assert agent.backlog.full
    for message in (Accept("t1", 1), event(), Result("t1", 1, Outcome.COMPLETED, Raw(b"1"))):
        agent.ledger.say(message)
    agent.session.flush()
    assert [router.take(kind) for kind in (Accept, Event, Result)]
    router.say(EventAck("t1", 1, 1))
    assert agent.runner.told[-1] == ("room", "t1", 1, 0)
    router.say(ResultAck("t1", 1))
    assert not agent.ledger.attempts.owes


def test_what_concerns_nothing_here_does_not_reach_the_runner() -> None:
    agent, router = connected()
    router.say(Cancel("t9", 1, "why"))
    router.say(Reply("c9", ReplyKind.RESULT, "t2"))
    assert agent.runner.told == []


def test_what_may_not_be_sent_goes_back_to_the_runner() -> None:
    agent, router = connected(limits=Limits(payload_bytes=10))
    router.say(task())
    agent.ledger.say(Call("c1", "t1", 1, "other", "work", Raw(b'"more than ten"'), stream=False))
    agent.session.flush()
    assert router.heard == []
    (_, reply) = agent.runner.told
    assert isinstance(reply, Reply)
    assert reply.error is not None
    assert reply.error.code == "payload_too_large"


def test_an_attempt_that_is_not_ours_any_more_is_dropped_at_the_welcome() -> None:
    agent = Agent()
    agent.ledger.offer(task())
    agent.ledger.say(Accept("t1", 1))
    router = RouterEnd()
    router.connect(agent.session)
    agent.session.begin(router, BASE)
    assert router.take(Hello).running == [RunningAttempt("t1", 1)]
    router.welcome(attempts=[Verdict("t1", 1, keep=False)])
    assert agent.runner.told[0] == ("drop", "t1", 1)


def test_nothing_is_sent_while_the_router_does_not_read() -> None:
    agent, router = connected()
    agent.ledger.say(Drain())
    router.paused = True
    agent.session.flush()
    assert router.heard == []
    router.paused = False
    agent.session.writable()
    router.take(Drain)


def test_a_beat_tells_how_the_process_is() -> None:
    agent, router = connected()
    router.say(task())
    agent.session.beat()
    beat = router.take(Beat)
    assert (beat.running, beat.lag, beat.cpu, beat.memory) == (1, 0.25, 12.5, 1_000)
    assert beat.attempts == [RunningAttempt("t1", 1)]


def test_an_agent_that_pauses_says_so_from_its_hello_on() -> None:
    agent, router = Agent(pause="battery"), RouterEnd()
    router.connect(agent.session)
    agent.session.begin(router, BASE)
    assert router.take(Hello).pause == "battery"
    router.welcome()
    router.answer()
    agent.session.beat()
    assert router.take(Beat).pause == "battery"


def test_beats_come_as_often_as_the_router_wants() -> None:
    agent, router = connected()
    for n in (2, 3, 4):
        agent.pass_time(BEAT)
        assert router.answer() == n
    assert router.given_up is None


def test_a_router_that_stops_answering_is_given_up_within_two_beats() -> None:
    agent, router = connected()
    agent.pass_time(2 * BEAT - 0.5)
    assert router.given_up is None
    agent.pass_time(0.5)
    assert router.given_up == "the router has not answered for 20.0 s"


def test_answers_that_take_most_of_a_beat_do_not_cost_the_connection() -> None:
    agent, router = connected()
    agent.pass_time(BEAT)
    for _ in range(6):
        agent.pass_time(0.8 * BEAT)
        router.answer()
        agent.pass_time(0.2 * BEAT)
    assert router.given_up is None


def test_a_beat_that_went_out_late_has_half_of_one_for_its_answer() -> None:
    agent, router = connected()
    agent.now += 5 * BEAT
    agent.session.tick()
    agent.pass_time(BEAT / 2 - 0.5)
    assert router.given_up is None
    agent.pass_time(0.5)
    assert router.given_up == "the router has not answered for 20.0 s"


def test_a_slow_line_that_still_carries_something_is_not_dead() -> None:
    agent, router = connected()
    router.waiting = 1_000
    for _ in range(100):
        router.waiting -= 1
        agent.pass_time(0.5)
    assert router.given_up is None
    agent.pass_time(2 * BEAT)
    assert router.given_up is not None


def test_while_the_handlers_take_nothing_nothing_is_read_and_silence_is_none() -> None:
    agent, router = connected()
    agent.backlog.hand(MOST_HANDED + 1)
    router.say(task())
    assert not router.reading
    agent.pass_time(10 * BEAT)
    assert (router.reading, router.given_up) == (False, None)
    for _ in range(2):
        agent.backlog.ask()
    agent.session.tick()
    assert router.reading
    router.answer()
    agent.pass_time(1.5 * BEAT)
    assert router.given_up is None


@pytest.mark.parametrize("answers", [True, False])
def test_a_machine_that_slept_asks_for_an_answer_at_once(answers: bool) -> None:
    agent, router = connected()
    agent.now += 3_600.0
    agent.session.probe()
    if answers:
        router.answer()
    agent.pass_time(3.5)
    assert router.given_up == (None if answers else "the connection did not survive the sleep of this machine")


def test_a_router_that_never_welcomes_is_given_up() -> None:
    agent, router = Agent(), RouterEnd()
    agent.session.begin(router, BASE)
    agent.pass_time(15.0)
    assert router.given_up is None
    agent.pass_time(0.5)
    assert router.given_up == "the router did not answer within 15 s"


def test_a_message_that_is_not_finished_ends_the_connection() -> None:
    agent, router = connected()
    agent.session.unfinished()
    assert router.given_up == "the router began a message and did not finish it within 30 s"


def test_an_agent_has_parted_when_the_router_has_heard_its_drain() -> None:
    agent, router = connected()
    assert agent.session.parted
    agent.ledger.say(Drain())
    agent.session.flush()
    assert not agent.session.parted
    router.take(Drain)
    router.answer()
    assert agent.session.parted


def test_a_router_that_is_about_to_stop_says_when_it_is_back() -> None:
    agent, router = connected()
    router.say(Drain(2.5))
    assert agent.session.retry_after == 2.5


def test_a_connection_that_is_gone_is_not_spoken_on_and_what_was_said_is_owed_again() -> None:
    agent, router = connected()
    router.say(task())
    agent.ledger.say(Accept("t1", 1))
    agent.ledger.say(event())
    agent.session.flush()
    agent.session.end()
    agent.session.tick()
    agent.session.finish()
    assert router.given_up is None
    assert agent.ledger.attempts.pending("t1", 1) == 1


def test_what_is_no_message_is_the_routers_fault() -> None:
    agent, _ = connected()
    with pytest.raises(ProtocolError):
        agent.session.received(b"{}")


def beating(every: float = EVERY) -> Beats:
    """Return beats that began at 0 s, the first of which was sent then."""
    beats = Beats(Timeouts(), every, 0.0)
    assert beats.due(0.0)
    assert beats.next(0.0) == 1
    return beats


def test_the_next_beat_is_due_when_one_has_passed_since_the_last() -> None:
    beats = beating()
    assert not beats.due(9.9)
    assert beats.due(10.0)
    beats.next(12.0)
    assert not beats.due(21.9)


def test_a_router_that_wants_beats_all_the_time_gets_no_more_than_a_hundred_a_second() -> None:
    beats = beating(every=0.0)
    assert not beats.due(0.009)
    assert beats.due(0.01)


def test_an_answer_to_the_last_beat_ends_the_wait_and_one_to_an_earlier_beat_does_not() -> None:
    beats = beating()
    beats.next(10.0)
    beats.answer(1)
    assert (beats.sent, beats.answered) == (2, 1)
    assert beats.overdue(20.0, 0) is not None
    beats.answer(2)
    assert beats.overdue(1_000.0, 0) is None


def test_whatever_is_heard_is_no_silence() -> None:
    beats = beating()
    beats.heard(15.0)
    assert beats.overdue(34.9, 0) is None
    assert beats.overdue(35.0, 0) == "the router has not answered for 20.0 s"


def test_bytes_that_leave_are_a_sign_of_life_and_bytes_that_wait_are_none() -> None:
    beats = beating()
    assert beats.overdue(10.0, 1_000) is None
    assert beats.overdue(25.0, 999) is None
    assert beats.overdue(44.9, 999) is None
    assert beats.overdue(45.0, 999) is not None


def test_a_probe_is_decided_by_the_answer_to_the_next_beat() -> None:
    beats = beating()
    beats.begin_probe(100.0)
    assert beats.next(100.0) == 2
    beats.answer(1)
    assert beats.overdue(103.0, 0) is None
    assert beats.overdue(103.1, 0) == "the connection did not survive the sleep of this machine"
    beats.answer(2)
    assert beats.overdue(103.1, 0) is None


def test_a_probe_is_given_up_when_nothing_can_be_heard() -> None:
    beats = beating()
    beats.begin_probe(100.0)
    beats.next(100.0)
    beats.heard(110.0)
    beats.end_probe()
    assert beats.overdue(110.0, 0) is None


def test_another_token_is_asked_for_on_the_connection_and_what_is_said_of_it_is_told() -> None:
    agent, router = connected()
    told: list[Renewal] = []
    agent.session.renewed = told.append
    agent.session.renew()
    assert router.take(Renewal) == Renewal()
    router.say(Renewal("head.claims.signature", 2_000.0, renewable=True))
    assert [answer.expires_at for answer in told] == [2_000.0]


def test_who_is_not_let_in_yet_asks_for_none() -> None:
    agent, router = Agent(), RouterEnd()
    router.connect(agent.session)
    agent.session.begin(router, BASE)
    router.take(Hello)
    agent.session.renew()
    assert router.heard == []
