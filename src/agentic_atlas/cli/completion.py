"""What the shell is offered: names of agents, when the platform answers at once."""

from agentic_atlas.errors import AtlasError

SECONDS = 1.0
"""How long a person waits for a completion."""
MOST = 200


def agents(incomplete: str) -> list[str]:
    """Return the names that begin so; none when the platform cannot be asked."""
    from agentic_atlas.cli import connection

    async def names() -> list[str]:
        async with connection.connect(patience=0.0) as atlas:
            found: list[str] = []
            async for agent in atlas.agents():
                if agent.name.startswith(incomplete):
                    found.append(agent.name)
                if len(found) == MOST:
                    break
            return found

    try:
        return connection.run(names(), timeout=SECONDS)
    except (AtlasError, TimeoutError):
        return []
