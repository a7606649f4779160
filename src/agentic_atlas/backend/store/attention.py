"""Agents and tokens that somebody should look at."""

from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from agentic_atlas.backend.domain.records import AgentRecord, Token
from agentic_atlas.backend.rights import Visible
from agentic_atlas.backend.store.lists import managed_agents
from agentic_atlas.backend.store.readers import Readers
from agentic_atlas.backend.store.rows import AGENTS, TOKENS
from agentic_atlas.backend.store.tables import agents, tokens


class SqlAttention:
    """`ports.Attention`."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def unseen(self, visible: Visible, since: float, until: float, *, limit: int) -> list[AgentRecord]:
        """See the port."""
        return await self._readers.run(partial(_unseen, visible, since, until, limit))

    async def ending(
        self, visible: Visible, since: float, until: float, *, limit: int
    ) -> list[tuple[Token, AgentRecord]]:
        """See the port."""
        return await self._readers.run(partial(_ending, visible, since, until, limit))


def _unseen(visible: Visible, since: float, until: float, limit: int, connection: Connection) -> list[AgentRecord]:
    at = agents.c.last_seen_at
    query = select(*AGENTS.read).where(at >= since, at < until, agents.c.disabled_at.is_(None), *_managed(visible))
    return [AGENTS.value(row) for row in connection.execute(query.order_by(at.desc(), agents.c.id).limit(limit))]


def _ending(
    visible: Visible, since: float, until: float, limit: int, connection: Connection
) -> list[tuple[Token, AgentRecord]]:
    at = tokens.c.expires_at
    good = (tokens.c.revoked_at.is_(None), tokens.c.retires_at.is_(None), agents.c.disabled_at.is_(None))
    query = (
        select(*TOKENS.read, *AGENTS.read)
        .join_from(tokens, agents, agents.c.id == tokens.c.agent_id)
        .where(at >= since, at < until, *good, *_managed(visible))
        .order_by(at)
        .limit(limit)
    )
    width = len(TOKENS.read)
    rows = connection.execute(query).all()
    return [(TOKENS.value(row[:width]), AGENTS.value(row[width:])) for row in rows]


def _managed(visible: Visible) -> list[ColumnElement[Any]]:
    return [] if visible.user_id is None else [agents.c.id.in_(managed_agents(visible))]
