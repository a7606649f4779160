"""Overview: what needs somebody, how the last hour was, and the network as a picture."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import msgspec

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, attention, statistics
from agentic_atlas.backend.usecases.agents import AgentCounts
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import HOME_PAGE, Whereabouts
from agentic_atlas.platform.network_map import MOST_ALONE, MOST_PLACES, NetworkMap, in_turn, network_map, together
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.platform.sparkline import Sparkline, sparkline
from agentic_atlas.platform.templating import number
from agentic_atlas.platform.wording import duration
from agentic_atlas.protocol.caller.agents import AgentSummary
from agentic_atlas.protocol.caller.attention import AttentionItem
from agentic_atlas.protocol.caller.statistics import CallCount, FailureCount, StatisticsInfo

pages = PageGroup("overview")

MOST_NEEDS: Final = 5
"""Things to do that are shown at once; the others open."""
MOST_CODES: Final = 8
"""Codes of errors that are shown, the most frequent first."""
MOST_CALLS: Final = 20
"""Pairs of who asks and who is asked in the table below the picture."""

_MOST_ASKED: Final = 3 * MOST_ALONE
"""Agents that may stand alone in the picture, as some of them are not there any more."""
_LEAST_RATE: Final = 0.1
"""Tasks a minute below which no figure is written."""

_ON_PAGES: Final = {
    "question": "Answer it on the page of its task.",
    "token": "Rotate it, or generate another one for its agent.",
    "agent": "Its page says when it was there last, and how to start it.",
}
"""What to do about something, for whoever has no terminal before them; of all else it is as it was said."""

NONE_YET: Final = "–"
"""Stands for a figure that there is not."""


class NeedRow(msgspec.Struct, frozen=True):
    """Something to do.

    Attributes:
        item: what it is.
        todo: what to do, by whoever reads it on a page.
        path: where it can be done; empty: nowhere on these pages.
    """

    item: AttentionItem
    todo: str
    path: str


class FailureRow(msgspec.Struct, frozen=True, kw_only=True):
    """Tasks that ended with the same error.

    Attributes:
        code: of the error.
        tasks: how many.
        where: the skill of most of them, and how many others.
    """

    code: str
    tasks: int
    where: str


class HourFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The last hour in figures, as they are written.

    Attributes:
        rate: tasks a minute that ended.
        ended: how many did.
        curve: how many in each minute.
        success: the part that completed of those that nobody canceled.
        counted: how many those are.
        p50: how long half of those took at most.
        p95: likewise, of 95 in a hundred.
        p99: likewise, of 99 in a hundred.
    """

    rate: str
    ended: int
    curve: Sparkline
    success: str
    counted: int
    p50: str
    p95: str
    p99: str


class OverviewView(View, frozen=True):
    """How the network is, of what somebody sees.

    Attributes:
        needs: what waits for them.
        more_needs: what does besides.
        agents: how many there are.
        online: how many of them are connected.
        slots: tasks that those can run at the same time.
        slots_used: that they run now.
        waiting: tasks in the queue.
        running: tasks that agents have.
        hour: the last one.
        failures: why tasks failed in it.
        calls: who asked whom in it.
        map: all that as a picture.
        url: where the network is, for commands.
    """

    needs: Sequence[NeedRow]
    more_needs: Sequence[NeedRow]
    agents: int
    online: int
    slots: int
    slots_used: int
    waiting: int
    running: int
    hour: HourFigures
    failures: Sequence[FailureRow]
    calls: Sequence[CallCount]
    map: NetworkMap
    url: str


@pages.page("GET", HOME_PAGE, "overview.html")
async def overview(
    request: Request, application: Application, who: Principal, turns: Turns, where: Whereabouts
) -> OverviewView:
    """Show how the network is."""
    async with turns.turn(who.user.id):
        counts = await agents.counted(who, application)
        needs = await attention.find(who, application)
        hour = await statistics.read(who, application)
        alone = await _alone(application, who, counts, hour.callers)
    return overview_of(alone, counts, needs, hour, where.api_for(request.host))


async def _alone(
    application: Application, who: Principal, counts: AgentCounts, calls: Sequence[CallCount]
) -> Sequence[AgentSummary]:
    """Return who stands alone in the picture, by name: all, or the busiest of more than fit."""
    if counts.agents <= MOST_PLACES:
        return await agents.find(who, application, limit=MOST_PLACES)
    turns = in_turn(counts.names, calls)[:_MOST_ASKED]
    found = await agents.find(who, application, limit=_MOST_ASKED, names=turns) if turns else []
    first = sorted(found, key=lambda one: turns.index(one.full_name))[:MOST_ALONE]
    return sorted(first, key=lambda one: one.full_name)


def overview_of(
    alone: Sequence[AgentSummary],
    counts: AgentCounts,
    needs: Sequence[AttentionItem],
    hour: StatisticsInfo,
    url: str,
) -> OverviewView:
    """Return what is shown of agents and of those that stand alone, of what needs somebody, and of the last hour."""
    todo = [NeedRow(one, _ON_PAGES.get(one.kind, one.todo), path_of(one)) for one in needs]
    return OverviewView(
        needs=todo[:MOST_NEEDS],
        more_needs=todo[MOST_NEEDS:],
        agents=counts.agents,
        online=counts.online,
        slots=counts.slots,
        slots_used=counts.slots_used,
        waiting=hour.waiting,
        running=hour.running,
        hour=figures(hour),
        failures=failures_by_code(hour.failures)[:MOST_CODES],
        calls=hour.callers[:MOST_CALLS],
        map=network_map(alone, together(counts.owners, counts.names, alone), hour.callers),
        url=url,
    )


def figures(hour: StatisticsInfo) -> HourFigures:
    """Return the figures of a time, written for people."""
    total, minutes = hour.total, max((hour.until - hour.since).total_seconds() / 60, 1)
    rate = total.ended / minutes
    return HourFigures(
        rate=_rate(rate),
        ended=total.ended,
        curve=sparkline([one.ended for one in hour.spans]),
        success=NONE_YET if total.success_rate is None else percent(total.success_rate),
        counted=total.ended - total.canceled,
        p50=took(total.p50),
        p95=took(total.p95),
        p99=took(total.p99),
    )


def _rate(a_minute: float) -> str:
    if 0 < a_minute < _LEAST_RATE:
        return f"< {_LEAST_RATE}"
    return f"{a_minute:.1f}" if a_minute < 100 else number(round(a_minute))


def percent(part: float) -> str:
    """Write a part of a whole. What is not all is never written as all, nor what is something as nothing."""
    shown = round(part * 100, 1)
    if part < 1:
        shown = min(shown, 99.9)
    if part > 0:
        shown = max(shown, 0.1)
    return f"{shown:g} %"


def took(seconds: float | None) -> str:
    """Write how long tasks took: known to within 5 %, so it has two digits and says that it is no exact time."""
    return NONE_YET if seconds is None else f"≈ {duration(float(f'{seconds:.2g}'))}"


def failures_by_code(failures: Sequence[FailureCount]) -> list[FailureRow]:
    """Return failures of the same code together, the most frequent first; each comes with the most frequent first."""
    by_code: defaultdict[str, list[FailureCount]] = defaultdict(list)
    for one in failures:
        by_code[one.code].append(one)
    rows = []
    for code, same in by_code.items():
        others = f" and {number(len(same) - 1)} more" if len(same) > 1 else ""
        where = f"{same[0].agent}.{same[0].skill}{others}"
        rows.append(FailureRow(code=code, tasks=sum(one.tasks for one in same), where=where))
    return sorted(rows, key=lambda row: (-row.tasks, row.code))


def path_of(item: AttentionItem) -> str:
    """Return the page on which something can be done."""
    match item.kind:
        case "question":
            return f"/tasks/{item.subject}"
        case "token":
            return f"/agents/{item.subject}/tokens"
        case "agent":
            return f"/agents/{item.subject}"
    return ""
