"""`atlas stats`: what became of tasks, and what is to be done now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import Json, OfAgent

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.statistics import SkillCounts, StatisticsInfo, TimedCounts

MOST = 10
"""Lines of each table."""


def show(
    *,
    agent: OfAgent = None,
    since: Annotated[
        str | None, Option("--since", metavar="SPAN|TIME", help="From when on: 30m, 12h, 7d, or a time in ISO 8601.")
    ] = None,
    json: Json = False,
) -> None:
    """Show how many tasks ended how, how long they took, why they failed, and who asked whom; of the last hour."""
    clock = times.clock()
    begin = times.moment(since or "1h", clock.now())

    async def work() -> StatisticsInfo:
        async with connection.connect() as atlas:
            return await atlas.statistics.read(agent=agent, since=begin)

    found = connection.run(work())
    if json:
        output.document(found)
        return
    minutes = max((found.until - found.since).total_seconds() / 60, 1.0)
    output.fields(
        [
            ("since", clock.full(found.since)),
            ("ended", f"{found.total.ended} tasks, {found.total.ended / minutes:.1f} a minute"),
            ("success", _rate(found.total)),
            ("took", _took(found.total)),
            ("now", f"{found.waiting} wait, {found.running} run"),
        ]
    )
    if found.skills:
        output.say("")
        output.table(
            ("agent", "skill", "ended", "success"), [_skill(one) for one in found.skills[:MOST]], shrinks=("agent",)
        )
    if found.failures:
        output.say("")
        failed = [(one.agent, one.skill, one.code, str(one.tasks)) for one in found.failures[:MOST]]
        output.table(("failed", "skill", "error", "tasks"), failed, shrinks=("failed",))
    if found.callers:
        output.say("")
        asked = [(one.caller, one.agent, str(one.tasks)) for one in found.callers[:MOST]]
        output.table(("caller", "agent", "tasks"), asked, shrinks=("caller", "agent"))


def _skill(one: SkillCounts) -> tuple[str, ...]:
    return one.agent, one.skill, str(one.ended), _rate(one)


def _rate(counts: SkillCounts | TimedCounts) -> str:
    return "" if counts.success_rate is None else f"{100 * counts.success_rate:.1f} %"


def _took(counts: TimedCounts) -> str:
    """Say how long half, 95 % and 99 % took at the most."""
    parts = {"half": counts.p50, "95 %": counts.p95, "99 %": counts.p99}
    return ", ".join(f"{part} {times.took(seconds)}" for part, seconds in parts.items() if seconds is not None)
