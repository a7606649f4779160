"""What the shell is offered when the platform answers at once: names of agents and skills, parameters, ids of tasks."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from agentic_atlas.errors import AtlasError

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from agentic_atlas.sdk.client.asynchronous import AsyncClient

SECONDS = 1.0
"""How long a person waits for a completion."""
MOST = 200
_PLAIN = re.compile(r"\w[\w.-]*")
"""Names of parameters that a shell takes as they are: it does what is in others, and agents name them as they like."""


def agents(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of agents that begin so; none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        found: list[str] = []
        async for agent in atlas.agents.list():
            # Another's agent is named with its owner.
            found += [name for name in (agent.name, agent.full_name) if name.startswith(incomplete)][:1]
            if len(found) == MOST:
                break
        return found

    return _asked(names)


def skills(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the skills of the agent that was typed before; none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        agent = await atlas.agents.get(context.params["agent"])
        return [skill.name for skill in agent.skills if skill.name.startswith(incomplete)]

    return _asked(names) if context.params.get("agent") else []


def fields(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str] | list[CompletionItem]:
    """Return what the skill that was typed before takes, else files: none when the platform cannot be asked."""

    async def names(atlas: AsyncClient) -> list[str]:
        agent = await atlas.agents.get(context.params["agent"])
        skill = next((skill for skill in agent.skills if skill.name == context.params["skill"]), None)
        known = skill.input_schema.get("properties") if skill else None
        return [f"{name}=" for name in known or {} if name.startswith(incomplete) and _PLAIN.fullmatch(name)]

    known = _asked(names) if context.params.get("skill") else []
    return known or files(context, parameter, incomplete)


def files(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Let the shell offer files."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def tasks(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Return the newest tasks whose id begins so; none when the platform cannot be asked."""

    async def ids(atlas: AsyncClient) -> list[str]:
        page = await atlas.tasks.page(limit=MOST)
        return [task.id for task in page.items if task.id.startswith(incomplete)]

    return _asked(ids)


def _asked(question: Any) -> list[str]:
    from agentic_atlas.cli import connection

    async def work() -> list[str]:
        async with connection.connect(patience=0.0) as atlas:
            answered: Coroutine[object, object, list[str]] = question(atlas)
            return await answered

    try:
        return connection.run(work(), timeout=SECONDS)
    except (AtlasError, TimeoutError):
        return []
