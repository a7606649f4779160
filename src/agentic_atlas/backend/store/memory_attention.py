"""Agents and tokens that somebody should look at, in memory."""

from collections.abc import Mapping

from agentic_atlas.backend.domain.records import AccessLevel, AgentRecord, Token
from agentic_atlas.backend.ports import Tokens
from agentic_atlas.backend.rights import Visible


class MemoryAttention:
    """`ports.Attention`."""

    def __init__(self, agents: Mapping[str, AgentRecord], tokens: Tokens) -> None:
        """Take all agents by their ids, and where the tokens are."""
        self._agents = agents
        self._tokens = tokens

    async def unseen(self, visible: Visible, since: float, until: float, *, limit: int) -> list[AgentRecord]:
        """See the port."""
        found = [one for one in self._managed(visible) if since <= (one.last_seen_at or 0.0) < until]
        return sorted(found, key=lambda one: (-(one.last_seen_at or 0.0), one.id))[:limit]

    async def ending(
        self, visible: Visible, since: float, until: float, *, limit: int
    ) -> list[tuple[Token, AgentRecord]]:
        """See the port."""
        found = [
            (token, agent)
            for agent in self._managed(visible)
            for token in await self._tokens.of_agent(agent.id)
            if token.revoked_at is None and token.retires_at is None and since <= token.expires_at < until
        ]
        return sorted(found, key=lambda one: one[0].expires_at)[:limit]

    def _managed(self, visible: Visible) -> list[AgentRecord]:
        agents = self._agents.values()
        return [one for one in agents if one.disabled_at is None and visible.may(one, AccessLevel.MANAGE)]
