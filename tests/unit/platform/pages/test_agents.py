"""What part of an agent's tasks completed."""

from __future__ import annotations

from agentic_atlas.platform.pages.agents import rates_of
from agentic_atlas.protocol.caller.statistics import SkillCounts


def counts(agent: str, completed: int, failed: int, canceled: int = 0) -> SkillCounts:
    return SkillCounts(
        agent=agent, skill="", completed=completed, failed=failed, rejected=0, canceled=canceled, success_rate=None
    )


def test_a_rate_is_of_all_skills_and_of_what_nobody_canceled() -> None:
    found = rates_of([counts("ada/books", 3, 1, 7), counts("ada/books", 5, 1), counts("ada/cook", 0, 0, 2)])
    assert found == {"ada/books": 0.8}
