"""What the command palette leads to: pages, agents and tasks that what was typed fits, as JSON for its script."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final
from urllib.parse import quote

from msgspec import Struct
from pydantic import Field

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents, tasks
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Response, json
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import APPROVAL_PAGE
from agentic_atlas.platform.page import PageGroup
from agentic_atlas.platform.pages.settings.page import parts_for

pages = PageGroup()

SECTIONS: Final = {
    "Overview": "/overview",
    "Local Agents": "/agents",
    "Generate token": "/agents/token",
    "Tasks": "/tasks",
    "Approve a log-in": APPROVAL_PAGE,
}
MOST_FOUND = 8
"""Agents in the palette, and as many tasks."""
_OF_IDS: Final = frozenset("0123456789abcdefghijklmnopqrstuvwxyz_")


class Destination(Struct, frozen=True):
    """Where somebody may go."""

    kind: str
    name: str
    path: str
    about: str = ""


class Destinations(Struct, frozen=True):
    """Where somebody may go by what they typed."""

    items: list[Destination]


@pages.at("GET", "/palette", listed=False)
async def palette(
    application: Application, who: Principal, turns: Turns, q: Annotated[str, Field(max_length=100)] = ""
) -> Response:
    """Find pages, agents and recent tasks by a part of their name."""
    typed = q.strip().lower()
    async with turns.turn(who.user.id):
        found = [*_pages(who, typed), *await _agents(who, application, typed), *await _tasks(who, application, typed)]
    return json(Destinations(found))


def _pages(who: Principal, typed: str) -> Iterator[Destination]:
    named = SECTIONS | {f"Settings: {part.name}": part.path for part in parts_for(who)}
    return (Destination("Page", name, path) for name, path in named.items() if typed in name.lower())


async def _agents(who: Principal, application: Application, typed: str) -> Sequence[Destination]:
    found = await agents.find(who, application, limit=MOST_FOUND, part=typed)
    return [
        Destination("Agent", one.full_name, f"/agents/{quote(one.owner)}/{quote(one.name)}", one.status)
        for one in found
    ]


async def _tasks(who: Principal, application: Application, typed: str) -> Sequence[Destination]:
    if not _OF_IDS.issuperset(typed):
        return []
    which = TaskFilter(prefix=typed or None)
    found, _ = await tasks.find(who, application, which, limit=MOST_FOUND, after=None)
    return [
        Destination("Task", f"{task.agent}.{task.skill}", f"/tasks/{task.id}", f"{task.state.value}, {task.id}")
        for task in (one.task for one in found)
    ]
