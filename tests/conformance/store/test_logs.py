"""Promises of a store of log lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec import Raw

from agentic_atlas.backend.domain.logs import LogBatch, LogFilter, LogLimits, LogSight, TaskOwner
from agentic_atlas.backend.ports import LogStore
from agentic_atlas.backend.store.logs import open_logs
from agentic_atlas.backend.store.memory_logs import MemoryLogs
from agentic_atlas.errors import InvalidInput
from agentic_atlas.protocol.messages import LogLine, LogSource

NOW = 1_800_000_000.0
LIMITS = LogLimits()
ALL = LogSight()
OWNERS = {
    "task_ada": TaskOwner("agent_a", "user_ada", "key_ada", "a" * 32),
    "task_bob": TaskOwner("agent_a", "user_bob", "key_bob", "b" * 32),
}


@pytest.fixture(params=["file", "SQLite in memory", "memory"])
async def logs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[LogStore]:
    """A store that is empty."""
    if request.param == "memory":
        yield MemoryLogs()
        return
    async with open_logs(tmp_path / "logs.db" if request.param == "file" else None) as store:
        yield store


def line(message: str, at: float = NOW, *, task: str = "", source: LogSource = "logging", **more: object) -> LogLine:
    return LogLine(at=at, level=more.pop("level", "info"), message=message, source=source, task=task, **more)  # type: ignore[arg-type]


def batch(first: int, *lines: LogLine, agent: str = "agent_a", instance: str = "inst_1", dropped: int = 0) -> LogBatch:
    return LogBatch(agent, instance, first, lines, dropped, OWNERS)


async def kept(logs: LogStore, *batches: LogBatch, now: float = NOW) -> list[int]:
    return [one.up_to for one in await logs.append(batches, now, LIMITS)]


async def said(logs: LogStore, which: LogFilter | None = None, sight: LogSight = ALL, *, limit: int = 100) -> list[str]:
    """Return all messages that are found, a page after the other, newest first."""
    found: list[str] = []
    before: str | None = None
    while True:
        page = await logs.find(which or LogFilter(), sight, limit=limit, before=before)
        found += [one.line.message for one in page.lines]
        if page.next is None:
            return found
        assert page.next != before
        before = page.next


def numbered(first: int, count: int, at: float = NOW) -> Sequence[LogLine]:
    return [line(f"line {n}", at + n) for n in range(first, first + count)]


async def test_lines_are_found_newest_first_whole(logs: LogStore) -> None:
    said_first = line(
        'ünder "way"\n\x1b[31m',
        NOW - 2,
        task="task_ada",
        attempt=2,
        logger="app.db",
        fields=Raw(b'{ "user": "J\\u00f6rg",\n"n": 1 }'),
        exception="Traceback …\nValueError: no",
        level="error",
    )
    assert await kept(logs, batch(1, said_first, line("then", NOW - 1))) == [2]
    page = await logs.find(LogFilter(), ALL, limit=10)
    assert [one.line.message for one in page.lines] == ["then", said_first.message]
    assert (page.next, page.searched_to) == (None, None)
    found = page.lines[1]
    assert (found.agent_id, found.instance_id) == ("agent_a", "inst_1")
    shown = found.line
    assert (shown.n, shown.at, shown.level, shown.source) == (1, NOW - 2, "error", "logging")
    assert (shown.task, shown.attempt, shown.trace, shown.logger) == ("task_ada", 2, "a" * 32, "app.db")
    assert (bytes(shown.fields).decode(), shown.exception) == ('{"user":"Jörg","n":1}', said_first.exception)


async def test_a_line_that_comes_again_is_kept_once(logs: LogStore) -> None:
    lines = [line(f"line {n}") for n in range(1, 6)]
    assert await kept(logs, batch(1, *lines[:3])) == [3]
    again = await logs.append([batch(1, *lines[:3]), batch(2, *lines[1:])], NOW, LIMITS)
    assert [(one.up_to, [kept.n for kept in one.lines]) for one in again] == [(3, []), (5, [4, 5])]
    assert await said(logs) == [f"line {n}" for n in (5, 4, 3, 2, 1)]


async def test_each_instance_has_numbers_of_its_own(logs: LogStore) -> None:
    assert await kept(logs, batch(1, line("one", NOW - 2)), batch(1, line("two", NOW - 1), instance="inst_2")) == [1, 1]
    assert await said(logs) == ["two", "one"]


async def test_lines_that_never_came_are_counted_unless_a_line_tells_of_them(logs: LogStore) -> None:
    await kept(logs, batch(1, line("a")))
    await kept(logs, batch(5, line("b"), line("c")))
    await kept(logs, batch(40, line("33 lines were dropped", source="agent"), dropped=34))
    await kept(logs, batch(90, line("of before"), instance="inst_2", dropped=7))
    page = await logs.find(LogFilter(), ALL, limit=10)
    assert {one.line.message: one.line.missing for one in page.lines} == {
        "a": 0,
        "b": 3,
        "c": 0,
        "33 lines were dropped": 0,
        "of before": 7,
    }


async def test_a_clock_that_is_wrong_does_not_hide_a_line_or_change_its_place(logs: LogStore) -> None:
    await kept(logs, batch(1, line("ahead", NOW + 500), line("back", NOW - 500), line("long ago", 0.0)))
    page = await logs.find(LogFilter(since=NOW), ALL, limit=10)
    assert [(one.line.message, one.line.at) for one in page.lines] == [
        ("long ago", NOW),
        ("back", NOW),
        ("ahead", NOW),
    ]


async def test_what_an_agent_says_of_a_task_that_is_not_its_own_is_no_line_of_it(logs: LogStore) -> None:
    await kept(logs, batch(1, line("forged", task="task_of_another", attempt=1, trace="f" * 32, source="task")))
    (found,) = (await logs.find(LogFilter(), ALL, limit=10)).lines
    assert (found.line.task, found.line.attempt, found.line.trace) == ("", 0, "")
    assert await said(logs, LogFilter(tasks=("task_of_another",))) == []


async def test_everything_that_is_given_narrows(logs: LogStore) -> None:
    await kept(
        logs,
        batch(
            1,
            line("first", NOW - 9, level="debug"),
            line("of Ada", NOW - 8, task="task_ada", source="task"),
            line("of Bob", NOW - 7, task="task_bob", source="task", level="error"),
            line("printed", NOW - 6, task="task_ada", source="stdout", level="warning"),
        ),
        batch(1, line("elsewhere", NOW - 5), agent="agent_b", instance="inst_b"),
    )
    every = ["elsewhere", "printed", "of Bob", "of Ada", "first"]
    assert await said(logs) == every
    assert await said(logs, LogFilter(agent_ids=("agent_b",))) == ["elsewhere"]
    assert await said(logs, LogFilter(agent_ids=())) == []
    assert await said(logs, LogFilter(tasks=("task_ada", "task_none"))) == ["printed", "of Ada"]
    assert await said(logs, LogFilter(level="warning")) == ["printed", "of Bob"]
    assert await said(logs, LogFilter(level="critical")) == []
    assert await said(logs, LogFilter(sources=("task", "stdout"))) == ["printed", "of Bob", "of Ada"]
    assert await said(logs, LogFilter(since=NOW - 7, until=NOW - 5)) == ["printed", "of Bob"]
    assert await said(logs, LogFilter(text="OF")) == ["of Bob", "of Ada"]
    assert await said(logs, LogFilter(text="of", tasks=("task_ada",), level="info")) == ["of Ada"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("straSSe", ["Straße or strasse"]),
        ("STRAßE", ["Straße or strasse"]),
        ("100%", ["100% of a_b"]),
        ("a_b", ["100% of a_b"]),
        ("axb", []),
        ('a "quote"', ['a "quote" \\ back']),
        ("\\ back", ['a "quote" \\ back']),
        ("line\nbreak", ["line\nbreak"]),
        ("order 4711", []),
        ('"order":4711', []),
        ("4711", ["with fields"]),
        ("Zürich", ["with fields"]),
        ("zÜRICH", ["with fields"]),
        ("KeyError", ["failed"]),
        ("app.db", ["failed"]),
        ("logging", []),
        ("привет", ["ПРИВЕТ, мир"]),
        ("^", ["caret ^"]),
    ],
)
async def test_text_is_found_in_what_lines_say(logs: LogStore, text: str, found: list[str]) -> None:
    await kept(
        logs,
        batch(
            1,
            line("Straße or strasse"),
            line("100% of a_b"),
            line('a "quote" \\ back'),
            line("line\nbreak"),
            line("with fields", fields=Raw(b'{"order": 4711, "city": "Z\\u00fcrich"}')),
            line("failed", exception="KeyError: 1", logger="app.db"),
            line("ПРИВЕТ, мир"),
            line("caret ^"),
        ),
    )
    assert await said(logs, LogFilter(text=text)) == found


async def test_only_what_somebody_sees_is_found(logs: LogStore) -> None:
    await kept(
        logs,
        batch(
            1,
            line("own", NOW - 4),
            line("to Ada", NOW - 3, task="task_ada", source="task"),
            line("printed", NOW - 2, task="task_ada", source="stdout"),
            line("to Bob", NOW - 1, task="task_bob", source="task"),
        ),
    )
    none = frozenset[str]()
    assert await said(logs, sight=LogSight(frozenset({"agent_a"}), "user_x")) == ["to Bob", "printed", "to Ada", "own"]
    assert await said(logs, sight=LogSight(none, "user_ada")) == ["to Ada"]
    assert await said(logs, sight=LogSight(none, "user_ada", "key_other")) == []
    assert await said(logs, sight=LogSight(none, None, "key_bob")) == ["to Bob"]
    assert await said(logs, sight=LogSight(none, "user_x")) == []
    assert await said(logs, LogFilter(tasks=("task_bob",)), LogSight(none, "user_ada")) == []


async def test_pages_follow_one_another_without_a_gap_whatever_blocks_lines_are_in(logs: LogStore) -> None:
    """Many short messages, of several instances at once, over hours."""
    sent: list[tuple[float, str]] = []
    for turn in range(60):
        for instance in range(3):
            at = NOW + turn * 200 + instance
            said_now = [line(f"{instance}/{turn}/{n}", at + n / 10) for n in range(3)]
            sent += [(one.at, one.message) for one in said_now]
            await kept(logs, batch(1 + turn * 3, *said_now, instance=f"inst_{instance}"), now=NOW + 20_000)
    expected = [message for _, message in sorted(sent, reverse=True)]
    for limit in (7, 100, 1000):
        assert await said(logs, limit=limit) == expected
    middle = LogFilter(since=NOW + 3_000, until=NOW + 9_000)
    within = [message for at, message in sorted(sent, reverse=True) if NOW + 3_000 <= at < NOW + 9_000]
    assert await said(logs, middle, limit=11) == within


async def test_a_cursor_that_is_none_is_refused(logs: LogStore) -> None:
    for cursor in ("x", "MTphYmM"):
        with pytest.raises(InvalidInput) as refused:
            await logs.find(LogFilter(), ALL, limit=1, before=cursor)
        assert refused.value.code == "invalid_cursor"


async def trimmed(logs: LogStore, limits: LogLimits, now: float) -> None:
    async with asyncio.timeout(10):
        while await logs.trim(now, limits):
            pass


async def test_what_is_too_old_or_too_much_goes_the_oldest_first(logs: LogStore) -> None:
    for turn in range(40):
        at = NOW + turn * 4_000
        await kept(logs, batch(1 + turn, line(f"a {turn} {'x' * 900}", at)), now=at)
        await kept(logs, batch(1 + turn, line(f"b {turn} {'x' * 900}", at), agent="agent_b", instance="b"), now=at)
    end = NOW + 39 * 4_000
    await trimmed(logs, LogLimits(logs_age=30 * 4_000 + 1), end)
    assert len(await said(logs)) == 62
    await trimmed(logs, LogLimits(logs_agent_bytes=25_000), end)
    of_a = await said(logs, LogFilter(agent_ids=("agent_a",)))
    assert 20 <= len(of_a) <= 25
    assert of_a[0].startswith("a 39 ")
    await trimmed(logs, LogLimits(logs_bytes=20_000), end)
    rest = await said(logs)
    assert 15 <= len(rest) <= 20
    assert {one.split()[1] for one in rest[:4]} == {"39", "38"}


async def test_after_lines_were_removed_their_instance_goes_on(logs: LogStore) -> None:
    await kept(logs, batch(1, line("old")))
    await trimmed(logs, LogLimits(logs_age=10), NOW + 100)
    assert await said(logs) == []
    assert await kept(logs, batch(2, line("new", NOW + 100)), now=NOW + 100) == [2]
    (found,) = (await logs.find(LogFilter(), ALL, limit=10)).lines
    assert (found.line.message, found.line.missing) == ("new", 0)


async def test_what_is_kept_of_an_agent_can_be_removed(logs: LogStore) -> None:
    await kept(
        logs,
        batch(1, line("a", task="task_ada", source="task")),
        batch(1, line("b"), agent="agent_b", instance="inst_b"),
    )
    assert sorted(await logs.agents()) == ["agent_a", "agent_b"]
    await logs.forget("agent_a")
    assert await logs.agents() == ["agent_b"]
    assert await said(logs) == ["b"]
    assert await said(logs, LogFilter(tasks=("task_ada",))) == []
