"""What the shell is offered when the platform answers at once: names of agents and skills, parameters, ids of tasks."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from agentic_atlas.errors import AtlasError

if TYPE_CHECKING:
    from agentic_atlas.sdk.client.asynchronous import AsyncClient

SECONDS = 1.0
"""How long a person waits for a completion."""
MOST = 200


def agents(incomplete: str, before: Sequence[str] = ()) -> list[str]:
    """Return the names of agents that begin so; none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        found: list[str] = []
        async for agent in atlas.agents():
            # Another's agent is named with its owner.
            found += [name for name in (agent.name, agent.full_name) if name.startswith(incomplete)][:1]
            if len(found) == MOST:
                break
        return found

    return _asked(names)


def skills(incomplete: str, before: Sequence[str] = ()) -> list[str]:
    """Return the skills of the agent that was typed before; none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        agent = await atlas.agent(before[0]) if before else None
        return [skill.name for skill in (agent.skills if agent else []) if skill.name.startswith(incomplete)]

    return _asked(names)


def fields(incomplete: str, before: Sequence[str] = ()) -> list[str]:
    """Return what the skill that was typed before takes; none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        agent = await atlas.agent(before[0])
        skill = next((skill for skill in agent.skills if skill.name == before[1]), None)
        known = skill.input_schema.get("properties") if skill else None
        return [f"{name}=" for name in known or {} if name.startswith(incomplete)]

    return _asked(names) if len(before) > 1 else []


def tasks(incomplete: str, before: Sequence[str] = ()) -> list[str]:
    """Return the newest tasks whose id begins so; none when the platform cannot be asked."""

    async def ids(atlas: AsyncClient) -> list[str]:
        page = await atlas.task_page(limit=MOST)
        return [task.id for task in page.items if task.id.startswith(incomplete)]

    return _asked(ids)


def _asked(question: Any) -> list[str]:
    from agentic_atlas.cli import connection

    async def work() -> list[str]:
        async with connection.connect(patience=0.0) as atlas:
            answered: Coroutine[Any, Any, list[str]] = question(atlas)
            return await answered

    try:
        return connection.run(work(), timeout=SECONDS)
    except (AtlasError, TimeoutError):
        return []
