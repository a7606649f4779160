"""Local Agents: who is in the network, and how they are."""

from collections.abc import Sequence

from agentic_atlas.backend.rights import Principal, Right, role_allows
from agentic_atlas.backend.usecases import agents
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.http.routes import After
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.protocol.caller.agents import AgentSummary

pages = PageGroup("agents")

IN_PAGE = 100
"""Agents in one page of the list."""


class AgentsView(View, frozen=True):
    """Part of the list of agents, by name.

    Attributes:
        agents: those that somebody sees.
        after: the name after which this part begins; empty: it is the first.
        next: the name after which there are more; empty: there are none.
        may_generate: whoever looks may generate tokens.
    """

    agents: Sequence[AgentSummary]
    after: str
    next: str
    may_generate: bool


@pages.page("GET", "/agents", "agents.html")
async def agents_list(application: Application, who: Principal, turns: Turns, after: After = None) -> AgentsView:
    """List agents by name."""
    async with turns.turn(who.user.id):
        found = await agents.find(who, application, limit=IN_PAGE + 1, after=after)
    shown = found[:IN_PAGE]
    return AgentsView(
        agents=shown,
        after=after or "",
        next=shown[-1].full_name if len(found) > IN_PAGE else "",
        may_generate=role_allows(who.user.role, Right.WRITE_TOKENS),
    )
