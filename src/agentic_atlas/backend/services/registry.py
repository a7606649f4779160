"""Agents and their skills as they are looked up for every task: kept in memory, read from the store when missing.

Whoever changes an agent says `forget`; the next look-up reads again.
"""

import msgspec

from agentic_atlas.backend.domain.records import Agent, Skill
from agentic_atlas.backend.ports import Agents
from agentic_atlas.backend.services.schemas import InputSchema
from agentic_atlas.errors import NotFound

_MOST_AGENTS = 1_000


class KnownSkill(msgspec.Struct, frozen=True):
    """A skill with its compiled input schema."""

    skill: Skill
    schema: InputSchema


class Registry:
    """A read model of agents and skills, bounded."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._by_name: dict[tuple[str, str], Agent] = {}
        self._skills: dict[str, dict[str, KnownSkill]] = {}
        self._version = 0

    async def agent(self, owner: str, name: str) -> Agent | None:
        """Return the owner's agent of this name."""
        known = self._by_name.get((owner, name))
        if known is not None:
            return known
        version = self._version
        agent = await self._agents.by_name(owner, name)
        if agent is not None and version == self._version:
            if len(self._by_name) >= _MOST_AGENTS:
                self._by_name.clear()
            self._by_name[owner, name] = agent
        return agent

    async def skill(self, agent: Agent, name: str) -> KnownSkill:
        """Return a skill of the agent's; raises NotFound (`skill_not_found`) with the names there are."""
        skills = self._skills.get(agent.id)
        if skills is None:
            version = self._version
            declared = await self._agents.skills(agent.id)
            skills = {skill.name: KnownSkill(skill, InputSchema(skill.input_schema)) for skill in declared}
            if len(self._skills) >= _MOST_AGENTS:
                self._skills.clear()
            if version == self._version:
                self._skills[agent.id] = skills
        if name not in skills:
            known = ", ".join(sorted(skills)[:20]) or "none yet, as it has never been connected: start it once"
            raise NotFound(f"{agent.full_name} has no skill {name[:64]!r}; its skills: {known}", code="skill_not_found")
        return skills[name]

    def forget(self, agent_id: str) -> None:
        """The agent or its skills changed; what was being read meanwhile is not kept either."""
        self._version += 1
        self._skills.pop(agent_id, None)
        self._by_name = {key: agent for key, agent in self._by_name.items() if agent.id != agent_id}
