"""What agents' processes took over time, as curves: `atlas agents resources`, and in `atlas agents show`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Final

from agentic_atlas.cli import connection, output, times
from agentic_atlas.cli.command.declared import Option
from agentic_atlas.cli.options import AgentName, Json
from agentic_atlas.cli.sparkline import sparkline

if TYPE_CHECKING:
    from agentic_atlas.protocol.caller.resources import InstanceResources, ResourceHistory, ResourcePoint

ROOM: Final = 20
"""Cells of a curve: three of them stand beside an instance's id in 80."""

_LITTLE: Final = 5.0
"""Percent of a core below which a curve of it stays low, however flat it is."""

HELD_UP: Final[Mapping[str, str]] = {
    "draining": "about to end",
    "blocked": "its loop is blocked",
    "refused": "refused tasks lately",
    "behind": "does not read",
    "memory": "over its max_memory",
    "cpu": "over its max_cpu",
    "battery": "runs on its battery",
    "quiet_hours": "quiet hours",
}
"""Why a process is given no new tasks, by `holdup`."""


def show(
    *,
    agent: AgentName,
    since: Annotated[
        str, Option("--since", metavar="SPAN|TIME", help="From when on: 30m, 12h, 7d, or a time in ISO 8601.")
    ] = "1h",
    json: Json = False,
) -> None:
    """Show what an agent's processes took over time, up to 30 days: of a day by the minute, then by the hour."""
    begin = times.moment(since, times.clock().now())

    async def work() -> ResourceHistory:
        async with connection.connect() as atlas:
            return await atlas.agents.resources(agent, since=begin)

    found = connection.run(work())
    if json:
        output.document(found)
    elif not found.instances:
        output.aside(f"Nothing is known of what {found.agent} took in that time.")
    else:
        print_curves(found)


def print_curves(history: ResourceHistory, only: Sequence[str] | None = None) -> None:
    """Print a line of curves for each instance, or for those that are named."""
    shown = [one for one in history.instances if only is None or one.id in only]
    if not shown:
        return
    begin, end = history.since.timestamp(), history.until.timestamp()
    points = max(1, int((end - begin) // history.step) + 1)
    output.say("")
    output.say(f"Within {times.took(points * history.step)}:")
    columns = ("instance", "cpu", "memory", "machine")
    output.table(columns, [_row(one, begin, history.step, points) for one in shown], drops=("machine",))


def _row(instance: InstanceResources, begin: float, step: int, count: int) -> tuple[str, ...]:
    first = begin // step * step
    places: dict[int, ResourcePoint] = {int((one.at.timestamp() - first) // step): one for one in instance.points}
    points = [places.get(place) for place in range(count)]
    last = instance.points[-1]

    def curve(value: Callable[[ResourcePoint], float], most: float | None = None) -> str:
        return sparkline([None if one is None else value(one) for one in points], ROOM, most=most)

    return (
        instance.id,
        f"{curve(lambda one: one.cpu, _LITTLE)} {last.cpu:.0f} %",
        f"{curve(lambda one: one.memory)} {size(last.memory)}",
        f"{curve(lambda one: one.machine_cpu, 100.0)} {last.machine_cpu:.0f} %",
    )


def size(count: float) -> str:
    """Return bytes in a few columns."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
