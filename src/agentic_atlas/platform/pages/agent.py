"""One agent: its instances and skills, its tokens, its tasks."""

from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

import msgspec

from agentic_atlas.backend.ports import TaskFilter
from agentic_atlas.backend.rights import Principal, Right, role_allows
from agentic_atlas.backend.usecases import agents, tasks, tokens
from agentic_atlas.backend.usecases.application import Application
from agentic_atlas.backend.usecases.shown import moment, task_summary
from agentic_atlas.http.turns import Turns
from agentic_atlas.platform.arrival import GOOD, Problem, open_problems
from agentic_atlas.platform.page import PageGroup, View
from agentic_atlas.platform.pages.agents import success_rates
from agentic_atlas.platform.pages.tokens import calls_of
from agentic_atlas.platform.templating import plural
from agentic_atlas.platform.wording import duration, size
from agentic_atlas.protocol.caller.agents import AgentInfo, AgentInstance, HeldTask, SkillInfo, TokenInfo
from agentic_atlas.protocol.caller.tasks import TaskSummary
from agentic_atlas.protocol.messages import Delivery, Policy

pages = PageGroup("agents")

_HOLDUPS: Final[Mapping[str, str]] = {
    "draining": "about to end",
    "blocked": "its loop is blocked",
    "refused": "refused tasks lately",
    "behind": "does not read what is sent",
    "memory": "over its max_memory",
    "cpu": "over its max_cpu",
    "battery": "runs on its battery",
    "quiet_hours": "has its quiet hours",
}
"""Why an instance is given no new tasks."""
MOST_NAMED: Final = 5
"""Tasks that are named of what an instance runs."""
MOST_TASKS: Final = 25
"""Tasks that are shown of an agent; the others are on the page of tasks."""


class InstanceRow(msgspec.Struct, frozen=True):
    """An instance, and what its slots are used by.

    Attributes:
        instance: as it is now.
        tasks: that it runs.
        more: how many it runs besides.
        cpu: of one core; empty: nobody knows yet.
        memory: of its process; likewise.
        held_up: why it is given nothing new; empty: it is.
    """

    instance: AgentInstance
    tasks: Sequence[HeldTask]
    more: int
    cpu: str
    memory: str
    held_up: str


class SkillRow(msgspec.Struct, frozen=True):
    """A skill, and how its tasks are delivered.

    Attributes:
        skill: as it was declared.
        policy: in words, as far as it is not the usual.
    """

    skill: SkillInfo
    policy: Sequence[str]


class TokenRow(msgspec.Struct, frozen=True):
    """A token in a list.

    Attributes:
        token: as it is now.
        calls: whom its agent may call, in words.
        good: it can be used.
    """

    token: TokenInfo
    calls: str
    good: bool


class AgentPage(View, frozen=True, kw_only=True):
    """What every page of an agent shows.

    Attributes:
        agent: itself.
        tab: of its pages, the one that is shown.
        manages: whoever looks may see its instances and tokens.
        changes: and may change it.
    """

    agent: AgentInfo
    tab: str
    manages: bool
    changes: bool


class AgentHead(TypedDict):
    """The same, as each of them is given it."""

    agent: AgentInfo
    tab: str
    manages: bool
    changes: bool


class AgentView(AgentPage, frozen=True, kw_only=True):
    """An agent as it is now: its instances, and what it can do.

    Attributes:
        there: its instances that are connected.
        gone: those that were lately.
        skills: by name.
        problems: why processes were not let in lately.
        success: the part of its tasks of the last day that completed; None: unknown.
    """

    there: Sequence[InstanceRow]
    gone: Sequence[AgentInstance]
    skills: Sequence[SkillRow]
    problems: Sequence[Problem]
    success: float | None


class AgentTokensView(AgentPage, frozen=True, kw_only=True):
    """The tokens of an agent.

    Attributes:
        tokens: those that can be used, the newest first.
        ended: those that can't any more.
    """

    tokens: Sequence[TokenRow]
    ended: Sequence[TokenRow]


class AgentTasksView(AgentPage, frozen=True, kw_only=True):
    """The last tasks of an agent.

    Attributes:
        tasks: the newest first.
        more: there are more of them.
    """

    tasks: Sequence[TaskSummary]
    more: bool


@pages.page("GET", "/agents/{owner}/{name}", "agent.html", in_turn=True)
async def show(owner: str, name: str, application: Application, who: Principal) -> AgentView:
    """Show an agent: its instances and skills."""
    agent = await agents.show(who, application, f"{owner}/{name}")
    rates = await success_rates(application, who, [agent.full_name])
    there = [one for one in agent.instances if one.online]
    return AgentView(
        **head(who, agent, "agent"),
        there=[row(one) for one in there],
        gone=[one for one in agent.instances if not one.online],
        skills=[SkillRow(one, policy_words(one.policy, streams=one.streams)) for one in agent.skills],
        success=rates.get(agent.full_name),
        problems=open_problems(agent, moment(application.now())),
    )


@pages.page("GET", "/agents/{owner}/{name}/tokens", "agent_tokens.html", in_turn=True)
async def show_tokens(owner: str, name: str, application: Application, who: Principal) -> AgentTokensView:
    """Show the tokens of an agent."""
    found = await tokens.of_agent(who, application, f"{owner}/{name}")
    agent = await agents.show(who, application, f"{owner}/{name}")
    listed = [TokenRow(one, calls_of(one), one.status in GOOD) for one in found]
    return AgentTokensView(
        **head(who, agent, "tokens"),
        tokens=[one for one in listed if one.good],
        ended=[one for one in listed if not one.good],
    )


@pages.page("GET", "/agents/{owner}/{name}/tasks", "agent_tasks.html")
async def show_tasks(owner: str, name: str, application: Application, who: Principal, turns: Turns) -> AgentTasksView:
    """Show the last tasks of an agent."""
    async with turns.turn(who.user.id):
        agent = await agents.show(who, application, f"{owner}/{name}")
        found, more = await tasks.find(
            who, application, TaskFilter(), agent=agent.full_name, limit=MOST_TASKS, after=None
        )
    return AgentTasksView(
        **head(who, agent, "tasks"),
        tasks=[task_summary(one) for one in found],
        more=more is not None,
    )


def head(who: Principal, agent: AgentInfo, tab: str) -> AgentHead:
    """Return what every page of an agent shows to somebody, on the one with this name."""
    return AgentHead(agent=agent, tab=tab, manages=manages(agent), changes=changes(who, agent))


def manages(agent: AgentInfo) -> bool:
    """Tell whether whoever looks may see an agent's instances and tokens."""
    return agent.access != "call"


def changes(who: Principal, agent: AgentInfo) -> bool:
    """Tell whether somebody may change an agent that they see."""
    return manages(agent) and role_allows(who.user.role, Right.WRITE_AGENTS)


def row(instance: AgentInstance) -> InstanceRow:
    """Return an instance with how it is and what it runs."""
    named = instance.tasks[:MOST_NAMED]
    return InstanceRow(
        instance=instance,
        tasks=named,
        more=max(0, instance.slots_used - len(named)),
        cpu="" if instance.cpu is None else f"{instance.cpu:.0f} %",
        memory="" if instance.memory_bytes is None else size(instance.memory_bytes),
        held_up=_held_up(instance),
    )


def _held_up(instance: AgentInstance) -> str:
    if instance.holdup == "blocked" and instance.lag:
        return f"its loop is {duration(instance.lag)} late"
    return _HOLDUPS.get(instance.holdup or "", "")


def policy_words(policy: Policy, *, streams: bool) -> list[str]:
    """Return how a skill's tasks are delivered, as far as it is not the usual."""
    usual, words = Policy(), []
    if streams:
        words.append("streams its output")
    if policy.delivery is not usual.delivery:
        words.append("at most once" if policy.delivery is Delivery.AT_MOST_ONCE else str(policy.delivery))
    elif policy.max_attempts != usual.max_attempts:
        words.append(f"{plural(policy.max_attempts, 'attempt')} if its process is lost")
    if policy.retries:
        words.append(f"{plural(policy.retries, 'retry', 'retries')} after an error")
    if policy.timeout is not None:
        words.append(f"at most {duration(policy.timeout)}")
    return words
