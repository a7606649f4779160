"""Agents and their skills as they are looked up for every task: kept in memory, read from the store when missing.

Whoever changes an agent says `forget`; the next look-up reads again.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from agentic_atlas.backend.domain.kept import Kept
from agentic_atlas.backend.domain.records import AgentRecord, SkillRecord
from agentic_atlas.backend.ports import Agents
from agentic_atlas.errors import NotFound
from agentic_atlas.protocol.schemas.words import meant

_MOST_AGENTS = 1_000
_MOST_BYTES = 32 * 1024 * 1024
"""Bytes of all skills that are kept."""
_MOST_ACCEPTED = 20_000
"""Agents of which it is remembered what they declared."""
_AROUND = 1_024
"""Bytes that an agent, or one of its skills, takes besides its texts."""


class Registry:
    """A read model of agents and skills, bounded."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._by_name: dict[tuple[str, str], AgentRecord] = {}
        self._skills: Kept[str, dict[str, SkillRecord]] = Kept(_MOST_BYTES)
        self._accepted: dict[str, bytes] = {}
        self._version = 0

    async def agent(self, owner: str, name: str) -> AgentRecord | None:
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

    async def skill(self, agent: AgentRecord, name: str) -> SkillRecord:
        """Return a skill of the agent's; raises NotFound (`skill_not_found`) with the names there are."""
        skills = self._skills.get(agent.id)
        if skills is None:
            version = self._version
            declared = await self._agents.skills(agent.id)
            skills = {skill.name: skill for skill in declared}
            if version == self._version:
                self._skills.keep(agent.id, skills, _AROUND + sum(_size(skill) for skill in declared))
        if name not in skills:
            known = ", ".join(sorted(skills)[:20]) or "none yet, as it has never been connected: start it once"
            raise NotFound(
                f"{agent.full_name} has no skill {name[:64]!r}{meant(name, sorted(skills))}; its skills: {known}",
                code="skill_not_found",
            )
        return skills[name]

    def accepted(self, agent_id: str, digest: bytes) -> bool:
        """Tell whether what an instance of the agent declares, by its digest, was accepted the last time."""
        return self._accepted.get(agent_id) == digest

    def accept(self, agent_id: str, digest: bytes) -> None:
        """What an instance declares was looked at, and is acceptable."""
        self._accepted.pop(agent_id, None)
        self._accepted[agent_id] = digest
        if len(self._accepted) > _MOST_ACCEPTED:
            del self._accepted[next(iter(self._accepted))]

    def offers(self, agent_id: str, offered: Sequence[SkillRecord]) -> None:
        """The agent offers this from now on: what is kept of it stays kept when it is the same."""
        kept = self._skills.get(agent_id)
        if kept is None or [_said(skill) for skill in kept.values()] != [_said(skill) for skill in offered]:
            self.forget(agent_id)

    def forget(self, agent_id: str) -> None:
        """The agent or its skills changed; what was being read meanwhile is not kept either."""
        self._version += 1
        self._skills.forget(agent_id)
        self._by_name = {key: agent for key, agent in self._by_name.items() if agent.id != agent_id}


def _said(skill: SkillRecord) -> SkillRecord:
    """Return a skill without when it was declared."""
    return replace(skill, updated_at=0.0)


def _size(skill: SkillRecord) -> int:
    return _AROUND + len(skill.input_schema) + len(skill.output_schema) + len(skill.description)
