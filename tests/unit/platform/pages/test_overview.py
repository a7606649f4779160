"""The last hour in figures, why tasks failed, and where something can be done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentic_atlas.backend.usecases.agents import AgentCounts
from agentic_atlas.platform.pages.overview import (
    MOST_NEEDS,
    failures_by_code,
    figures,
    overview_of,
    path_of,
    percent,
)
from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.caller.statistics import FailureCount, StatisticsInfo, TimedCounts
from tests.unit.platform.test_network_map import summary

AT = datetime(2026, 11, 30, 18, tzinfo=UTC)


def counted(completed: int = 0, **more: Any) -> TimedCounts:
    usual = {
        "at": AT,
        "completed": completed,
        "failed": 0,
        "rejected": 0,
        "canceled": 0,
        "success_rate": None,
        "p50": None,
        "p95": None,
        "p99": None,
    }
    return TimedCounts(**(usual | more))


def an_hour(total: TimedCounts, *spans: TimedCounts) -> StatisticsInfo:
    return StatisticsInfo(
        since=AT, until=AT + timedelta(hours=1), step=60, total=total, spans=list(spans), skills=[], failures=[],
        callers=[], waiting=3, running=2,
    )  # fmt: skip


def item(kind: str, subject: str = "ada/a") -> AttentionItem:
    return AttentionItem(kind=kind, subject=subject, since=None, until=None, what="so", todo="do")


def test_an_hour_is_written_in_figures() -> None:
    total = counted(90, failed=30, canceled=1, success_rate=0.75, p50=0.01234, p95=1.25, p99=360.0)
    made = figures(an_hour(total, counted(90), counted(0, failed=30)))
    assert (made.rate, made.ended, made.success) == ("2.0", 121, "75 %")
    assert made.counted == 120
    assert (made.p50, made.p95, made.p99) == ("≈ 12 ms", "≈ 1.2 s", "≈ 6 min")
    assert made.curve.most == 90


def test_an_hour_without_tasks_has_figures_too() -> None:
    made = figures(an_hour(counted()))
    assert (made.rate, made.success, made.p50) == ("0.0", "–", "–")
    assert figures(an_hour(counted(60_000_000))).rate == "1,000,000"
    assert figures(an_hour(counted(1))).rate == "< 0.1"


@pytest.mark.parametrize(
    ("part", "said"),
    [(0, "0 %"), (0.00001, "0.1 %"), (0.5, "50 %"), (0.9876, "98.8 %"), (0.99999, "99.9 %"), (1, "100 %")],
)
def test_all_is_said_of_all_alone_and_nothing_of_nothing(part: float, said: str) -> None:
    assert percent(part) == said


def test_failures_of_one_code_stand_together() -> None:
    failures = [
        FailureCount(agent="ada/a", skill="s", code="timeout", tasks=5),
        FailureCount(agent="ada/b", skill="t", code="skill_failed", tasks=4),
        FailureCount(agent="ada/c", skill="u", code="skill_failed", tasks=3),
    ]
    rows = failures_by_code(failures)
    assert [(row.code, row.tasks, row.where) for row in rows] == [
        ("skill_failed", 7, "ada/b.t and 1 more"), ("timeout", 5, "ada/a.s"),
    ]  # fmt: skip


def test_what_needs_somebody_leads_to_where_it_is_done() -> None:
    paths = [path_of(item(kind)) for kind in ("token", "agent", "finding")]
    assert paths == ["/agents/ada/a/tokens", "/agents/ada/a", ""]
    assert path_of(item("question", "tsk_1")) == "/tasks/tsk_1"


def test_the_overview_counts_agents_and_shows_first_what_comes_first() -> None:
    agents = [summary("ada/a", slots_used=3), summary("ada/b", "offline")]
    needs = [item("agent", f"ada/{n}") for n in range(MOST_NEEDS + 2)]
    made = overview_of(
        agents, AgentCounts(2, 1, 4, 3, {"ada": 2}, ["ada/a"]), needs, an_hour(counted()), "http://atlas"
    )
    assert (made.agents, made.online, made.slots, made.slots_used) == (2, 1, 4, 3)
    assert (made.waiting, made.running) == (3, 2)
    assert (len(made.needs), len(made.more_needs)) == (MOST_NEEDS, 2)
    assert {one.key for one in made.map.nodes} == {"platform", "router", "ada/a", "ada/b"}
