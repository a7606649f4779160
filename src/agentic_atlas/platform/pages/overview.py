"""Overview: how the network is, at a glance, and what to do next."""

from agentic_atlas.backend.rights import Principal
from agentic_atlas.backend.usecases import agents
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.messages import Request
from agentic_atlas.http.turns import Turns
from agentic_atlas.http.whereabouts import HOME_PAGE, Whereabouts
from agentic_atlas.platform.page import PageGroup, View

pages = PageGroup("overview")

MOST = 500
"""Agents that are counted, by name."""


class OverviewView(View, frozen=True):
    """Counts of the agents that somebody sees.

    Attributes:
        agents: how many there are.
        online: how many of them are connected.
        slots: tasks that those can run at the same time.
        slots_used: that they run now.
        waiting: tasks that wait for a slot.
        url: where the network is, for commands.
    """

    agents: int
    online: int
    slots: int
    slots_used: int
    waiting: int
    url: str


@pages.page("GET", HOME_PAGE, "overview.html")
async def overview(
    request: Request, application: Application, who: Principal, turns: Turns, where: Whereabouts
) -> OverviewView:
    """Show how the network is."""
    async with turns.turn(who.user.id):
        found = await agents.find(who, application, limit=MOST, after=None)
    return OverviewView(
        agents=len(found),
        online=sum(one.status == "online" for one in found),
        slots=sum(one.slots for one in found),
        slots_used=sum(one.slots_used for one in found),
        waiting=sum(one.tasks_waiting for one in found),
        url=where.api_for(request.host),
    )
