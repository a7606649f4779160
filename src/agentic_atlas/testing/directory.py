"""Who is in a network in memory: its agents, their skills, and what of them runs."""

from collections.abc import Callable, Sequence

from agentic_atlas.backend.domain.names import split_agent
from agentic_atlas.backend.domain.records import Task
from agentic_atlas.errors import ConfigurationError, NotFound
from agentic_atlas.protocol.schemas.words import meant
from agentic_atlas.sdk.agent import Agent
from agentic_atlas.sdk.runner.runner import Runner
from agentic_atlas.sdk.skills.skill import Kind, Skill

OWNER = "tester"
"""Who owns all agents, and asks for all tasks."""


class Directory:
    """The agents by name, which is their id here.

    Attributes:
        runners: of the agents that run; each belongs to the agent of this name.
    """

    def __init__(self, agents: Sequence[Agent]) -> None:
        """Take the agents.

        Raises:
            ConfigurationError: there is none, or two have one name.
        """
        self._agents = {agent.name: agent for agent in agents}
        self.runners: dict[str, Runner] = {}
        if not agents:
            raise ConfigurationError("there is no agent to run: running(agent)")
        if len(self._agents) < len(agents):
            raise ConfigurationError("two agents have the same name: each needs one of its own")

    def skill(self, agent: str, skill: str) -> tuple[str, Skill]:
        """Return the id of an agent (`name` or `owner/name`) and a skill of it.

        Raises:
            NotFound: there is no such agent (`agent_not_found`) or skill (`skill_not_found`).
        """
        owner, name = split_agent(agent)
        found = self._agents.get(name)
        if found is None or owner not in (None, OWNER):
            known = ", ".join(self._agents)
            raise NotFound(f"there is no agent {agent[:130]!r}; running here: {known}", code="agent_not_found")
        if skill not in found.skills:
            known = ", ".join(found.skills)
            near = meant(skill, list(found.skills))
            raise NotFound(f"{name} has no skill {skill[:64]!r}{near}; its skills: {known}", code="skill_not_found")
        return name, found.skills[skill]

    def kind(self, task: Task) -> Kind:
        """Return how the task's skill is run."""
        return self._agents[task.agent_id].skills[task.skill].kind

    def running(self, working: Callable[[Kind], bool]) -> int:
        """Return how many handlers of these kinds have not returned."""
        return sum(
            working(self._agents[name].skills[skill].kind)
            for name, runner in self.runners.items()
            for skill in runner.running
        )
