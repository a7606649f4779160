"""Who watches logs has what fits, and is seen, and is told what was left out."""

from __future__ import annotations

from agentic_atlas.backend.domain.logs import LogFilter, LoggedLine, TaskOwner
from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Share
from agentic_atlas.backend.engine.feed import Watch
from agentic_atlas.backend.engine.log_tail import MOST_BYTES, LogTail
from agentic_atlas.backend.rights import Visible
from agentic_atlas.protocol.messages import LogSource

ADA, BOB = Visible("usr_ada", None, ("user:usr_ada",)), Visible("usr_bob", None, ("user:usr_bob",))
AGENT = AgentRecord("agent_1", "usr_ada", "ada", "hello", 0.0)
OWNERS = {"task_bob": TaskOwner("agent_1", "usr_bob", "key_bob", "")}


def line(n: int, message: str = "a", source: LogSource = "logging", task: str = "") -> LoggedLine:
    return LoggedLine(n, 0.0, "info", message, source, task)


LINES = [line(1, "own"), line(2, "to Bob", "task", "task_bob"), line(3, "of it", "stdout", "task_bob")]


def told(
    visible: Visible, which: LogFilter | None = None, agent: AgentRecord | None = AGENT, *, manages: bool = True
) -> list[str]:
    tail = LogTail()
    with tail.watch(Watch(), which or LogFilter(), visible, manages=manages) as watch:
        tail.tell(agent, ("agent_1", "ins_1"), LINES, OWNERS)
        lines, lost = watch.take()
    assert lost == 0
    assert all((one.agent_id, one.instance_id) == ("agent_1", "ins_1") for one in lines)
    return [one.line.message for one in lines]


async def test_who_manages_an_agent_is_told_all_and_others_what_is_said_to_their_tasks() -> None:
    everything = ["own", "to Bob", "of it"]
    shared = AgentRecord("agent_1", "usr_ada", "ada", "hello", 0.0, shares=(Share("user:usr_bob", AccessLevel.MANAGE),))
    assert told(ADA) == told(Visible(None)) == told(BOB, agent=shared) == everything
    assert told(BOB) == told(BOB, agent=None) == ["to Bob"]
    assert told(ADA, agent=None) == []
    assert told(Visible("usr_x")) == []


async def test_a_credential_that_is_good_for_less_is_told_less() -> None:
    assert told(Visible("usr_bob", "key_bob")) == ["to Bob"]
    assert told(Visible("usr_bob", "key_other")) == []
    assert told(ADA, manages=False) == ["to Bob"]


async def test_only_what_fits_is_told() -> None:
    assert told(ADA, LogFilter(text="BOB")) == ["to Bob"]
    assert told(ADA, LogFilter(agent_ids=("agent_2",))) == []
    assert told(ADA, LogFilter(tasks=("task_bob",), sources=("stdout",))) == ["of it"]


async def test_who_reads_slowly_loses_the_oldest_and_is_told_how_many() -> None:
    tail = LogTail()
    with tail.watch(Watch(), LogFilter(), ADA, manages=True) as watch:
        for n in range(1, 301):
            tail.tell(AGENT, ("agent_1", "ins_1"), [line(n, "x" * 10_000)], {})
        lines, lost = watch.take()
        assert len(lines) + lost == 300
        assert [one.line.n for one in lines] == list(range(lost + 1, 301))
        assert MOST_BYTES * 0.9 < len(lines) * 10_000 < MOST_BYTES
        assert watch.take() == ([], 0)


async def test_the_bell_rings_once_for_many_and_not_for_what_does_not_fit() -> None:
    tail, bell = LogTail(), Watch()
    with tail.watch(bell, LogFilter(level="error"), ADA, manages=True):
        tail.tell(AGENT, ("agent_1", "ins_1"), LINES, OWNERS)
        assert not await bell.changed(0.3)
    with tail.watch(bell, LogFilter(), ADA, manages=True):
        for _ in range(5):
            tail.tell(AGENT, ("agent_1", "ins_1"), LINES, OWNERS)
        assert await bell.changed(5.0)
        assert not await bell.changed(0.3)
    assert len(tail) == 0
