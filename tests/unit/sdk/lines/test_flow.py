"""When lines go: at once after a silence, together soon after, and later when there was no room."""

from __future__ import annotations

from agentic_atlas.protocol.messages import LogLine, LogsAck, LogTerms
from agentic_atlas.sdk.lines.flow import SENT_WITHIN, LogFlow
from agentic_atlas.sdk.lines.line import fitting
from agentic_atlas.sdk.lines.ring import LogRing


class Line:
    """A flow with a clock, and what it asked for to be looked at."""

    def __init__(self) -> None:
        self.now = 100.0
        self.looks: list[float] = []
        self.settled = 0
        self.flow = LogFlow(LogRing(), lambda: self.now, self._settle)
        self.flow.later = self.looks.append

    def _settle(self) -> None:
        self.settled += 1

    def say(self, message: str) -> None:
        self.flow.ring.add(*fitting(LogLine(1.0, "info", message, "logging")))

    def sent(self) -> list[str] | None:
        logs = self.flow.next()
        return None if logs is None else [line.message for line in logs.lines]


def test_nothing_goes_to_a_router_that_takes_none() -> None:
    line = Line()
    line.say("one")
    assert line.sent() is None
    line.flow.begin(None)
    assert line.sent() is None
    assert not line.flow.owes
    line.flow.begin(LogTerms())
    assert line.flow.owes
    assert line.sent() == ["one"]


def test_a_line_after_a_silence_goes_at_once_and_those_behind_it_go_together() -> None:
    line = Line()
    line.flow.begin(LogTerms())
    line.say("one")
    assert line.sent() == ["one"]
    line.say("two")
    line.flow.kept(LogsAck(1))
    assert line.sent() is None
    line.say("three")
    assert line.sent() is None
    (look,) = line.looks
    assert SENT_WITHIN <= look < 2 * SENT_WITHIN
    line.now += look
    assert line.sent() == ["two", "three"]
    line.flow.kept(LogsAck(3))
    assert not line.flow.owes
    assert line.settled == 2
    line.now += 1
    line.say("four")
    assert line.sent() == ["four"]


def test_what_was_on_its_way_at_a_cut_goes_again_on_the_next_connection_and_nothing_in_between() -> None:
    line = Line()
    line.flow.begin(LogTerms())
    line.say("one")
    assert line.sent() == ["one"]
    line.flow.cut()
    line.say("two")
    assert line.sent() is None
    line.flow.kept(LogsAck(1))
    line.flow.begin(LogTerms())
    assert line.sent() == ["one"]
    line.flow.kept(LogsAck(1))
    line.now += 1
    assert line.sent() == ["two"]


def test_without_room_lines_go_again_a_second_later() -> None:
    line = Line()
    line.flow.begin(LogTerms())
    line.say("one")
    assert line.sent() == ["one"]
    line.flow.kept(LogsAck(0))
    assert line.sent() is None
    assert line.looks[-1] >= 1.0
    line.now += line.looks[-1]
    assert line.sent() == ["one"]


def test_on_a_slow_line_messages_become_shorter_and_longer_again_when_it_is_quick() -> None:
    line = Line()
    line.flow.begin(LogTerms())

    def sent(took: float) -> int:
        for _ in range(40):
            line.say("x" * 2_000)
        line.now += 1
        logs = line.flow.next()
        assert logs is not None
        line.now += took
        line.flow.kept(LogsAck(logs.first + len(logs.lines) - 1))
        return len(logs.lines)

    counts = [sent(0.5) for _ in range(3)]
    assert counts[0] > 2 * counts[2] > 0
    sent(0.0)
    sent(0.0)
    assert sent(0.0) == counts[0]
