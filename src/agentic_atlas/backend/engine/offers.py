"""What agents offer: the skills of their connected instances. Pure.

Instances of one agent may run different code for a while, in a deploy or by mistake. Together they offer what any of
them has; where two have a skill with different input schemas, the one that registered last says which it is, and only
instances that have it with that schema are given its tasks.
"""

from collections.abc import Collection, Sequence

import msgspec

from agentic_atlas.backend.domain.records import SkillRecord


class _Declared(msgspec.Struct, frozen=True):
    skills: dict[str, SkillRecord]
    generation: int | None
    """None while it is being registered."""


class Offers:
    """The connected instances of each agent with what they declared, in the order in which they registered."""

    def __init__(self) -> None:
        self._agents: dict[str, dict[str, _Declared]] = {}
        self._able: dict[str, dict[str, frozenset[str] | None]] = {}
        """What was found of them, until one comes or leaves."""

    def came(
        self, agent_id: str, instance_id: str, skills: Sequence[SkillRecord], generation: int | None = None
    ) -> None:
        """An instance registers with these skills; with a generation, it has."""
        self._able.pop(agent_id, None)
        instances = self._agents.setdefault(agent_id, {})
        instances.pop(instance_id, None)
        instances[instance_id] = _Declared({skill.name: skill for skill in skills}, generation)

    def left(self, agent_id: str, instance_id: str, generation: int | None) -> bool:
        """The instance's connection of this generation ended; True when that changed who is there."""
        instances = self._agents.get(agent_id, {})
        known = instances.get(instance_id)
        if known is None or known.generation != generation:
            return False
        self._able.pop(agent_id, None)
        del instances[instance_id]
        if not instances:
            del self._agents[agent_id]
        return True

    def offered(self, agent_id: str) -> list[SkillRecord]:
        """Return what the agent's connected instances offer; nothing when none is connected."""
        offered: dict[str, SkillRecord] = {}
        for declared in self._agents.get(agent_id, {}).values():
            offered |= declared.skills
        return sorted(offered.values(), key=lambda skill: skill.name)

    def able(self, agent_id: str, skill: str) -> frozenset[str] | None:
        """Return the instances that a task of this skill may go to; None when any will do, or none is known."""
        if agent_id not in self._agents:
            return None
        known = self._able.setdefault(agent_id, {})
        if skill not in known:
            known[skill] = self._having(agent_id, skill)
        return known[skill]

    def takes(self, agent_id: str, instance_id: str, wanted: Collection[str]) -> set[str]:
        """Return for which of the wanted skills the instance may be given tasks."""
        found = {skill: self.able(agent_id, skill) for skill in wanted}
        return {skill for skill, able in found.items() if able is None or instance_id in able}

    def _having(self, agent_id: str, skill: str) -> frozenset[str] | None:
        instances = self._agents[agent_id]
        having = {name: one.skills[skill] for name, one in instances.items() if skill in one.skills}
        current = next(reversed(having.values()), None)
        able = [name for name, had in having.items() if current and had.input_schema == current.input_schema]
        return None if len(able) == len(instances) else frozenset(able)
