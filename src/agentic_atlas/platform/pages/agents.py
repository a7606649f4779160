"""Local Agents: who is in the network, and how they are."""

from collections.abc import Mapping, Sequence

import msgspec

from agentic_atlas.backend.rights import Principal, Right, role_allows
from agentic_atlas.backend.usecases import agents, statistics
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.errors import Forbidden
from agentic_atlas.http.routes import After
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.protocol.caller.agents import AgentSummary

pages = PageGroup("agents")

IN_PAGE = 100
"""Agents in one page of the list, and users and groups in one of theirs."""
_DAY = 86_400


class AgentRow(msgspec.Struct, frozen=True):
    """An agent in the list.

    Attributes:
        agent: as it is now.
        success: the part of its tasks of the last day that completed, of those that nobody canceled; None: unknown.
    """

    agent: AgentSummary
    success: float | None


class AgentsView(View, frozen=True):
    """Part of the list of agents, by name.

    Attributes:
        agents: those that somebody sees.
        after: the name after which this part begins; empty: it is the first.
        next: the name after which there are more; empty: there are none.
        may_generate: whoever looks may generate tokens.
    """

    agents: Sequence[AgentRow]
    after: str
    next: str
    may_generate: bool


@pages.page("GET", "/agents", "agents.html", in_turn=True)
async def agents_list(application: Application, who: Principal, after: After = None) -> AgentsView:
    """List agents by name."""
    found = await agents.find(who, application, limit=IN_PAGE + 1, after=after)
    shown = found[:IN_PAGE]
    rates = await success_rates(application, who, [one.full_name for one in shown])
    return AgentsView(
        agents=[AgentRow(one, rates.get(one.full_name)) for one in shown],
        after=after or "",
        next=shown[-1].full_name if len(found) > IN_PAGE else "",
        may_generate=role_allows(who.user.role, Right.WRITE_TOKENS),
    )


async def success_rates(application: Application, who: Principal, names: Sequence[str]) -> Mapping[str, float]:
    """Return what part of the tasks of the last day completed of each of these agents, as far as somebody may know."""
    try:
        return await statistics.rates(who, application, names, since=application.now() - _DAY)
    except Forbidden:  # by a key that sees no tasks, or its own alone
        return {}
